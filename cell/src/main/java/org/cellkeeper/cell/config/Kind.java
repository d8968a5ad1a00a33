package org.cellkeeper.cell.config;

import java.net.InetAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.cellkeeper.cell.config.CellConfig.ZooKeeper.External;
import org.cellkeeper.cell.config.CellConfig.ZooKeeper.Transport;
import org.cellkeeper.cell.model.CellName;

/**
 * What a value may be.
 *
 * @param name for the documentation
 * @param allowed for whoever wrote something else
 * @param reader makes the value; throws IllegalArgumentException, of which only the kind of error counts
 * @param separator for kinds that are maps: what separates their entries in an environment variable; empty for the others
 */
record Kind<T>(String name, String allowed, Function<Map<String, String>, T> reader, String separator) {
    /** The one entry of a value that is no map. */
    private static final String ONLY = "";

    private static final Pattern DURATION = Pattern.compile("(\\d{1,9})(ms|s|m|h)");
    private static final Pattern NUMERIC = Pattern.compile("[0-9.]+|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*");
    private static final Pattern HOST_LABELS = Pattern.compile(
            "(?=.{1,253}$)LABEL(\\.LABEL)*".replace("LABEL", "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"));
    private static final Pattern SERVER_PATH = Pattern.compile("(/[A-Za-z0-9_][A-Za-z0-9._-]*)*/?");
    /** What every program takes that is told of it; and a Unix socket's path, which ends below it, has 107 bytes at most. */
    private static final Pattern FOLDER = Pattern.compile("(/[A-Za-z0-9._-]+)+/?");

