package org.cellkeeper.cell.http;

import io.javalin.http.Context;
import java.util.List;

/** The part of a list that a request asks for: pages count from 1. */
record Page(int number, int size) {
    static Page of(Context ctx, int usualSize, int largestSize) {
        return new Page(
                Requests.number(ctx, "page", 1, 999_999), Requests.number(ctx, "pageSize", usualSize, largestSize));
    }

    <T> List<T> of(List<T> all) {
        return all.stream().skip((number - 1L) * size).limit(size).toList();
    }

    /** How many there are. */
    int count(List<?> all) {
        return (all.size() + size - 1) / size;
    }
}
