package org.cellkeeper.cell.http;

import io.javalin.http.Context;
import org.cellkeeper.cell.model.ApiUser;
import org.jspecify.annotations.Nullable;

/**
 * Who asks.
 *
 * @param session null for one who came with a password
 */
record Caller(Users.Known known, AccessTokens.@Nullable Session session) {
    private static final String CALLER = "caller";

    /** Null while it is not known. */
    static @Nullable Caller of(Context ctx) {
        return ctx.attribute(CALLER);
    }

    void asks(Context ctx) {
        ctx.attribute(CALLER, this);
    }

    String name() {
        return known.user().name();
    }

    ApiUser.Role role() {
        return known.user().role();
    }
}
