package org.cellkeeper.cell.trust;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Which certificates a cell can use, and what is said of the others. */
final class IdentityTest {
    private static final Duration DAY = Duration.ofDays(1);
    private static final Authority AUTHORITY = Authority.create("an authority", DAY);
    private static final Authority OTHER = Authority.create("another authority", DAY);

    private static Identity of(Authority.Issued issued, Authority... believed) throws GeneralSecurityException {
        StringBuilder authorities = new StringBuilder();
        for (Authority each : believed) {
            authorities.append(Pem.text(each.certificate()));
        }
        return Identity.of(authorities.toString(), Pem.text(issued.certificate()), Pem.text(issued.key()));
    }

    @Test
    void theCertificateOfTheCellAtItsHostIsGood() throws Exception {
        Authority.Issued issued = AUTHORITY.issue("cell-1", List.of("10.0.0.1", "fd00::1", "db.example.com"), DAY);
        Identity identity = of(issued, OTHER, AUTHORITY);
        for (String host :
                List.of("10.0.0.1", "fd00::1", "fd00:0:0::1", "db.example.com", "DB.example.com", "cell-1")) {
            assertThat(identity.problem("cell-1", host)).as(host).isEmpty();
        }
        assertThat(identity).isEqualTo(of(issued, OTHER, AUTHORITY)).isNotEqualTo(of(issued, AUTHORITY));
    }

    @Test
    void whatIsWrongIsSaid() throws Exception {
        Authority.Issued issued = AUTHORITY.issue("cell-1", List.of("10.0.0.1"), DAY);
        assertThat(of(issued, AUTHORITY).problem("cell-2", "10.0.0.1"))
                .isEqualTo("the certificate is that of 'cell-1'; its common name (CN) must be the cell's name, cell-2");
        assertThat(of(issued, AUTHORITY).problem("cell-1", "10.0.0.2"))
                .isEqualTo(
                        "the certificate does not name the cell's host, 10.0.0.2, among its subject alternative names");
        assertThat(of(issued, OTHER).problem("cell-1", "10.0.0.1"))
                .startsWith("no authority in the CA file has signed the certificate");
        Authority.Issued old = AUTHORITY.issue("cell-1", List.of("10.0.0.1"), Duration.ofMinutes(-1));
        assertThat(of(old, AUTHORITY).problem("cell-1", "10.0.0.1")).startsWith("the certificate expired at ");
    }

    /** It tells whose stream it is by what it shows of the subject. */
    @Test
    void aSubjectThatPostgresWouldCutOffIsRefused() throws Exception {
        String longest = "c".repeat(62 - "/CN=".length());
        assertThat(of(AUTHORITY.issue(longest, List.of("10.0.0.1"), DAY), AUTHORITY)
                        .problem(longest, "10.0.0.1"))
                .isEmpty();
        String longer = longest + "c";
        assertThat(of(AUTHORITY.issue(longer, List.of("10.0.0.1"), DAY), AUTHORITY)
                        .problem(longer, "10.0.0.1"))
                .contains("subject has 63 bytes, and PostgreSQL tells 62");
    }

    @Test
    void aKeyOfAnotherCertificateIsRefused() {
        Authority.Issued one = AUTHORITY.issue("cell-1", List.of("10.0.0.1"), DAY);
        Authority.Issued other = AUTHORITY.issue("cell-1", List.of("10.0.0.1"), DAY);
        assertThatThrownBy(() -> of(new Authority.Issued(one.certificate(), other.key()), AUTHORITY))
                .hasMessageContaining("the key is not that of the first certificate");
    }

    @Test
    void aRequestIsSignedUnderTheNamesThatAreInIt() throws Exception {
        Authority.Request request = Authority.request("cell-3", List.of("10.0.0.3"));
        Authority.Issued issued = new Authority.Issued(AUTHORITY.issue(request.text(), DAY), request.key());
        assertThat(of(issued, AUTHORITY).problem("cell-3", "10.0.0.3")).isEmpty();
        assertThat(request.toString()).doesNotContain("PRIVATE");
        assertThatThrownBy(() -> AUTHORITY.issue("nonsense", DAY)).isInstanceOf(GeneralSecurityException.class);
    }

    @Test
    void anAuthorityIsFoundAgainInItsFiles() throws Exception {
        Authority again = Authority.of(Pem.text(AUTHORITY.certificate()), Pem.text(AUTHORITY.key()));
        Authority.Issued issued = again.issue("cell-1", List.of("10.0.0.1"), DAY);
        assertThat(of(issued, AUTHORITY).problem("cell-1", "10.0.0.1")).isEmpty();
        assertThatThrownBy(() -> Authority.of(Pem.text(issued.certificate()), Pem.text(issued.key())))
                .hasMessageContaining("not one of an authority");
    }

    @Test
    void theKeyIsNeverPrinted() throws Exception {
        Authority.Issued issued = AUTHORITY.issue("cell-1", List.of("10.0.0.1"), DAY);
        assertThat(of(issued, AUTHORITY).toString() + issued).doesNotContain("PRIVATE");
    }
}
