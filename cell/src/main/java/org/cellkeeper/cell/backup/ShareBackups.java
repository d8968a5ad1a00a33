package org.cellkeeper.cell.backup;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.FileChannel;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.LinkOption;
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
import java.util.function.Function;
import java.util.function.IntConsumer;
import java.util.stream.Stream;
import org.cellkeeper.cell.model.Backup;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.Signature;
import org.cellkeeper.cell.model.StoredBackup;
import org.cellkeeper.cell.port.BackupFailure;
import org.cellkeeper.cell.port.Backups;
import org.cellkeeper.cell.port.DatabaseArchive;
import org.cellkeeper.cell.wire.Json;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Backups as folders of the transfer share: a copy of the database, the cell's configuration, a manifest with the checksum of each
 * file, and its signature. One in the making, or about to be deleted, has a name that begins with a dot. Nothing on the share is
 * trusted that the signature does not vouch for. Safe for any thread.
 */
public final class ShareBackups implements Backups {
    private static final Logger LOG = LoggerFactory.getLogger(ShareBackups.class);
    private static final String CONFIGURATION = "configuration.json";
    private static final String PARTIAL = ".partial-";
    private static final String DELETED = ".deleted-";

    private final @Nullable Path folder;
    private final DatabaseArchive archive;
    private final CellName cell;
    private final String version;
    private final byte[] configuration;
    private final Signatures signatures;

