package org.cellkeeper.api;

/**
 * The answer to {@code POST /sessions}.
 *
 * @param token for {@code Authorization: Bearer}, at every cell
 * @param expiresAt ISO 8601
 */
public record SessionInfo(String token, String expiresAt) {
    public static final String HEADER = "X-VMWARE-VCLOUD-ACCESS-TOKEN";

    /** Without the token. */
    @Override
    public String toString() {
        return "SessionInfo[until " + expiresAt + "]";
    }
}
