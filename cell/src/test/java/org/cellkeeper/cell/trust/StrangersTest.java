package org.cellkeeper.cell.trust;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

final class StrangersTest {
    private static final Duration LONG = Duration.ofMinutes(1);

    private final List<String> sentAway = new ArrayList<>();

    private static InetAddress at(String address) {
        try {
            return InetAddress.getByName(address);
        } catch (UnknownHostException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void theFirstOfTheAddressWithMostMakesPlace() {
        Strangers<String> strangers = new Strangers<>(4, LONG, sentAway::add);
        strangers.add("member", at("192.0.2.1"));
        for (int n = 0; n < 100; n++) {
            strangers.add("crowd " + n, at("192.0.2.66"));
        }
        assertThat(strangers.count()).isEqualTo(4);
        assertThat(sentAway).hasSize(97).doesNotContain("member").startsWith("crowd 0", "crowd 1");
        assertThat(strangers.remove("member")).isTrue();
    }

    @Test
    void ofTheSameAddressTheFirstMakesPlace() {
        Strangers<String> strangers = new Strangers<>(2, LONG, sentAway::add);
        assertThat(strangers.add("a", at("192.0.2.1"))).isZero();
        assertThat(strangers.add("b", at("192.0.2.1"))).isZero();
        assertThat(strangers.add("c", at("192.0.2.1"))).isEqualTo(1);
        assertThat(sentAway).containsExactly("a");
        assertThat(strangers.remove("a")).as("was sent away").isFalse();
    }

    @Test
    void whoHasProvedWhoHeIsCountsNoMore() {
        Strangers<String> strangers = new Strangers<>(2, LONG, sentAway::add);
        for (int n = 0; n < 10; n++) {
            strangers.add("user " + n, at("192.0.2.1"));
            assertThat(strangers.remove("user " + n)).isTrue();
        }
        assertThat(sentAway).isEmpty();
        assertThat(strangers.count()).isZero();
    }

    @Test
    void whoComesFromOneNetworkOfIpv6IsOne() {
        Strangers<String> strangers = new Strangers<>(3, LONG, sentAway::add);
        strangers.add("member", at("2001:db8:1::1"));
        for (int n = 1; n < 50; n++) {
            strangers.add("crowd " + n, at("2001:db8:2::" + n));
        }
        assertThat(sentAway).doesNotContain("member").hasSize(47);
    }

    @Test
    void whoSaysNothingGoesWhenHisTimeIsOverUnlessHeAskedMeanwhile() throws Exception {
        Strangers<String> strangers = new Strangers<>(9, Duration.ofMillis(300), sentAway::add);
        strangers.add("silent", null);
        strangers.add("asks", null);
        TimeUnit.MILLISECONDS.sleep(200);
        strangers.look();
        assertThat(sentAway).isEmpty();
        strangers.add("asks", null);
        TimeUnit.MILLISECONDS.sleep(150);
        strangers.look();
        assertThat(sentAway).containsExactly("silent");
        assertThat(strangers.count()).isEqualTo(1);
    }
}
