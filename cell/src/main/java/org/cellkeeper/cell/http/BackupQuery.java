package org.cellkeeper.cell.http;

import io.javalin.http.Context;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.cellkeeper.cell.model.Backup;
import org.cellkeeper.cell.model.StoredBackup;

/**
 * Which backups a list is to hold, and in which order.
 *
 * @param filter FIQL, as far as the dates and versions of backups need it
 */
record BackupQuery(Page page, Predicate<Backup> filter, boolean oldestFirst) {
    private static final int PAGE_SIZE = 20;
    private static final int LARGEST_PAGE = 100;
    private static final Pattern TERM = Pattern.compile("(date|version)(==|=(?:eq|ge|gt|le|lt)=)(.+)");
    private static final String RIGHT =
            "date=ge=2026-01-02T12:00:00Z (or gt, le, lt, eq), version==0.1.0, or some of these"
                    + " with ; between them, all of which must be so";

    static BackupQuery of(Context ctx) {
        String ascending = ctx.queryParam("sortAsc");
        String descending = ctx.queryParam("sortDesc");
        for (String name : List.of("sortAsc", "sortDesc")) {
            String by = ctx.queryParam(name);
            if (by != null && !by.equals("date")) {
                throw Requests.wrong(name, by, "date");
            }
        }
        if (ascending != null && descending != null) {
            throw Requests.wrong("sortAsc", ascending, "left out where there is sortDesc, or the other way round");
        }
        String filter = ctx.queryParam("filter");
        return new BackupQuery(
                Page.of(ctx, PAGE_SIZE, LARGEST_PAGE),
                filter == null ? backup -> true : filter(filter),
                ascending != null);
    }

    private static Predicate<Backup> filter(String text) {
        Predicate<Backup> all = backup -> true;
        for (String term : text.split(";", -1)) {
            all = all.and(term(text, term));
        }
        return all;
    }

    private static Predicate<Backup> term(String text, String term) {
        Matcher parts = TERM.matcher(term);
        if (!parts.matches()) {
            throw Requests.wrong("filter", text, RIGHT);
        }
        String operator = parts.group(2);
        String value = parts.group(3);
        if (parts.group(1).equals("version")) {
            if (!operator.equals("==")) {
                throw Requests.wrong("filter", text, RIGHT);
            }
            return backup -> backup.version().equals(value);
        }
        Instant date;
        try {
            // A plus that the client did not encode has become a blank.
            date = OffsetDateTime.parse(value.replace(' ', '+')).toInstant();
        } catch (DateTimeException e) {
            throw Requests.wrong("filter", text, RIGHT);
        }
        return backup -> {
            int order = backup.date().truncatedTo(ChronoUnit.MILLIS).compareTo(date);
            return switch (operator) {
                case "=ge=" -> order >= 0;
                case "=gt=" -> order > 0;
                case "=le=" -> order <= 0;
                case "=lt=" -> order < 0;
                default -> order == 0;
            };
        };
    }

    /** All that it lets through, of any page. */
    List<StoredBackup> among(List<StoredBackup> newestFirst) {
        List<StoredBackup> found = newestFirst.stream()
                .filter(stored -> filter.test(stored.backup()))
                .toList();
        return oldestFirst ? found.reversed() : found;
    }
}
