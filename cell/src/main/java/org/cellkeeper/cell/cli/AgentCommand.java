package org.cellkeeper.cell.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import org.cellkeeper.cell.Wiring;
import org.cellkeeper.cell.config.Source;
import org.cellkeeper.cell.trust.NativeCryptography;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Runs a cell's agent until it is asked to end. */
@Command(
        name = "agent",
        description =
                "Run a cell's agent, as its guard does. On SIGTERM it hands over where it should, stops PostgreSQL and ends.",
        mixinStandardHelpOptions = true)
final class AgentCommand implements Callable<Integer> {
    @Mixin
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private ConfigOption config;

    @Option(
            names = "--data-dir",
            paramLabel = "FOLDER",
            description =
                    "Where the cell runs: the last configuration that was good is kept there, for when the present one"
                            + " cannot be used. Default: what the present one says.")
    private @Nullable Path dataDir;

    @Override
    public Integer call() throws IOException, InterruptedException {
        NativeCryptography.use();
        Source source = config.source();
        Wiring wiring = new Wiring(source, config.choose(source, dataDir));
        CountDownLatch ended = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(wiring::close, "stop"));
        wiring.start();
        ended.await();
        return 0;
    }
}
