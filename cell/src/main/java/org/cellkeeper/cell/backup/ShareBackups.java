package org.cellkeeper.cell.backup;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.function.IntConsumer;
import java.util.stream.Stream;
import org.cellkeeper.cell.model.Backup;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.port.BackupFailure;
import org.cellkeeper.cell.port.Backups;
import org.cellkeeper.cell.port.DatabaseArchive;
import org.cellkeeper.cell.wire.Json;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Backups as folders of the transfer share: a copy of the database, the cell's configuration, and a manifest with the checksum
 * of each file. One in the making, or about to be deleted, has a name that begins with a dot. Safe for any thread.
 */
public final class ShareBackups implements Backups {
    private static final Logger LOG = LoggerFactory.getLogger(ShareBackups.class);
    private static final String MANIFEST = "manifest.json";
    private static final String DATABASE = "base";
    private static final String PARTIAL = ".partial-";
    private static final String DELETED = ".deleted-";
    private static final long LARGEST_MANIFEST = 1 << 20;

    private final @Nullable Path folder;
    private final DatabaseArchive archive;
    private final CellName cell;
    private final String version;
    private final byte[] configuration;

    /**
     * @param folder where the share is mounted; null when there is none
     * @param configuration this cell's, as JSON, without any secret
     */
    public ShareBackups(
            @Nullable Path folder, DatabaseArchive archive, CellName cell, String version, byte[] configuration) {
        this.folder = folder;
        this.archive = archive;
        this.cell = cell;
        this.version = version;
        this.configuration = configuration.clone();
    }

    @Override
    public Share share() {
        Path path = folder;
        if (path == null) {
            return unusable(null, "there is no transfer share: set transfer.folder on every cell");
        }
        if (!Files.isDirectory(path)) {
            return unusable(path, path + " is no folder: mount the transfer share there");
        }
        if (!Files.isWritable(path)) {
            return unusable(path, path + " cannot be written by the agent's user");
        }
        try {
            FileStore store = Files.getFileStore(path);
            return new Share(
                    true,
                    path,
                    store.type().startsWith("nfs") ? store.name() : "",
                    store.getTotalSpace(),
                    store.getTotalSpace() - store.getUnallocatedSpace(),
                    store.getUsableSpace(),
                    "backups are kept there");
        } catch (IOException e) {
            return unusable(path, path + " cannot be looked at: " + e.getMessage());
        }
    }

    private static Share unusable(@Nullable Path path, String detail) {
        return new Share(false, path, "", 0, 0, 0, detail);
    }

    private Path folder() {
        Share share = share();
        Path path = share.folder();
        if (!share.usable() || path == null) {
            throw new BackupFailure(share.detail());
        }
        return path;
    }

    // ---- reading

    @Override
    public List<Backup> list() {
        List<Backup> found = new ArrayList<>();
        for (Path bundle : bundles(folder())) {
            try {
                found.add(manifest(bundle));
            } catch (BackupFailure e) {
                LOG.warn("Not a backup: {}", e.getMessage());
            }
        }
        found.sort(
                Comparator.comparing(Backup::date).thenComparing(Backup::name).reversed());
        return List.copyOf(found);
    }

    @Override
    public String damage(String name) {
        for (Path folder : folders(folder())) {
            boolean written = Files.exists(folder.resolve(MANIFEST)) || Files.exists(folder.resolve(DATABASE));
            if (folder.getFileName().toString().equals(name) && written) {
                try {
                    manifest(folder);
                } catch (BackupFailure e) {
                    return String.valueOf(e.getMessage());
                }
            }
        }
        return "";
    }

    private static List<Path> bundles(Path share) {
        return folders(share).stream()
                .filter(path -> Files.exists(path.resolve(MANIFEST)))
                .toList();
    }

    private static List<Path> folders(Path share) {
        try (Stream<Path> all = Files.list(share)) {
            return all.filter(path -> !path.getFileName().toString().startsWith("."))
                    .toList();
        } catch (IOException e) {
            throw new BackupFailure("the transfer share cannot be read: " + e.getMessage(), e);
        }
    }

    private static Backup manifest(Path bundle) {
        Path file = bundle.resolve(MANIFEST);
        try {
            if (Files.size(file) > LARGEST_MANIFEST) {
                throw new BackupFailure(file + " is no manifest: it is too large");
            }
            Backup said = Json.read(Files.readAllBytes(file), Backup.class);
            if (!said.name().equals(bundle.getFileName().toString())) {
                throw new BackupFailure(bundle + " was made as " + said.name() + ": give it that name back");
            }
            return said;
        } catch (NoSuchFileException e) {
            throw new BackupFailure(file + " is missing", e);
        } catch (IOException | Json.Unreadable e) {
            throw new BackupFailure(file + " cannot be read: " + e.getMessage(), e);
        }
    }

    /** A name comes from a request: only one that is listed is ever made a path of. */
    private Path bundle(String name) {
        return bundles(folder()).stream()
                .filter(path -> path.getFileName().toString().equals(name))
                .findFirst()
                .orElseThrow(() -> new BackupFailure("there is no backup " + name));
    }

    // ---- making one

