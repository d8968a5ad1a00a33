package org.cellkeeper.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import org.jspecify.annotations.Nullable;

/**
 * A cell in the answer to {@code GET /fips}, and the body of {@code PUT /fips/{name}}, in which nothing is needed but what is to be
 * changed.
 *
 * @param name of the cell
 * @param ip its host, as it is configured
 * @param applianceFips of its operating system: ON or OFF; null of another cell than the one that was asked
 * @param cellFips of its program: OFF, as it has no such mode
 * @param fipsMode the same, in small letters
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record FipsInfo(
        @Nullable String name,
        @Nullable String ip,
        @Nullable String applianceFips,
        @Nullable String cellFips,
        @Nullable String fipsMode) {}
