package org.cellkeeper.cell.http;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.cellkeeper.cell.model.ApiUser;
import org.cellkeeper.cell.wire.PasswordHash;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Who may use the API; others may take their place while it serves. Any thread may use it. */
public final class Users {
    private static final Logger log = LoggerFactory.getLogger(Users.class);

    private volatile Map<String, Known> all = Map.of();

    public Users(List<ApiUser> users) {
        this.all = known(users);
    }

    /** From now on these, and nobody else. Whoever is the same as before stays logged in. */
    public synchronized void take(List<ApiUser> users) {
        Map<String, Known> next = known(users);
        if (next.values().stream()
                .map(Known::user)
                .toList()
                .equals(all.values().stream().map(Known::user).toList())) {
            return;
        }
        all = next;
        log.info(
                "The users of the API, or their passwords, have changed; they are: {}",
                next.values().stream()
                        .map(known -> known.user().name() + " (" + known.user().role() + ")")
                        .collect(Collectors.joining(", ")));
    }

    private Map<String, Known> known(List<ApiUser> users) {
        Map<String, Known> next = new LinkedHashMap<>();
        for (ApiUser user : users) {
            Known before = all.get(user.name());
            next.put(user.name(), before != null && before.user().equals(user) ? before : new Known(user));
        }
        return next;
    }

    @Nullable
    Known find(String name) {
        return all.get(name);
    }

    /** One whose password takes as long to look at as the slowest; null when that is no time. */
    @Nullable
    Known slowest() {
        return all.values().stream().filter(Known::isHashed).findFirst().orElse(null);
    }

    /** A user as it is now: not the same one any more once its role or its password is another. */
    static final class Known {
        private static final byte[] NONE = {};

        private final ApiUser user;
        private final SecretKeySpec key;
        private final @Nullable PasswordHash hash;
        /** The mark of the password, by which it is known again at once; none before a hash was found to be of it. */
        private volatile byte[] mark;

        private Known(ApiUser user) {
            this.user = user;
            byte[] random = new byte[32];
            new SecureRandom().nextBytes(random);
            this.key = new SecretKeySpec(random, "HmacSHA256");
            switch (user.secret()) {
                case ApiUser.Secret.Password(String text) -> {
                    this.hash = null;
                    this.mark = markOf(text);
                }
                case ApiUser.Secret.Hash(String text) -> {
                    this.hash = PasswordHash.parse(text);
                    this.mark = NONE;
                }
            }
        }

        ApiUser user() {
            return user;
        }

        boolean isHashed() {
            return hash != null;
        }

        /** Whether it is the password, as far as that can be told at once; what is not told so may yet be, of a hashed one. */
        boolean isAtOnce(String password) {
            return MessageDigest.isEqual(mark, markOf(password));
        }

        /** Takes some tenths of a second for a hashed one. */
        boolean is(String password) {
            if (hash == null) {
                return isAtOnce(password);
            }
            if (!hash.isOf(password)) {
                return false;
            }
            mark = markOf(password);
            return true;
        }

        private byte[] markOf(String password) {
            try {
                Mac mac = Mac.getInstance("HmacSHA256");
                mac.init(key);
                return mac.doFinal(password.getBytes(StandardCharsets.UTF_8));
            } catch (GeneralSecurityException e) {
                throw new IllegalStateException("this Java has no HmacSHA256", e);
            }
        }

        @Override
        public String toString() {
            return user.toString();
        }
    }

    /** Without the secrets. */
    @Override
    public String toString() {
        return all.keySet().toString();
    }
}
