package org.cellkeeper.cell.zookeeper;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.zookeeper.server.quorum.QuorumPeerMain;
import org.cellkeeper.cell.wire.Json;

/**
 * The member of the ZooKeeper ensemble that runs beside a cell, as a process of its own: {@code main} reads its settings
 * from a file, writes {@code zoo.cfg} and {@code myid}, and becomes the server. It ends by SIGTERM or SIGKILL, and is
 * started again by whoever started it; it keeps nothing that a restart would lose.
 */
public final class ZooKeeperPeer {
    /** A small heap and few threads: the whole cluster state is some kilobytes. */
    private static final List<String> FOOTPRINT = List.of(
            "-Xms16m",
            "-Xmx96m",
            "-Xss256k",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-XX:ReservedCodeCacheSize=24m",
            "-XX:MaxMetaspaceSize=64m",
            "-XX:+ExitOnOutOfMemoryError",
            "-Dzookeeper.nio.numSelectorThreads=1",
            "-Dzookeeper.nio.numWorkerThreads=2",
            "-Dzookeeper.commitProcessor.numWorkerThreads=1",
            "-Dzookeeper.preAllocSize=1024",
            "-Dzookeeper.jmx.log4j.disable=true");

    /** What keeps an election short when a member is dead: by default it waits seconds for it. */
    private static final List<String> HASTE = List.of(
            "-Dzookeeper.cnxTimeout=500",
            "-Dzookeeper.fastleader.minNotificationInterval=100",
            "-Dzookeeper.fastleader.maxNotificationInterval=500",
            "-Dzookeeper.leaderConnectDelayDuringRetryMs=20",
            "-Dzookeeper.tcpKeepAlive=true",
            "-Dzookeeper.learner.closeSocketAsync=true",
            "-Dzookeeper.leader.closeSocketAsync=true");

    private ZooKeeperPeer() {}

    /** The command that runs a member; {@code settingsFile} holds {@link PeerSettings} as JSON. */
    public static List<String> command(Path java, String classPath, Path settingsFile) {
        List<String> command = new ArrayList<>();
        command.add(java.toString());
        command.addAll(FOOTPRINT);
        command.addAll(HASTE);
        command.addAll(List.of("-cp", classPath, ZooKeeperPeer.class.getName(), settingsFile.toString()));
        return command;
    }

    public static void main(String[] arguments) throws IOException, Json.Unreadable {
        if (arguments.length != 1) {
            throw new IllegalArgumentException("one argument is expected: the file with the settings");
        }
        PeerSettings settings = Json.read(Files.readAllBytes(Path.of(arguments[0])), PeerSettings.class);
        QuorumPeerMain.main(new String[] {prepare(settings).toString()});
    }

    /** Writes the server's own files; answers with its configuration. */
    static Path prepare(PeerSettings settings) throws IOException {
        Path folder = Path.of(settings.folder());
        Files.createDirectories(folder.resolve("data"));
        Files.writeString(folder.resolve("data").resolve("myid"), settings.self() + "\n");
        return Files.writeString(folder.resolve("zoo.cfg"), settings.configuration());
    }
}
