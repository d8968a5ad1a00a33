package org.cellkeeper.cell.config;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.cellkeeper.cell.model.ApiUser;
import org.cellkeeper.cell.wire.PasswordHash;

/**
 * The file of the API's further users: a line {@code name:role:hash} for each; blank lines and those that begin with '#' count for
 * nothing. What is wrong is told by the number of the line, and never shown: it may be a password.
 */
record UsersFile(List<ApiUser> users, List<String> problems) {
    private static final int MOST_USERS = 100;
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,62}");
    private static final Map<String, ApiUser.Role> ROLES =
            Map.of("root", ApiUser.Role.ROOT, "monitor", ApiUser.Role.MONITOR);

    static UsersFile of(String text) {
        List<ApiUser> users = new ArrayList<>();
        List<String> problems = new ArrayList<>();
        Set<String> taken = new TreeSet<>();
        int number = 0;
        for (String line : text.lines().toList()) {
            number++;
            if (line.isBlank() || line.startsWith("#")) {
                continue;
            }
            try {
                ApiUser user = user(line.strip());
                if (!taken.add(user.name())) {
                    throw new IllegalArgumentException("this user has a line already");
                }
                users.add(user);
            } catch (IllegalArgumentException wrong) {
                problems.add("line " + number + ": " + wrong.getMessage());
            }
        }
        if (users.size() > MOST_USERS) {
            problems.add("names " + users.size() + " users; " + MOST_USERS + " are allowed");
        }
        return new UsersFile(List.copyOf(users), List.copyOf(problems));
    }

    private static ApiUser user(String line) {
        String[] parts = line.split(":", -1);
        if (parts.length != 3) {
            throw new IllegalArgumentException("must be name:role:hash, the hash made by 'cellctl user hash'");
        }
        if (!NAME.matcher(parts[0]).matches()) {
            throw new IllegalArgumentException(
                    "a name has letters, digits, '.', '_' and '-', first a letter or a digit, 63 at most");
        }
        if (parts[0].equals(ApiUser.ROOT) || parts[0].equals(ApiUser.MONITOR)) {
            throw new IllegalArgumentException(parts[0] + " has a password file of its own, security." + parts[0]
                    + "-password-file, and no line here");
        }
        ApiUser.Role role = ROLES.get(parts[1]);
        if (role == null) {
            throw new IllegalArgumentException("the role must be root or monitor");
        }
        return new ApiUser(
                parts[0],
                role,
                new ApiUser.Secret.Hash(PasswordHash.parse(parts[2]).text()));
    }
}
