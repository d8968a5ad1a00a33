package org.cellkeeper.cell.cli;

import java.io.IOException;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import org.cellkeeper.cell.Wiring;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

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

    @Override
    public Integer call() throws IOException, InterruptedException {
        Wiring wiring = new Wiring(config.load());
        CountDownLatch ended = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(wiring::close, "stop"));
        wiring.start();
        ended.await();
        return 0;
    }
}
