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

    /** The API's certificate chain and its key, as PEM. */
    List<String> certificate(String chain, String key);

    /** The list of ZooKeeper servers, by what this cell knows of its cluster. */
    List<String> servers(CellConfig config);
}
