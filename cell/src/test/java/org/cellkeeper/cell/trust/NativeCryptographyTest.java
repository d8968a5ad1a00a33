package org.cellkeeper.cell.trust;

import static org.assertj.core.api.Assertions.assertThat;

import java.security.KeyPairGenerator;
import java.security.Security;
import java.security.Signature;
import javax.crypto.Cipher;
import javax.crypto.KeyAgreement;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

final class NativeCryptographyTest {
    private static final String NATIVE = "AmazonCorrettoCryptoProvider";

    @AfterEach
    void asBefore() {
        Security.removeProvider(NATIVE);
    }

    @Test
    void whatHandshakesTakeLongestWithIsNativeOnThisMachine() throws Exception {
        NativeCryptography.use();

        assertThat(KeyPairGenerator.getInstance("EC").getProvider().getName()).isEqualTo(NATIVE);
        assertThat(Signature.getInstance("SHA256withECDSA").getProvider().getName())
                .isEqualTo(NATIVE);
        assertThat(KeyAgreement.getInstance("ECDH").getProvider().getName()).isEqualTo(NATIVE);
        assertThat(Cipher.getInstance("AES/GCM/NoPadding").getProvider().getName())
                .isEqualTo(NATIVE);
    }
}
