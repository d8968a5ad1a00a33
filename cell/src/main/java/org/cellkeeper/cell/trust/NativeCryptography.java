package org.cellkeeper.cell.trust;

import com.amazon.corretto.crypto.provider.AmazonCorrettoCryptoProvider;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The signatures, key agreements and ciphers under the JDK's TLS as native code. Cells run without Java's optimizing compiler, and Java's
 * own take some ten times as long there. Where the native code does not run, Java's own does it.
 */
public final class NativeCryptography {
    /** What a JVM that uses it is started with. */
    public static final String FLAG = "--enable-native-access=ALL-UNNAMED";

    private static final Logger LOG = LoggerFactory.getLogger(NativeCryptography.class);

    private NativeCryptography() {}

    /** For this JVM, from now on. */
    public static void use() {
        AmazonCorrettoCryptoProvider.install();
        Throwable problem = AmazonCorrettoCryptoProvider.INSTANCE.getLoadingError();
        if (problem != null) {
            LOG.warn("cryptography is done in Java, which is slower: {}", problem.toString());
        }
    }
}
