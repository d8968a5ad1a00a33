package org.cellkeeper.cell.torture;

import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;

/** Torments real servers from the command line; exits with 1 when the adapter said what is not so, 2 on wrong usage. */
final class TortureMain {
    private TortureMain() {}

    /** What was asked for. */
    record Order(long seed, int minutes, int servers, boolean keep) {}

    public static void main(String[] arguments) {
        Order order;
        try {
            order = parse(arguments);
        } catch (IllegalArgumentException wrong) {
            System.err.println("torture: " + wrong.getMessage());
            System.err.println("See: scripts/torture --help");
            System.exit(2);
            return;
        }
        System.exit(run(order) ? 0 : 1);
    }

    static Order parse(String... arguments) {
        Map<String, String> given = new HashMap<>();
        for (int i = 0; i < arguments.length; i++) {
            switch (arguments[i]) {
                case "--keep" -> given.put(arguments[i], "");
                case "--seed", "--minutes", "--servers" -> {
                    if (i + 1 == arguments.length) {
                        throw new IllegalArgumentException(arguments[i] + " needs a value");
                    }
                    given.put(arguments[i], arguments[++i]);
                }
                default -> throw new IllegalArgumentException("unknown argument: " + arguments[i]);
            }
        }
        int servers = number(given, "--servers", "3");
        if (servers < 2 || servers > 3) {
            throw new IllegalArgumentException("--servers is 2 or 3");
        }
        int minutes = number(given, "--minutes", "10");
        if (minutes < 1) {
            throw new IllegalArgumentException("--minutes is at least 1");
        }
        return new Order(number(given, "--seed", "1"), minutes, servers, given.containsKey("--keep"));
    }

    private static int number(Map<String, String> given, String option, String otherwise) {
        String text = given.getOrDefault(option, otherwise);
        if (!text.matches("[0-9]{1,9}")) {
            throw new IllegalArgumentException(option + " needs a number");
        }
        return Integer.parseInt(text);
    }

    private static boolean run(Order order) {
        Path folder = Path.of(System.getProperty("cellkeeper.build.directory", "target"), "torture");
        Torture torture = new Torture(order.seed, Duration.ofMinutes(order.minutes), order.servers, folder, System.out);
        Runtime.getRuntime().addShutdownHook(new Thread(torture::close, "shutdown"));
        if (order.keep) {
            torture.keep();
        }
        try {
            Torture.Outcome outcome = torture.run();
            System.out.printf("%d steps, %d observations, no mismatch%n", outcome.steps(), outcome.observations());
            outcome.counted().forEach((what, number) -> System.out.printf("  %8d  %s%n", number, what));
            return true;
        } catch (Mismatch mismatch) {
            if (!torture.isClosed()) {
                System.out.println("MISMATCH: " + mismatch.getMessage());
            }
            return false;
        } catch (RuntimeException problem) {
            if (torture.isClosed()) {
                // Told to end: what it was doing has failed.
                return false;
            }
            throw problem;
        }
    }
}
