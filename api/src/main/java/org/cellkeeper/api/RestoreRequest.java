package org.cellkeeper.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import org.jspecify.annotations.Nullable;

/**
 * The body of {@code POST /backups/{name}/restore}: the database is about to be replaced. It is confirmed by the backup's name, or by
 * where the transfer share comes from.
 *
 * @param confirm the backup's name once more
 * @param nfs what the asked cell's transfer share is mounted from, as {@code GET /mount} says it
 * @param httpCert whether a certificate is to come back; a backup holds none, so it makes no difference
 * @param consoleproxyCert the same
 * @param acceptUnsigned whether the backup is to be used though it has no signature of this cluster's
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record RestoreRequest(
        @Nullable String confirm,
        @Nullable String nfs,
        @Nullable Boolean httpCert,
        @Nullable Boolean consoleproxyCert,
        @Nullable Boolean acceptUnsigned) {
    public static RestoreRequest confirmed(String name, boolean acceptUnsigned) {
        return new RestoreRequest(name, null, null, null, acceptUnsigned ? true : null);
    }
}
