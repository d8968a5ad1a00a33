package org.cellkeeper.cell.trust;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Collectors;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The cluster's secrets: this cell signs and opens with the first, and believes all. Others may take their place while the cell runs.
 * Any thread may use it. None is ever printed.
 */
public final class Secrets {
    private static final Logger LOG = LoggerFactory.getLogger(Secrets.class);
    private static final String MAC = "HmacSHA256";

    private final List<Runnable> listeners = new CopyOnWriteArrayList<>();
    private volatile List<Secret> all;

    /** One of them, by which keys are made. */
    private record Secret(SecretKeySpec key) {
        byte[] mac(String purpose) {
            try {
                Mac mac = Mac.getInstance(MAC);
                mac.init(key);
                return mac.doFinal(purpose.getBytes(StandardCharsets.UTF_8));
            } catch (GeneralSecurityException e) {
                throw new IllegalStateException("this Java has no " + MAC, e);
            }
        }

        /** What people may be told, to tell it from another. */
        String name() {
            return HexFormat.of().formatHex(Arrays.copyOf(mac("name of this secret"), 4));
        }

        @Override
        public String toString() {
            return "Secret[***]";
        }
    }

    /** @param secrets at least one, the one that signs first */
    public Secrets(List<byte[]> secrets) {
        this.all = of(secrets);
    }

    /** One alone. */
    public static Secrets of(byte[] only) {
        return new Secrets(List.of(only));
    }

    private static List<Secret> of(List<byte[]> secrets) {
        if (secrets.isEmpty()) {
            throw new IllegalArgumentException("a cluster has a secret");
        }
        return secrets.stream()
                .map(bytes -> new Secret(new SecretKeySpec(bytes, MAC)))
                .toList();
    }

    /** As they are, the one that signs first. */
    public List<byte[]> all() {
        return all.stream().map(secret -> secret.key().getEncoded()).toList();
    }

    /** For one purpose one of each, in hexadecimal, in the same order: none tells what it is made from. */
    public List<String> derived(String purpose) {
        return all.stream()
                .map(secret -> HexFormat.of().formatHex(secret.mac(purpose)))
                .toList();
    }

    /** By what they are told apart, in the same order. */
    public List<String> names() {
        return all.stream().map(Secret::name).toList();
    }

    /** Is told of every change, on the thread that makes it. */
    public void onChange(Runnable listener) {
        listeners.add(listener);
    }

    /** From now on these, and no other. */
    public void take(List<byte[]> secrets) {
        List<Secret> next = of(secrets);
        if (next.equals(all)) {
            return;
        }
        all = next;
        LOG.info("The cluster's secrets are others now, by their names: {}", this);
        listeners.forEach(Runnable::run);
    }

    /** Their names. */
    @Override
    public String toString() {
        return names().stream().collect(Collectors.joining(", "));
    }
}