    /**
     * @param folder where the share is mounted; null when there is none
     * @param configuration this cell's, as JSON, without any secret
     * @param signatures by the cluster's key, which is nowhere on the share
     */
    public ShareBackups(
            @Nullable Path folder,
            DatabaseArchive archive,
            CellName cell,
            String version,
            byte[] configuration,
            Signatures signatures) {
        this.folder = folder;
        this.archive = archive;
        this.cell = cell;
        this.version = version;
        this.configuration = configuration.clone();
        this.signatures = signatures;
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
    public List<StoredBackup> list() {
        List<StoredBackup> found = new ArrayList<>();
        Path path = folder();
        try (Folder share = Folder.share(path)) {
            for (String name : bundles(path)) {
                try (Bundle bundle = Bundle.open(share, name, signatures)) {
                    found.add(bundle.stored());
                } catch (BackupFailure e) {
                    LOG.warn("Not a backup: {}: {}", name, e.getMessage());
                }
            }
        } catch (IOException e) {
            throw unreadable(e);
        }
        found.sort(Comparator.comparing((StoredBackup stored) -> stored.backup().date())
                .thenComparing(stored -> stored.backup().name())
                .reversed());
        return List.copyOf(found);
    }

    @Override
    public Signature signature(String name) {
        return using(name, bundle -> bundle.stored().signature());
    }

    @Override
    public String damage(String name) {
        Path path = folder();
        boolean written = names(path).contains(name)
                && (Files.exists(path.resolve(name).resolve(Bundle.MANIFEST))
                        || Files.exists(path.resolve(name).resolve(Bundle.DATABASE)));
        if (!written) {
            return "";
        }
        try (Folder share = Folder.share(path);
                Bundle _ = Bundle.open(share, name, signatures)) {
            return "";
        } catch (BackupFailure e) {
            return String.valueOf(e.getMessage());
        } catch (IOException e) {
            throw unreadable(e);
        }
    }

    private static BackupFailure unreadable(IOException e) {
        return new BackupFailure("the transfer share cannot be read: " + e.getMessage(), e);
    }

    private static List<String> bundles(Path share) {
        return names(share).stream()
                .filter(name -> Files.exists(share.resolve(name).resolve(Bundle.MANIFEST), LinkOption.NOFOLLOW_LINKS))
                .toList();
    }

    private static List<String> names(Path share) {
        try (Stream<Path> all = Files.list(share)) {
            return all.map(path -> path.getFileName().toString())
                    .filter(name -> !name.startsWith("."))
                    .toList();
        } catch (IOException e) {
            throw unreadable(e);
        }
    }

    /** A name comes from a request: only one that is listed is ever made a path of. */
    private static void requireListed(Path share, String name) {
        if (!bundles(share).contains(name)) {
            throw new BackupFailure("there is no backup " + name);
        }
    }

    private <T> T using(String name, Function<Bundle, T> use) {
        Path path = folder();
        requireListed(path, name);
        try (Folder share = Folder.share(path);
                Bundle bundle = Bundle.open(share, name, signatures)) {
            return use.apply(bundle);
        } catch (IOException e) {
            throw unreadable(e);
        }
    }

    // ---- making one

    @Override
    public Backup create(String name, IntConsumer percent) {
        Path path = folder();
        try (Folder share = Folder.share(path)) {
            sweep(path, share);
            if (share.look(name) != null) {
                throw new BackupFailure("there is a backup " + name + " already");
            }
            Path partial = path.resolve(PARTIAL + name);
            makeFolder(partial);
            try {
                Backup made;
                try (Folder folder = share.folder(PARTIAL + name)) {
                    makeFolder(partial.resolve(Bundle.DATABASE));
                    made = fill(name, folder, percent);
                }
                sync(partial.resolve(Bundle.DATABASE));
                sync(partial);
                percent.accept(99);
                Files.move(partial, path.resolve(name), StandardCopyOption.ATOMIC_MOVE);
                sync(path);
                return made;
            } finally {
                share.delete(PARTIAL + name);
            }
        } catch (IOException e) {
            throw new BackupFailure("the backup could not be written: " + e.getMessage(), e);
        }
    }

    private static void makeFolder(Path folder) throws IOException {
        Files.createDirectory(
                folder, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    }

    private Backup fill(String name, Folder folder, IntConsumer percent) throws IOException {
        List<Backup.Part> files = new ArrayList<>();
        DatabaseArchive.Origin origin;
        try (Folder database = folder.folder(Bundle.DATABASE)) {
            origin = archive.backUp(
                    file -> new Written(Bundle.DATABASE + "/" + file, database.make(file), files::add),
                    done -> percent.accept(done * 90 / 100));
        }
        try (OutputStream out = new Written(CONFIGURATION, folder.make(CONFIGURATION), files::add)) {
            out.write(configuration);
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
                origin.unpackedBytes(),
                files,
                origin.warnings());
        byte[] manifest = Json.write(made);
        try (OutputStream out = folder.make(Bundle.SIGNATURE)) {
            out.write(signatures.sign(manifest));
        }
        try (OutputStream out = folder.make(Bundle.MANIFEST)) {
            out.write(manifest);
        }
        return made;
    }

    private static void sync(Path folder) throws IOException {
        try (FileChannel channel = FileChannel.open(folder, Set.of(StandardOpenOption.READ))) {
            channel.force(true);
        }
    }

    /** One backup is made at a time in a cluster: what else lies there half done has been left by a cell that is gone. */
    private static void sweep(Path path, Folder share) throws IOException {
        List<String> left;
        try (Stream<Path> all = Files.list(path)) {
            left = all.map(file -> file.getFileName().toString())
                    .filter(name -> name.startsWith(PARTIAL) || name.startsWith(DELETED))
                    .toList();
        }
        for (String name : left) {
            LOG.info("Removing what is left of {}", name);
            share.delete(name);
        }
    }

    // ---- bringing one back

    @Override
    public String restore(String name, boolean acceptUnsigned, IntConsumer percent) {
        return using(name, bundle -> {
            bundle.require(acceptUnsigned);
            bundle.proveTheRest();
            return archive.restore(bundle.copy(), bundle.backup().databaseBytes(), percent);
        });
    }

    @Override
    public DatabaseArchive.Room roomToCheck(String name, boolean acceptUnsigned) {
        return using(name, bundle -> {
            bundle.require(acceptUnsigned);
            return archive.roomToCheck(bundle.copy());
        });
    }

    @Override
    public List<String> check(String name, boolean acceptUnsigned, IntConsumer percent) {
        return using(name, bundle -> {
            bundle.require(acceptUnsigned);
            bundle.proveTheRest();
            return archive.check(bundle.copy(), percent);
        });
    }

    @Override
    public void delete(String name) {
        Path path = folder();
        requireListed(path, name);
        try (Folder share = Folder.share(path)) {
            Files.move(path.resolve(name), path.resolve(DELETED + name), StandardCopyOption.ATOMIC_MOVE);
            share.delete(DELETED + name);
        } catch (IOException e) {
            throw new BackupFailure("the backup could not be removed: " + e.getMessage(), e);
        }
    }

    @Override
    public void tidy() {
        archive.tidy();
    }
}
