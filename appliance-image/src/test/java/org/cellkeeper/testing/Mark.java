package org.cellkeeper.testing;

import com.github.dockerjava.api.DockerClient;
import com.github.dockerjava.api.async.ResultCallback;
import com.github.dockerjava.api.exception.ConflictException;
import com.github.dockerjava.api.exception.NotFoundException;
import com.github.dockerjava.api.model.Container;
import com.github.dockerjava.api.model.Frame;
import com.github.dockerjava.api.model.HealthCheck;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.testcontainers.DockerClientFactory;

/**
 * A cluster's mark on all that it has made in the Docker engine, and the proof that its maker still lives: a small container, the
 * keeper, that reads what its maker never says. It ends with the maker, on whatever machine and under whatever number that is a
 * process. What is marked is removed by its maker, or by others when the keeper has ended; where there is no keeper nothing is proved.
 */
final class Mark implements AutoCloseable {
    private static final String CLUSTER = "org.cellkeeper.testing.cluster";
    private static final String KEEPER = "org.cellkeeper.testing.keeper";
    private static final long ATTACHED_SECONDS = 30;
    private static final long SCRIPT_SECONDS = 60;

    private final String id;
    private final Silence silence = new Silence();
    private String keeperId = "";
    private ResultCallback.@Nullable Adapter<Frame> attached;

    /** Says nothing, until it ends. */
    private static final class Silence extends InputStream {
        private final CountDownLatch over = new CountDownLatch(1);

        @Override
        public int read() throws IOException {
            try {
                over.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IOException(e);
            }
            return -1;
        }

        @Override
        public int read(byte[] into, int offset, int length) throws IOException {
            return read();
        }

        @Override
        public void close() {
            over.countDown();
        }
    }

    Mark(String id) {
        this.id = id;
    }

    Map<String, String> labels() {
        return Map.of(CLUSTER, id);
    }

    /** Before anything is marked. */
    void keep(String image) {
        String keeper = docker().createContainerCmd(image)
                .withName(id + "-keeper")
                .withLabels(Map.of(KEEPER, id))
                .withEntrypoint("cat")
                .withHealthcheck(new HealthCheck().withTest(List.of("NONE")))
                .withStdinOpen(true)
                .withStdInOnce(true)
                .exec()
                .getId();
        attached = docker().attachContainerCmd(keeper)
                .withStdIn(silence)
                .withStdOut(true)
                .withFollowStream(true)
                .exec(new ResultCallback.Adapter<>());
        keeperId = keeper;
        docker().startContainerCmd(keeper).exec();
        try {
            if (!attached.awaitStarted(ATTACHED_SECONDS, TimeUnit.SECONDS)) {
                throw new IllegalStateException("the engine gives no access to " + id + "-keeper");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError("interrupted", e);
        }
    }

    /** What a script of the shell says that runs beside the cells, in their image. */
    String say(String script) {
        String run = docker().execCreateCmd(keeperId)
                .withCmd("sh", "-c", script)
                .withAttachStdout(true)
                .withAttachStderr(true)
                .exec()
                .getId();
        ByteArrayOutputStream said = new ByteArrayOutputStream();
        try (ResultCallback.Adapter<Frame> frames = new ResultCallback.Adapter<>() {
            @Override
            public void onNext(Frame frame) {
                said.writeBytes(frame.getPayload());
            }
        }) {
            boolean ended = docker().execStartCmd(run).exec(frames).awaitCompletion(SCRIPT_SECONDS, TimeUnit.SECONDS);
            Long code = docker().inspectExecCmd(run).exec().getExitCodeLong();
            if (!ended || code == null || code != 0) {
                throw new IllegalStateException(
                        "a script in the image ended with " + code + ": " + said.toString(StandardCharsets.UTF_8));
            }
            return said.toString(StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError("interrupted", e);
        }
    }

    /** Removes all that is marked. */
    @Override
    public void close() {
        silence.close();
        remove(id);
        if (attached != null) {
            try {
                attached.close();
            } catch (IOException gone) {
                // So is the container.
            }
        }
    }

    /** What was left by makers that have ended. */
    static void removeLeftovers() {
        for (Container keeper : containers(KEEPER, null)) {
            String id = keeper.getLabels().get(KEEPER);
            if (id != null && hasEnded(keeper, id)) {
                remove(id);
            }
        }
    }

    /** An end that somebody else has made of the keeper proves nothing, as long as a cell of the cluster runs. */
    private static boolean hasEnded(Container keeper, String id) {
        if (!"exited".equals(keeper.getState())) {
            return false;
        }
        try {
            Long code = docker().inspectContainerCmd(keeper.getId())
                    .exec()
                    .getState()
                    .getExitCodeLong();
            return Long.valueOf(0).equals(code)
                    || containers(CLUSTER, id).stream().noneMatch(cell -> "running".equals(cell.getState()));
        } catch (NotFoundException gone) {
            return false;
        }
    }

    private static void remove(String id) {
        containers(CLUSTER, id).forEach(Mark::remove);
        docker().listVolumesCmd()
                .withFilter("label", List.of(CLUSTER + "=" + id))
                .exec()
                .getVolumes()
                .forEach(found ->
                        ifThere(() -> docker().removeVolumeCmd(found.getName()).exec()));
        docker().listNetworksCmd().exec().stream()
                .filter(found ->
                        found.getLabels() != null && id.equals(found.getLabels().get(CLUSTER)))
                .forEach(found ->
                        ifThere(() -> docker().removeNetworkCmd(found.getId()).exec()));
        // Last, as nothing else tells the next one of what could not be removed.
        containers(KEEPER, id).forEach(Mark::remove);
    }

    private static List<Container> containers(String label, @Nullable String value) {
        return docker().listContainersCmd()
                .withShowAll(true)
                .withFilter("label", List.of(value == null ? label : label + "=" + value))
                .exec();
    }

    private static void remove(Container container) {
        ifThere(() -> docker().removeContainerCmd(container.getId())
                .withForce(true)
                .withRemoveVolumes(true)
                .exec());
    }

    private static void ifThere(Runnable removal) {
        try {
            removal.run();
        } catch (NotFoundException gone) {
            // It is to be gone.
        } catch (ConflictException used) {
            // Somebody else removes it, too.
        }
    }

    private static DockerClient docker() {
        return DockerClientFactory.lazyClient();
    }
}
