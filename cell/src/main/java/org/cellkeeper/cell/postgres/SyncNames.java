package org.cellkeeper.cell.postgres;

import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.cellkeeper.cell.model.StreamName;
import org.cellkeeper.cell.model.SyncSetting;
import org.jspecify.annotations.Nullable;

/** {@link SyncSetting} as PostgreSQL writes it, {@code ANY 1 ("cell-2.0badcafe.7", "cell-3.cafebabe.7")}; stateless. */
final class SyncNames {
    static final String NOBODY = "ANY 1 (\"nobody\")";

    private static final Pattern FORM = Pattern.compile("ANY ([1-9][0-9]{0,3}) \\((\"[^\"]+\"(?:, \"[^\"]+\")*)\\)");

    private SyncNames() {}

    static String render(SyncSetting setting) {
        return setting.names().isEmpty()
                ? NOBODY
                : setting.names().stream()
                        .map(name -> '"' + name.toString() + '"')
                        .collect(Collectors.joining(", ", "ANY " + setting.acks() + " (", ")"));
    }

    /** Null when this is not a rule of ours, whatever PostgreSQL makes of it. */
    static @Nullable SyncSetting parse(@Nullable String text) {
        if (text == null) {
            return null;
        }
        if (text.equals(NOBODY)) {
            return SyncSetting.NOBODY;
        }
        Matcher matcher = FORM.matcher(text);
        if (!matcher.matches()) {
            return null;
        }
        TreeSet<StreamName> names = new TreeSet<>();
        for (String quoted : matcher.group(2).split(", ", -1)) {
            StreamName name = streamName(quoted.substring(1, quoted.length() - 1));
            if (name == null) {
                return null;
            }
            names.add(name);
        }
        return new SyncSetting(Integer.parseInt(matcher.group(1)), names);
    }

    /** What PostgreSQL says is in force. */
    static SyncSetting inForce(String text) {
        SyncSetting ours = parse(text);
        return ours == null ? SyncSetting.OTHER : ours;
    }

    static @Nullable StreamName streamName(@Nullable String applicationName) {
        if (applicationName == null) {
            return null;
        }
        try {
            StreamName name = StreamName.parse(applicationName);
            return name.toString().equals(applicationName) ? name : null;
        } catch (IllegalArgumentException notOurs) {
            return null;
        }
    }
}
