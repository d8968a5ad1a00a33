package org.cellkeeper.cell.sim;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;

/** Runs seeds of the simulator from the command line; exits with 1 when an invariant was broken, 2 on wrong usage. */
final class SimulationMain {
    private static final int LONGEST_HEADLINE = 100;
    private static final String USAGE = """
            Usage: scripts/simulate [--seeds N] [--from S] [--cells 3|4|5] [--mutation NAME] [--threads N] [--keep-going]
                   scripts/simulate --seed S [--cells 3|4|5] [--mutation NAME] [--verbose]

              --seeds N       run N seeds, from 1 or from --from (default 200)
              --seed S        run this seed alone, and tell its digest; not together with --seeds or --from
              --cells N       cells of each cluster; by default 3, 4 or 5 by the seed
              --mutation NAME break this in the test world; ALL tries every one, and says which are noticed
              --threads N     runs at a time (default 2)
              --keep-going    do not stop at the first violation
              --no-doors      do not ask that doors reopen (I8)
              --losses-only   look for lost commits alone (I1, I2), as mutations cause them
              --verbose       tell everything that happens (with --seed)
            """;

    private SimulationMain() {}

    /** What was asked for. */
    record Order(
            long from,
            long seeds,
            int cells,
            Mutation mutation,
            boolean everyMutation,
            int threads,
            boolean verbose,
            boolean keepGoing,
            boolean doors,
            boolean lossesOnly) {}

    public static void main(String[] arguments) {
        Order order;
        try {
            order = parse(arguments);
        } catch (IllegalArgumentException wrong) {
            System.err.println(wrong.getMessage());
            System.err.print(USAGE);
            System.exit(2);
            return;
        }
        if (order.everyMutation) {
            System.exit(everyMutation(order));
        }
        System.exit(run(order) ? 0 : 1);
    }

    static Order parse(String... arguments) {
        Map<String, String> given = new HashMap<>();
        for (int i = 0; i < arguments.length; i++) {
            switch (arguments[i]) {
                case "--help" -> throw new IllegalArgumentException("");
                case "--verbose", "--keep-going", "--no-doors", "--losses-only" -> given.put(arguments[i], "");
                case "--seeds", "--seed", "--from", "--cells", "--mutation", "--threads" -> {
                    if (i + 1 == arguments.length) {
                        throw new IllegalArgumentException(arguments[i] + " needs a value");
                    }
                    given.put(arguments[i], arguments[++i]);
                }
                default -> throw new IllegalArgumentException("unknown argument: " + arguments[i]);
            }
        }
        String seed = given.get("--seed");
        if (seed != null && (given.containsKey("--seeds") || given.containsKey("--from"))) {
            throw new IllegalArgumentException("--seed is one seed alone: give either that, or --seeds and --from");
        }
        long from = Long.parseLong(seed != null ? seed : given.getOrDefault("--from", "1"));
        long seeds = seed != null ? 1 : Long.parseLong(given.getOrDefault("--seeds", "200"));
        String mutation = given.getOrDefault("--mutation", "NONE");
        boolean every = mutation.equals("ALL");
        return new Order(
                from,
                seeds,
                Integer.parseInt(given.getOrDefault("--cells", "0")),
                every ? Mutation.NONE : Mutation.valueOf(mutation),
                every,
                Integer.parseInt(given.getOrDefault("--threads", "2")),
                given.containsKey("--verbose"),
                given.containsKey("--keep-going"),
                !given.containsKey("--no-doors"),
                given.containsKey("--losses-only"));
    }

    static int cellsOf(long seed) {
        return switch ((int) (seed % 5)) {
            case 0, 1 -> 3;
            case 2 -> 4;
            default -> 5;
        };
    }