    @Override
    public Backup create(String name, IntConsumer percent) {
        Path share = folder();
        Path whole = share.resolve(name);
        Path partial = share.resolve(PARTIAL + name);
        try {
            sweep(share);
            if (Files.exists(whole)) {
                throw new BackupFailure("there is a backup " + name + " already");
            }
            // PostgreSQL's user goes through to a folder of its own; only the agent's may list this one.
            Files.createDirectory(partial);
            Files.setPosixFilePermissions(partial, PosixFilePermissions.fromString("rwx--x--x"));
            try {
                Backup made = fill(name, partial, percent);
                Files.move(partial, whole, StandardCopyOption.ATOMIC_MOVE);
                sync(share);
                return made;
            } finally {
                Folders.delete(partial);
            }
        } catch (IOException e) {
            throw new BackupFailure("the backup could not be written: " + e.getMessage(), e);
        }
    }

    private Backup fill(String name, Path partial, IntConsumer percent) throws IOException {
        DatabaseArchive.Origin origin =
                archive.backUp(partial.resolve(DATABASE), done -> percent.accept(done * 80 / 100));
        write(partial.resolve("configuration.json"), configuration);
        percent.accept(80);
        List<Backup.Part> files = new ArrayList<>();
        for (Path file : Folders.files(partial)) {
            files.add(new Backup.Part(partial.relativize(file).toString(), Files.size(file), Checksums.of(file)));
        }
        Backup made = new Backup(
                name,
                Instant.now().truncatedTo(ChronoUnit.MILLIS),
                cell,
                version,
                origin.postgresVersion(),
                origin.systemId(),
                origin.timeline(),
                origin.lsn(),
                origin.databaseBytes(),
                files,
                origin.warnings());
        write(partial.resolve(MANIFEST), Json.write(made));
        sync(partial);
        percent.accept(99);
        return made;
    }

    private static void write(Path file, byte[] bytes) throws IOException {
        Files.write(file, bytes, StandardOpenOption.CREATE_NEW);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            channel.force(true);
        }
    }

    private static void sync(Path folder) throws IOException {
        try (FileChannel channel = FileChannel.open(folder, Set.of(StandardOpenOption.READ))) {
            channel.force(true);
        }
    }

    /** One backup is made at a time in a cluster: what else lies there half done has been left by a cell that is gone. */
    private static void sweep(Path share) throws IOException {
        try (Stream<Path> all = Files.list(share)) {
            for (Path path : all.toList()) {
                String name = path.getFileName().toString();
                if (name.startsWith(PARTIAL) || name.startsWith(DELETED)) {
                    LOG.info("Removing what is left of {}", name);
                    Folders.delete(path);
                }
            }
        }
    }

    // ---- bringing one back

    @Override
    public String restore(String name, IntConsumer percent) {
        Path bundle = bundle(name);
        Backup backup = manifest(bundle);
        verify(bundle, backup.files());
        percent.accept(10);
        return archive.restore(
                bundle.resolve(DATABASE), backup.databaseBytes(), done -> percent.accept(10 + done * 89 / 100));
    }

    @Override
    public DatabaseArchive.Room roomToCheck(String name) {
        Path bundle = bundle(name);
        // What it says is only as good as the file that it is taken from.
        verify(
                bundle,
                manifest(bundle).files().stream()
                        .filter(part -> part.name().equals(DATABASE + "/backup_manifest"))
                        .toList());
        return archive.roomToCheck(bundle.resolve(DATABASE));
    }

    @Override
    public List<String> check(String name, IntConsumer percent) {
        Path bundle = bundle(name);
        verify(bundle, manifest(bundle).files());
        percent.accept(10);
        return archive.check(bundle.resolve(DATABASE), done -> percent.accept(10 + done * 89 / 100));
    }

    private static void verify(Path bundle, List<Backup.Part> parts) {
        for (Backup.Part part : parts) {
            try {
                String damage = damage(bundle, part);
                if (!damage.isEmpty()) {
                    throw new BackupFailure("the backup is damaged: " + part.name() + " " + damage
                            + "; nothing was changed, use another one");
                }
            } catch (IOException e) {
                throw new BackupFailure("the backup cannot be read: " + e + "; nothing was changed", e);
            }
        }
    }

    /** Empty when it is what was written. */
    private static String damage(Path bundle, Backup.Part part) throws IOException {
        Path file = bundle.resolve(part.name()).normalize();
        if (!file.startsWith(bundle)) {
            return "is no file of it";
        }
        if (!Files.isRegularFile(file)) {
            return "is missing";
        }
        if (Files.size(file) != part.size()) {
            return "has " + Files.size(file) + " bytes, " + part.size() + " were written";
        }
        return Checksums.of(file).equals(part.sha256()) ? "" : "is not what was written";
    }

    @Override
    public void delete(String name) {
        Path bundle = bundle(name);
        Path gone = bundle.resolveSibling(DELETED + name);
        try {
            Files.move(bundle, gone, StandardCopyOption.ATOMIC_MOVE);
            Folders.delete(gone);
        } catch (IOException e) {
            throw new BackupFailure("the backup could not be removed: " + e.getMessage(), e);
        }
    }

    @Override
    public void tidy() {
        archive.tidy();
    }
}
