package org.cellkeeper.cell.wire;

import java.io.IOException;
import java.io.InputStream;
import java.net.JarURLConnection;
import java.net.URL;
import java.net.URLConnection;
import java.time.Instant;
import java.util.Objects;
import java.util.jar.JarFile;

/** Which build of the program this is. */
public final class Build {
    private Build() {}

    /** What the build wrote into the archive's manifest. */
    public static String version() {
        return Objects.requireNonNullElse(Build.class.getPackage().getImplementationVersion(), "not packaged");
    }

    /** When the program was put together: the time of this class, in its archive or its folder. */
    public static Instant time() {
        try {
            URL place = Objects.requireNonNull(Build.class.getResource("Build.class"));
            URLConnection file = place.openConnection();
            file.setUseCaches(false);
            if (file instanceof JarURLConnection archived) {
                try (JarFile archive = archived.getJarFile()) {
                    return archive.getJarEntry(archived.getEntryName())
                            .getLastModifiedTime()
                            .toInstant();
                }
            }
            try (InputStream _ = file.getInputStream()) {
                return Instant.ofEpochMilli(file.getLastModified());
            }
        } catch (IOException e) {
            return Instant.EPOCH;
        }
    }
}
