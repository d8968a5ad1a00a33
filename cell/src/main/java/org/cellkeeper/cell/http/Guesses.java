package org.cellkeeper.cell.http;

import java.net.InetAddress;
import java.time.Duration;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * How long an address must wait before its next password is looked at, by how many were wrong. Nobody is refused for what others guess: a
 * user that many guess at makes each address wait sooner and longer, and still its first password is looked at. A right password undoes
 * nothing, so that nobody who has one can guess another. Bounded, whatever names and addresses are used: when too many addresses guess, those
 * that are not among them share what is left. Holders of its monitor use it.
 */
final class Guesses {
    static final int FREE = 5;
    static final int ADDRESSES = 4096;

    private static final int FREE_OF_ADDRESS = 20;
    private static final Duration ADDRESS_REGAINS = Duration.ofSeconds(10);
    private static final int FREE_OF_USER = 100;
    private static final Duration USER_REGAINS = Duration.ofSeconds(1);
    private static final int FREE_OF_OTHERS = 10;
    private static final Duration OTHERS_REGAIN = Duration.ofMillis(100);
    private static final Duration LONGEST = Duration.ofSeconds(60);
    private static final Duration FORGOTTEN = Duration.ofMinutes(15);
    private static final int USERS_OF_ADDRESS = 8;
    private static final int USERS = 256;
    private static final String OTHER_USERS = "";

    /** The one that has been without a wrong password for longest comes first. */
    private final LinkedHashMap<String, Guesser> guessers = new LinkedHashMap<>();

    private final Map<String, Allowance> users = new HashMap<>();
    private final Allowance others;

    Guesses(long now) {
        this.others = new Allowance(FREE_OF_OTHERS, OTHERS_REGAIN, now);
    }

    /** An address that has guessed wrong. */
    private static final class Guesser {
        private final Allowance all;
        private final Map<String, Wrong> byUser = new HashMap<>();
        private long last;

        private Guesser(long now) {
            this.all = new Allowance(FREE_OF_ADDRESS, ADDRESS_REGAINS, now);
        }

        private String slot(String user) {
            return byUser.containsKey(user) || byUser.size() < USERS_OF_ADDRESS ? user : OTHER_USERS;
        }
    }

    /** Its guesses at one user, and until when it waits. */
    private record Wrong(int times, long until) {}

    /**
     * How long, in nanoseconds; 0 when the password may be looked at.
     *
     * @param user one that there is; empty for all names that are nobody's
     */
    long waitNanos(String address, String user, long now) {
        Guesser guesser = guessers.get(address);
        if (guesser == null) {
            forget(now);
            return guessers.size() < ADDRESSES ? 0 : others.waitNanos(now);
        }
        Wrong wrong = guesser.byUser.get(guesser.slot(user));
        return Math.max(guesser.all.waitNanos(now), wrong == null ? 0 : Math.max(0, wrong.until - now));
    }

    void wrong(String address, String user, long now) {
        boolean isPressed = !userOf(user, now).take(now);
        Guesser guesser = guessers.remove(address);
        if (guesser == null) {
            forget(now);
            if (guessers.size() >= ADDRESSES) {
                others.take(now);
                return;
            }
            guesser = new Guesser(now);
        }
        guessers.put(address, guesser);
        guesser.last = now;
        guesser.all.take(now);
        String slot = guesser.slot(user);
        Wrong before = guesser.byUser.get(slot);
        int times = before == null ? 1 : before.times + 1;
        guesser.byUser.put(slot, new Wrong(times, now + pause(times, isPressed).toNanos()));
    }

    int size() {
        return guessers.size();
    }

    private static Duration pause(int times, boolean isPressed) {
        if (isPressed) {
            return LONGEST;
        }
        return times < FREE
                ? Duration.ZERO
                : Duration.ofSeconds(Math.min(LONGEST.toSeconds(), 1L << Math.min(times - FREE, 6)));
    }

    private Allowance userOf(String user, long now) {
        String slot = users.containsKey(user) || users.size() < USERS ? user : OTHER_USERS;
        return users.computeIfAbsent(slot, unused -> new Allowance(FREE_OF_USER, USER_REGAINS, now));
    }

    private void forget(long now) {
        Iterator<Guesser> oldest = guessers.values().iterator();
        while (oldest.hasNext() && now - oldest.next().last > FORGOTTEN.toNanos()) {
            oldest.remove();
        }
    }

    /** What one host, or one network of IPv6, comes from: it may have 2^64 addresses. */
    static String network(String address) {
        try {
            byte[] bytes = InetAddress.ofLiteral(address.replaceAll("[\\[\\]]|%.*", ""))
                    .getAddress();
            return bytes.length == 4 ? address : HexFormat.of().formatHex(bytes, 0, 8) + "/64";
        } catch (IllegalArgumentException e) {
            return address;
        }
    }
}
