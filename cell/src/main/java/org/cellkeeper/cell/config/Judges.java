package org.cellkeeper.cell.config;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * Whoever is to use a value judges it, where its form alone does not tell. Each answers with what is wrong, in words, and throws when that
 * cannot be known now.
 */
public interface Judges {
    /** The settings of PostgreSQL. */
    List<String> settings(Path binDir, String osUser, Map<String, String> settings);

    /** Lines of {@code pg_hba.conf}. */
    List<String> hba(Path binDir, String osUser, List<String> lines);

    /** The API's certificate chain and its key, as PEM. */
    List<String> certificate(String chain, String key);

    /** What a cell of this name, at this host, is to show the others and to believe, as PEM. */
    List<String> identity(String ca, String chain, String key, String cell, String host);

    /** The list of ZooKeeper servers, by what this cell knows of its cluster. */
    List<String> servers(CellConfig config);
}
