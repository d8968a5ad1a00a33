package org.cellkeeper.cell.backup;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.cellkeeper.cell.model.Backup;
import org.cellkeeper.cell.model.Signature;
import org.cellkeeper.cell.model.StoredBackup;
import org.cellkeeper.cell.port.BackupFailure;
import org.cellkeeper.cell.port.DatabaseArchive;
import org.cellkeeper.cell.wire.Json;
import org.jspecify.annotations.Nullable;

/**
 * A backup on the share, held open. Its manifest is read once, with its signature, and what is read of a file is held against that
 * manifest while it is read: what was proved is what is used.
 */
final class Bundle implements AutoCloseable {
    static final String MANIFEST = "manifest.json";
    static final String SIGNATURE = "manifest.hmac";
    static final String DATABASE = "base";

    private static final int LARGEST_MANIFEST = 16 << 20;
    private static final int LARGEST_SIGNATURE = 1 << 10;
    private static final Pattern NAME = Pattern.compile("(?:" + DATABASE + "/)?[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}");

    private final Folder folder;
    private final String name;
    private final StoredBackup stored;

    private Bundle(Folder folder, String name, Signatures signatures) throws IOException {
        this.folder = folder;
        this.name = name;
        byte[] manifest = content(folder, MANIFEST, LARGEST_MANIFEST);
        if (manifest == null) {
            throw new BackupFailure("its " + MANIFEST + " is missing");
        }
        Signature signature = signatures.of(manifest, content(folder, SIGNATURE, LARGEST_SIGNATURE));
        try {
            this.stored = new StoredBackup(Json.read(manifest, Backup.class), signature);
        } catch (Json.Unreadable e) {
            throw new BackupFailure("its " + MANIFEST + " cannot be read: " + e.getMessage(), e);
        }
    }

    /** Fails when it is none. */
    static Bundle open(Folder share, String name, Signatures signatures) {
        Folder folder = null;
        try {
            folder = share.folder(name);
            Bundle bundle = new Bundle(folder, name, signatures);
            String said = bundle.backup().name();
            if (!said.equals(name)) {
                throw new BackupFailure(name + " was made as " + said + ": give it that name back");
            }
            return bundle;
        } catch (IOException e) {
            close(folder);
            throw new BackupFailure(name + " cannot be read: " + e, e);
        } catch (BackupFailure e) {
            close(folder);
            throw e;
        }
    }

    private static void close(@Nullable Folder folder) {
        if (folder != null) {
            try {
                folder.close();
            } catch (IOException e) {
                // It was read only.
            }
        }
    }

    /** Null when there is none. */
    private static byte @Nullable [] content(Folder folder, String name, int most) throws IOException {
        BasicFileAttributes there = folder.look(name);
        if (there == null) {
            return null;
        }
        if (!there.isRegularFile()) {
            throw new BackupFailure("its " + name + " cannot be read: it is no file");
        }
        try (InputStream in = folder.read(name)) {
            byte[] content = in.readNBytes(most + 1);
            if (content.length > most) {
                throw new BackupFailure("its " + name + " cannot be read: it is too large");
            }
            return content;
        }
    }

    StoredBackup stored() {
        return stored;
    }

    Backup backup() {
        return stored.backup();
    }

    /** That it may be used, and that its files seem to be there: whether they are what was made is found while they are read. */
    void require(boolean acceptUnsigned) {
        if (!stored.signature().isEnough(acceptUnsigned)) {
            throw new BackupFailure(name + " is not used: " + stored.signature().inWords());
        }
        Set<String> names = new HashSet<>();
        for (Backup.Part part : backup().files()) {
            if (!NAME.matcher(part.name()).matches() || !names.add(part.name()) || part.size() < 0) {
                throw Checked.damaged(part, "is no file of it");
            }
            try (Folder holder = holder(part)) {
                BasicFileAttributes there = holder.look(last(part));
                if (there == null || !there.isRegularFile()) {
                    throw Checked.damaged(part, there == null ? "is missing" : "is no file");
                }
                if (there.size() != part.size()) {
                    throw Checked.damaged(part, "has " + there.size() + " bytes, " + part.size() + " were written");
                }
            } catch (IOException e) {
                throw unreadable(e);
            }
        }
    }

    private static BackupFailure unreadable(IOException e) {
        return new BackupFailure("the backup cannot be read: " + e + "; nothing was changed", e);
    }

    private static boolean isOfDatabase(Backup.Part part) {
        return part.name().startsWith(DATABASE + "/");
    }

    private static String last(Backup.Part part) {
        return part.name().substring(part.name().lastIndexOf('/') + 1);
    }

    private Folder holder(Backup.Part part) throws IOException {
        return folder.folder(isOfDatabase(part) ? DATABASE : ".");
    }

    private InputStream read(Backup.Part part) throws IOException {
        try (Folder holder = holder(part)) {
            return new Checked(part, holder.read(last(part)));
        }
    }

    /** That what is beside the copy of the database is what was made. */
    void proveTheRest() {
        for (Backup.Part part : backup().files()) {
            if (!isOfDatabase(part)) {
                try (InputStream in = read(part)) {
                    in.skipNBytes(part.size());
                    var _ = in.read();
                } catch (IOException e) {
                    throw unreadable(e);
                }
            }
        }
    }

    /** That of the database. */
    DatabaseArchive.Copy copy() {
        Map<String, Backup.Part> parts = new LinkedHashMap<>();
        backup().files().stream().filter(Bundle::isOfDatabase).forEach(part -> parts.put(last(part), part));
        Long told = backup().unpackedBytes();
        return new DatabaseArchive.Copy() {
            @Override
            public Map<String, Long> files() {
                Map<String, Long> sizes = new LinkedHashMap<>();
                parts.forEach((file, part) -> sizes.put(file, part.size()));
                return sizes;
            }

            @Override
            public long unpackedBytes() {
                return told == null ? 0 : told;
            }

            @Override
            public InputStream open(String file) throws IOException {
                Backup.Part part = parts.get(file);
                if (part == null) {
                    throw new BackupFailure("the backup has no " + file + "; nothing was changed, use another one");
                }
                return read(part);
            }
        };
    }

    @Override
    public void close() {
        close(folder);
    }
}
