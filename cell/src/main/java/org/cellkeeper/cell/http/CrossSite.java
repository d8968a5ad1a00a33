package org.cellkeeper.cell.http;

import io.javalin.http.Context;
import io.javalin.http.HandlerType;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Keeps other sites from asking in the name of whoever's browser shows them: it sends the password that it remembers with any request to a
 * cell. A browser says where a request comes from; programs say nothing of that, and are not kept from anything.
 */
final class CrossSite {
    private static final Set<String> OWN = Set.of("same-origin", "none");
    private static final Set<String> FORMS =
            Set.of("application/x-www-form-urlencoded", "multipart/form-data", "text/plain");

    private CrossSite() {}

    static void refuse(Context ctx) {
        boolean isRead = ctx.method().equals(HandlerType.GET) || ctx.method().equals(HandlerType.HEAD);
        String site = ctx.header("Sec-Fetch-Site");
        String origin = ctx.header("Origin");
        if (site != null && !OWN.contains(site) && !(isRead && isFollowedLink(ctx))) {
            throw refused("the browser says that another site asks (Sec-Fetch-Site)");
        }
        if (origin != null && !isOwn(origin, ctx.header("Host"))) {
            throw refused("another site asks (Origin)");
        }
        if (!isRead && FORMS.contains(mediaType(ctx.contentType()))) {
            throw refused(
                    "forms of any site can send a body of this kind: send it with Content-Type: application/json");
        }
    }

    /** Somebody looks at the answer; the site that has the link does not. */
    private static boolean isFollowedLink(Context ctx) {
        return "navigate".equals(ctx.header("Sec-Fetch-Mode")) && "document".equals(ctx.header("Sec-Fetch-Dest"));
    }

    private static boolean isOwn(String origin, @Nullable String host) {
        return host != null && origin.equalsIgnoreCase("https://" + host);
    }

    private static String mediaType(@Nullable String contentType) {
        return contentType == null ? "" : contentType.split(";", 2)[0].strip().toLowerCase(Locale.ROOT);
    }

    private static RequestProblem refused(String why) {
        return new RequestProblem(403, "Not allowed", "cross-site", why);
    }
}
