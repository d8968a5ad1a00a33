package org.cellkeeper.cell.config;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

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

    /** The same, of which PostgreSQL and the certificates are asked once about the same thing. */
    static Judges remembering(Judges judges) {
        return new Judges() {
            private @Nullable List<Object> aboutSettings;
            private List<String> ofSettings = List.of();
            private @Nullable List<Object> aboutCertificate;
            private List<String> ofCertificate = List.of();

            @Override
            public synchronized List<String> settings(Path binDir, String osUser, Map<String, String> settings) {
                List<Object> asked = List.of(binDir, osUser, settings);
                if (!asked.equals(aboutSettings)) {
                    ofSettings = judges.settings(binDir, osUser, settings);
                    aboutSettings = asked;
                }
                return ofSettings;
            }

            @Override
            public synchronized List<String> certificate(String chain, String key) {
                List<Object> asked = List.of(chain, key);
                if (!asked.equals(aboutCertificate)) {
                    ofCertificate = judges.certificate(chain, key);
                    aboutCertificate = asked;
                }
                return ofCertificate;
            }

            @Override
            public List<String> servers(CellConfig config) {
                return judges.servers(config);
            }
        };
    }
}
