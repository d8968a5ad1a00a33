package org.cellkeeper.cell.postgres;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.cellkeeper.cell.port.DatabaseArchive;

/** A copy as files in a folder, which nobody vouches for. */
record FolderCopy(Path folder, long unpackedBytes) implements DatabaseArchive.Copy {
    static DatabaseArchive.Copy of(Path folder, long unpackedBytes) {
        return new FolderCopy(folder, unpackedBytes);
    }

    static DatabaseArchive.Origin make(DatabaseArchive archive, Path folder) {
        try {
            Files.createDirectory(folder);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return archive.backUp(
                name -> Files.newOutputStream(folder.resolve(name), StandardOpenOption.CREATE_NEW), percent -> {});
    }

    @Override
    public Map<String, Long> files() {
        Map<String, Long> sizes = new TreeMap<>();
        try (Stream<Path> all = Files.list(folder)) {
            for (Path file : (Iterable<Path>) all::iterator) {
                sizes.put(file.getFileName().toString(), Files.size(file));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return sizes;
    }

    @Override
    public InputStream open(String name) throws IOException {
        return Files.newInputStream(folder.resolve(name));
    }
}