    private static boolean run(Order order) {
        AtomicLong next = new AtomicLong(order.from);
        List<Simulation.Outcome> outcomes = new ArrayList<>();
        List<Violation> violations = new ArrayList<>();
        long begun = System.nanoTime();
        Runnable worker = () -> {
            while (true) {
                long seed = next.getAndIncrement();
                synchronized (violations) {
                    if (seed >= order.from + order.seeds || (!violations.isEmpty() && !order.keepGoing)) {
                        return;
                    }
                }
                int cells = order.cells > 0 ? order.cells : cellsOf(seed);
                Simulation simulation = new Simulation(seed, cells, order.mutation, CoreAgent::new);
                simulation.world().weather.doorsWatched = order.doors;
                simulation.world().weather.lossesOnly = order.lossesOnly;
                if (order.verbose) {
                    simulation.world().log.aloud();
                }
                try {
                    Simulation.Outcome outcome = simulation.run();
                    synchronized (violations) {
                        outcomes.add(outcome);
                        if (outcomes.size() % 100 == 0) {
                            System.out.printf(
                                    "%d seeds, %.1f/s%n",
                                    outcomes.size(), outcomes.size() * 1e9 / (System.nanoTime() - begun));
                        }
                    }
                } catch (Violation violation) {
                    synchronized (violations) {
                        violations.add(violation);
                        if (order.keepGoing) {
                            System.out.println(
                                    "seed " + seed + ": " + violation.invariant() + ": " + violation.headline());
                        } else {
                            System.out.println(violation.getMessage());
                            if (violation.getCause() != null) {
                                violation.getCause().printStackTrace(System.out);
                            }
                        }
                    }
                }
            }
        };
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < Math.min(order.threads, order.seeds); i++) {
            threads.add(Thread.ofPlatform().name("simulation-" + i).start(worker));
        }
        for (Thread thread : threads) {
            try {
                thread.join();
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
            }
        }
        summary(order, outcomes, violations, (System.nanoTime() - begun) / 1e9);
        return violations.isEmpty();
    }

    private static void summary(
            Order order, List<Simulation.Outcome> outcomes, List<Violation> violations, double seconds) {
        Statistics all = new Statistics();
        long virtual = 0;
        long events = 0;
        for (Simulation.Outcome outcome : outcomes) {
            all.addAll(outcome.statistics());
            virtual += outcome.virtualMillis();
            events += outcome.events();
            if (order.seeds == 1) {
                System.out.println("digest %016x".formatted(outcome.digest()));
            }
        }
        System.out.printf(
                "%d seeds passed, %d violations, %.1f s: %.1f seeds/s, %.0f virtual s, %d events (%.2f us each)%n",
                outcomes.size(),
                violations.size(),
                seconds,
                outcomes.size() / seconds,
                virtual / 1000.0,
                events,
                events == 0 ? 0 : seconds * 1e6 * Math.min(order.threads, Math.max(1, outcomes.size())) / events);
        all.all().forEach((what, number) -> System.out.printf("  %8d  %s%n", number, what));
    }

    /** Each mutation in its stories, and in worlds by chance until an invariant notices it; tells which are not noticed by a story. */
    private static int everyMutation(Order order) {
        int survivors = 0;
        for (Mutation mutation : Mutation.values()) {
            if (mutation == Mutation.NONE) {
                continue;
            }
            long begun = System.nanoTime();
            String proven = proven(mutation);
            System.out.printf(
                    "%-34s %s; by chance: %s; %.1f s%n",
                    mutation,
                    proven.isEmpty() ? "NOT NOTICED" : proven,
                    byChance(order, mutation),
                    (System.nanoTime() - begun) / 1e9);
            survivors += proven.isEmpty() ? 1 : 0;
        }
        System.out.println(survivors == 0 ? "every mutation is noticed" : survivors + " mutations are NOT NOTICED");
        return survivors == 0 ? 0 : 1;
    }

    /** What its stories come to, each of which must end well without it; empty when one does not prove it. */
    private static String proven(Mutation mutation) {
        List<String> said = new ArrayList<>();
        for (Proof proof : Proof.ALL) {
            if (proof.mutation() == mutation) {
                Violation violation = proof.inABrokenWorld();
                if (violation == null || !proof.isProvenBy(violation) || proof.inASoundWorld() != null) {
                    return "";
                }
                said.add(headline(violation));
            }
        }
        return String.join(", ", said);
    }

    private static String byChance(Order order, Mutation mutation) {
        for (long seed = order.from; seed < order.from + order.seeds; seed++) {
            Violation noticed = tried(order, seed, mutation);
            if (noticed != null && tried(order, seed, Mutation.NONE) == null) {
                return noticed.invariant() + " after " + (seed - order.from + 1) + " seeds";
            }
        }
        return "not in " + order.seeds + " seeds";
    }

    private static String headline(Violation violation) {
        String words = violation.headline().lines().findFirst().orElse("");
        return violation.invariant() + ": "
                + (words.length() > LONGEST_HEADLINE ? words.substring(0, LONGEST_HEADLINE) + "..." : words);
    }

    private static Violation tried(Order order, long seed, Mutation mutation) {
        int cells = order.cells > 0 ? order.cells : cellsOf(seed);
        Simulation simulation = new Simulation(seed, cells, mutation, CoreAgent::new);
        simulation.world().weather.doorsWatched = order.doors;
        simulation.world().weather.lossesOnly = order.lossesOnly;
        try {
            simulation.run();
            return null;
        } catch (Violation violation) {
            boolean safety = !violation.invariant().equals("I7")
                    && !violation.invariant().equals("I8");
            return safety || mutation.ofLiveness() ? violation : null;
        }
    }
}
