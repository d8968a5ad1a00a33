package org.cellkeeper.cell.postgres;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.sql.Connection;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;

/**
 * Somebody who can write to the share, knows how backups are made, has PostgreSQL too, and lacks the cluster's secret alone: turns a
 * backup into another one whose checksums all fit.
 */
final class Forger {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final PostgresBench bench;
    private final PostgresSettings settings;
    private final Programs programs;
    private final OwnedFiles files;
    private final Path workshop;

    Forger(PostgresBench bench) {
        this.bench = bench;
        this.settings = bench.settings("forger");
        this.programs = new Programs(settings);
        this.files = new OwnedFiles(settings.osUser());
        this.workshop = settings.dataDir().getParent();
    }

    /** What is done to the files of an unpacked backup. */
    interface Change {
        void of(Path data) throws IOException;
    }

    /** Has the superuser of the backup's own database say this. */
    void edit(Path bundle, String... statements) throws Exception {
        edit(bundle, data -> {}, statements);
    }

    void edit(Path bundle, Change change, String... statements) throws Exception {
        unpack(bundle);
        change.of(settings.dataDir());
        programs.complete(
                "pg_ctl",
                "start",
                "--silent",
                "--wait",
                "--pgdata=" + settings.dataDir(),
                "--log=" + workshop.resolve("log"));
        Path made = workshop.resolve("made");
        try {
            try (Connection session = bench.agent("forger", PostgresSettings.APPLICATION);
                    Statement statement = session.createStatement()) {
                for (String sql : statements) {
                    statement.execute(sql);
                }
            }
            programs.complete(
                    "pg_basebackup",
                    List.of(
                            "--pgdata=" + made,
                            "--format=tar",
                            "--compress=client-gzip:1",
                            "--checkpoint=fast",
                            "--manifest-checksums=SHA256",
                            "--host=" + settings.runDir(),
                            "--port=" + settings.port(),
                            "--username=" + PostgresSettings.SUPERUSER),
                    Map.of(),
                    line -> {});
        } finally {
            programs.complete("pg_ctl", "stop", "--silent", "--mode=immediate", "--pgdata=" + settings.dataDir());
        }
        replace(bundle, made);
    }

    /** Packs the files of a backup anew, with something in them that PostgreSQL would never have put there. */
    void pack(Path bundle, Change change) throws Exception {
        edit(bundle);
        Path made = workshop.resolve("made");
        Path tree = workshop.resolve("tree");
        files.makeFolder(tree, "rwx------");
        programs.complete(
                "/usr/bin/tar", "--extract", "--gzip", "--file=" + made.resolve("base.tar.gz"), "--directory=" + tree);
        change.of(tree);
        programs.complete(
                "/usr/bin/tar",
                "--create",
                "--gzip",
                "--file=" + made.resolve("base.tar.gz"),
                "--directory=" + tree,
                ".");
        replace(bundle, made);
    }

    private void unpack(Path bundle) throws IOException {
        OwnedFiles.deleteTree(workshop);
        Path data = settings.dataDir();
        for (Path folder : List.of(workshop, data, settings.runDir())) {
            files.makeFolder(folder, "rwx------");
        }
        for (Path file : list(bundle.resolve("base"))) {
            String name = file.getFileName().toString();
            if (name.endsWith(".tar.gz")) {
                Path here = workshop.resolve(name);
                Files.copy(file, here);
                files.own(here);
            }
        }
        untar("base.tar.gz", data);
        if (Files.exists(workshop.resolve("pg_wal.tar.gz"))) {
            untar("pg_wal.tar.gz", data.resolve("pg_wal"));
        }
        for (Path file : list(bundle.resolve("base"))) {
            String name = file.getFileName().toString();
            if (!name.endsWith(".tar.gz") && name.endsWith(".gz")) {
                Path segment = data.resolve("pg_wal").resolve(name.substring(0, name.length() - 3));
                try (InputStream in = new GZIPInputStream(Files.newInputStream(file))) {
                    Files.copy(in, segment);
                }
                files.own(segment);
            }
        }
        files.write(data.resolve("pg_hba.conf"), "local all all trust\nlocal replication all trust\n");
        files.write(data.resolve("postgresql.conf"), """
                listen_addresses = ''
                unix_socket_directories = '%s'
                port = %d
                fsync = off
                max_logical_replication_workers = 0
                max_prepared_transactions = 1000
                """.formatted(settings.runDir(), settings.port()));
    }

    private void untar(String name, Path into) {
        programs.complete(
                "/usr/bin/tar", "--extract", "--gzip", "--file=" + workshop.resolve(name), "--directory=" + into);
    }

    private static List<Path> list(Path folder) throws IOException {
        try (Stream<Path> all = Files.list(folder)) {
            return all.sorted().toList();
        }
    }

    private void replace(Path bundle, Path made) throws Exception {
        for (Path file : list(bundle.resolve("base"))) {
            Files.delete(file);
        }
        for (Path file : list(made)) {
            Files.copy(file, bundle.resolve("base").resolve(file.getFileName()));
        }
        manifest(bundle, manifest -> {});
    }

    /** What is said otherwise than it is so. */
    interface Lie {
        void in(ObjectNode manifest);
    }

    /** Writes a manifest that fits the files, and tells this lie. */
    static void manifest(Path bundle, Lie lie) throws Exception {
        Path file = bundle.resolve("manifest.json");
        JsonNode read = JSON.readTree(file.toFile());
        ObjectNode manifest = (ObjectNode) read;
        ArrayNode parts = manifest.putArray("files");
        List<Path> all = new ArrayList<>(list(bundle.resolve("base")));
        all.add(bundle.resolve("configuration.json"));
        for (Path part : all) {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(part));
            parts.addObject()
                    .put("name", bundle.relativize(part).toString())
                    .put("size", Files.size(part))
                    .put("sha256", HexFormat.of().formatHex(digest));
        }
        lie.in(manifest);
        Files.write(file, JSON.writeValueAsBytes(manifest));
    }

    static void overwrite(Path from, Path to) throws IOException {
        for (Path file : list(from)) {
            Files.copy(file, to.resolve(file.getFileName()), StandardCopyOption.REPLACE_EXISTING);
        }
    }

    static void copy(Path from, Path to) throws IOException {
        try (Stream<Path> all = Files.walk(from)) {
            for (Path path : all.toList()) {
                Files.copy(path, to.resolve(from.relativize(path).toString()), StandardCopyOption.COPY_ATTRIBUTES);
            }
        }
    }
}
