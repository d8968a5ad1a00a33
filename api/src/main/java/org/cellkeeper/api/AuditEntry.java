package org.cellkeeper.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import org.jspecify.annotations.Nullable;

/**
 * One entry of {@code GET /audit}. Times are ISO 8601.
 *
 * @param until when it was so last, where {@code count} is more than 1
 * @param event {@code LOG_IN}, {@code LOG_OUT}, {@code CHANGE} or {@code REFUSED}
 * @param user null where none that there is was named
 * @param role null where it is not proven who asked
 * @param address from where; {@code several} where too many were refused to name them all
 * @param status what was answered
 * @param code of the problem that was answered; null where there was none
 * @param count how often the same was so
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record AuditEntry(
        String time,
        @Nullable String until,
        String event,
        @Nullable String user,
        @Nullable String role,
        String address,
        String method,
        String path,
        int status,
        @Nullable String code,
        long count) {}