    private static final int LONGEST_FOLDER = 107 - "/postgres/run/.s.PGSQL.65535".length();
    private static final Pattern WORD = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,62}");
    private static final Pattern SETTING = Pattern.compile("[a-z_][a-z0-9_]*(\\.[a-z_][a-z0-9_]*)?");

    static final Kind<CellName> CELL =
            of("cell name", "lower-case letters, digits and '-', first a letter, 30 characters at most", CellName::new);
    static final Kind<String> HOST_NAME =
            of("host", "a host name (letters, digits, '-' and '.') or an IP address", Kind::host);
    static final Kind<String> NAME = of(
            "word",
            "letters, digits, '.', '_' and '-', first a letter or a digit, 63 at most",
            text -> matching(WORD, text));
    static final Kind<External> CONNECT = of(
            "connect string",
            "host:port,host:port, perhaps with /path at the end; an IPv6 address in brackets",
            Kind::connectString);
    static final Kind<Path> PATH = of("path", "an absolute path", Kind::absolute);
    static final Kind<Path> DATA_DIR = of(
            "path",
            "an absolute path of letters, digits, '/', '.', '_' and '-', " + LONGEST_FOLDER + " at most",
            text -> {
                Path path = absolute(matching(FOLDER, text));
                if (path.toString().length() > LONGEST_FOLDER || path.getNameCount() == 0) {
                    throw new IllegalArgumentException("too long, or the root");
                }
                return path;
            });
    static final Kind<Path> SECRET =
            of("file", "the absolute path of a readable file that holds the secret", Kind::absolute);
    static final Kind<Path> FILE = of("file", "the absolute path of a readable file", Kind::absolute);
    static final Kind<Integer> PORT = number("port", 1, 65_535);
    static final Kind<Map<CellName, String>> CELLS = new Kind<>(
            "cells and hosts",
            "name: host for each, 1 to 255 of them; in the environment name=host,name=host",
            Kind::cells,
            "[,;\\s]+");
    static final Kind<Map<String, String>> SETTINGS = new Kind<>(
            "settings",
            "parameter: value for each; in the environment parameter=value;parameter=value",
            Kind::settings,
            "[;\\n]+");

    static final Kind<Boolean> YES_OR_NO = of("yes or no", "one of yes, no", text -> switch (text) {
        case "yes" -> true;
        case "no" -> false;
        default -> throw new IllegalArgumentException("neither");
    });
    static final Kind<List<String>> NETWORKS =
            of("networks", "networks as 10.0.0.0/8 and fd00::/8, separated by commas; 100 at most", Kind::networks);
    static final Kind<List<String>> LINES = of(
            "lines",
            "lines of text, 1000 at most, none of which ends with a backslash; in the environment with line breaks",
            Kind::lines);

    static <T> Kind<T> of(String name, String allowed, Function<String, T> reader) {
        return new Kind<>(
                name,
                allowed,
                entries -> {
                    String text = entries.get(ONLY);
                    if (text == null || entries.size() != 1) {
                        throw new IllegalArgumentException("not one value");
                    }
                    return reader.apply(text);
                },
                "");
    }

    static Kind<Integer> number(String name, int least, int most) {
        return of(name, "a whole number, " + least + " to " + most, text -> {
            int number = Integer.parseInt(text);
            if (number < least || number > most) {
                throw new IllegalArgumentException("out of range");
            }
            return number;
        });
    }

    static Kind<Duration> duration(String least, String most) {
        return of("duration", "a duration such as 200ms, 5s or 2m, " + least + " to " + most, text -> {
            Duration duration = duration(text);
            if (duration.compareTo(duration(least)) < 0 || duration.compareTo(duration(most)) > 0) {
                throw new IllegalArgumentException("out of range");
            }
            return duration;
        });
    }

    static <E extends Enum<E>> Kind<E> oneOf(Class<E> type) {
        List<String> words = Stream.of(type.getEnumConstants()).map(Kind::word).toList();
        return of(String.join(" or ", words), "one of " + String.join(", ", words), text -> {
            for (E constant : type.getEnumConstants()) {
                if (word(constant).equals(text)) {
                    return constant;
                }
            }
            throw new IllegalArgumentException("unknown");
        });
    }

    boolean isMap() {
        return !separator.isEmpty();
    }

    T read(Map<String, String> entries) {
        return reader.apply(entries);
    }

    /** From one line, as in the environment. */
    Map<String, String> entries(String text) {
        if (!isMap()) {
            return Map.of(ONLY, text);
        }
        Map<String, String> entries = new LinkedHashMap<>();
        for (String entry : text.strip().split(separator, -1)) {
            if (entry.isBlank()) {
                continue;
            }
            int equals = entry.indexOf('=');
            if (equals < 0
                    || entries.put(
                                    entry.substring(0, equals).strip(),
                                    entry.substring(equals + 1).strip())
                            != null) {
                throw new IllegalArgumentException("not name=value, or twice the same");
            }
        }
        return entries;
    }

    static String text(Duration duration) {
        long millis = duration.toMillis();
        if (millis % 60_000 == 0 && millis > 60_000) {
            return millis / 60_000 + "m";
        }
        return millis % 1000 == 0 ? millis / 1000 + "s" : millis + "ms";
    }

    static String word(Enum<?> constant) {
        return constant.name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    private static Duration duration(String text) {
        Matcher parts = DURATION.matcher(text);
        if (!parts.matches()) {
            throw new IllegalArgumentException("no duration");
        }
        long number = Long.parseLong(parts.group(1));
        return switch (parts.group(2)) {
            case "ms" -> Duration.ofMillis(number);
            case "s" -> Duration.ofSeconds(number);
            case "m" -> Duration.ofMinutes(number);
            case "h" -> Duration.ofHours(number);
            default -> throw new IllegalStateException("the pattern allows no other unit");
        };
    }

    private static String matching(Pattern pattern, String text) {
        if (!pattern.matcher(text).matches()) {
            throw new IllegalArgumentException("another form");
        }
        return text;
    }

    private static Path absolute(String text) {
        Path path = Path.of(text);
        if (!path.isAbsolute()) {
            throw new IllegalArgumentException("relative");
        }
        return path.normalize();
    }

    private static String host(String text) {
        if (NUMERIC.matcher(text).matches()) {
            // Refuses what is none.
            InetAddress address = InetAddress.ofLiteral(text);
            if (text.indexOf(':') < 0 && !address.getHostAddress().equals(text)) {
                throw new IllegalArgumentException("not in four parts");
            }
            return text;
        }
        return matching(HOST_LABELS, text);
    }

    private static List<String> networks(String text) {
        List<String> networks =
                Stream.of(text.split(",", -1)).map(String::strip).toList();
        if (networks.size() > 100) {
            throw new IllegalArgumentException("too many");
        }
        for (String network : networks) {
            String[] parts = network.split("/", -1);
            if (parts.length != 2 || !NUMERIC.matcher(parts[0]).matches() || !parts[1].matches("\\d{1,3}")) {
                throw new IllegalArgumentException("not address/bits");
            }
            byte[] address = InetAddress.ofLiteral(host(parts[0])).getAddress();
            int bits = Integer.parseInt(parts[1]);
            if (bits > address.length * 8) {
                throw new IllegalArgumentException("too many bits");
            }
        }
        return networks;
    }

    /** Without the empty ones, and without remarks. */
    private static List<String> lines(String text) {
        List<String> lines = text.lines()
                .map(String::strip)
                .filter(line -> !line.isEmpty() && !line.startsWith("#"))
                .toList();
        if (lines.size() > 1000
                || lines.stream()
                        .anyMatch(line -> line.endsWith("\\") || line.chars().anyMatch(c -> c < ' ' && c != '\t'))) {
            throw new IllegalArgumentException("too many, or one goes on");
        }
        return lines;
    }

    private static External connectString(String text) {
        int slash = text.indexOf('/');
        String path = slash < 0 ? "" : matching(SERVER_PATH, text.substring(slash));
        List<String> servers = List.of((slash < 0 ? text : text.substring(0, slash)).split(",", -1));
        for (String server : servers) {
            int colon = server.lastIndexOf(':');
            String host = colon < 1 ? "" : server.substring(0, colon);
            boolean inBrackets = host.startsWith("[") && host.endsWith("]");
            if (inBrackets != host.contains(":")) {
                throw new IllegalArgumentException("not host:port: " + server);
            }
            host(inBrackets ? host.substring(1, host.length() - 1) : host);
            PORT.read(Map.of(ONLY, server.substring(colon + 1)));
        }
        return new External(servers, path.endsWith("/") ? path.substring(0, path.length() - 1) : path, Transport.PLAIN);
    }

    private static Map<CellName, String> cells(Map<String, String> entries) {
        if (entries.isEmpty() || entries.size() > 255) {
            throw new IllegalArgumentException("none, or too many");
        }
        Map<CellName, String> cells = new LinkedHashMap<>();
        entries.forEach((name, host) -> cells.put(new CellName(name), host(host)));
        return cells;
    }

    /** PostgreSQL does not tell TimeZone from timezone. */
    private static Map<String, String> settings(Map<String, String> entries) {
        Map<String, String> settings = new LinkedHashMap<>();
        entries.forEach((name, value) -> {
            if (settings.put(matching(SETTING, name.toLowerCase(Locale.ROOT)), value) != null) {
                throw new IllegalArgumentException("twice the same");
            }
        });
        return settings;
    }
}
