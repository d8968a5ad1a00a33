package org.cellkeeper.api;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** One page of the answer to {@code GET /cloudapi/1.0.0/cells}, by name. There are never associations. */
public record CellPage(
        int resultTotal,
        int pageCount,
        int page,
        int pageSize,
        @Nullable List<String> associations,
        List<RegisteredCell> values) {}
