package org.cellkeeper.cell.postgres;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.SyncSetting;
import org.cellkeeper.cell.model.Upstream;
import org.jspecify.annotations.Nullable;

/**
 * The settings that change while PostgreSQL runs, in a file of our own that {@code postgresql.conf} includes: the commit
 * rule, the upstream, read-only. Written by the verb thread, read by any. It is never half written, and after a crash it is the
 * old one or the new one.
 */
final class SettingsFile {
    static final String NAME = "cellkeeper.conf";

    /**
     * What the file says.
     *
     * @param sync null when the rule is not one of ours
     * @param upstream null when there is none
     * @param conninfo of the upstream; empty when there is none
     * @param slot that is streamed through; empty when there is none
     */
    record Content(
            @Nullable SyncSetting sync, @Nullable Upstream upstream, String conninfo, String slot, boolean readOnly) {
        static final Content FIRST = new Content(SyncSetting.NOBODY, null, "", "", false);

        boolean detached() {
            return conninfo.isEmpty();
        }

        Content withSync(@Nullable SyncSetting newSync) {
            return new Content(newSync, upstream, conninfo, slot, readOnly);
        }

        Content withReadOnly(boolean newReadOnly) {
            return new Content(sync, upstream, conninfo, slot, newReadOnly);
        }

        Content withoutUpstream() {
            return new Content(sync, null, "", "", readOnly);
        }

        Content withUpstream(Upstream newUpstream, String newConninfo, String newSlot) {
            return new Content(sync, newUpstream, newConninfo, newSlot, readOnly);
        }
    }

    private static final Pattern UPSTREAM = Pattern.compile("# upstream: (\\S+) ([0-9]+) (\\S+) ([0-9]+)");
    private static final Pattern SETTING = Pattern.compile("([a-z_.]+) = '(.*)'");

    private final PostgresSettings settings;
    private final OwnedSettings owned;
    private final OwnedFiles files;
    private final AutoConf auto;
    private final Path dataDir;

    private record Read(FileStamp stamp, @Nullable Content content) {}

    private volatile @Nullable Read lastRead;
    /** All that PostgreSQL and its walreceiver read beside this file and what ALTER SYSTEM writes, by place. */
    private volatile Map<String, String> others;

    /** Those when they were last found to be ours. */
    private final Map<String, FileStamp> inOrder = new ConcurrentHashMap<>();

    SettingsFile(PostgresSettings settings, OwnedSettings owned, OwnedFiles files, Path dataDir) {
        this.auto = new AutoConf(settings, files, dataDir);
        this.settings = settings;
        this.owned = owned;
        this.files = files;
        this.dataDir = dataDir;
        this.others = others();
    }

    private Map<String, String> others() {
        Map<String, String> all = new TreeMap<>(owned.tls().content());
        if (owned.needsPassword()) {
            all.put(settings.passFile().toString(), owned.passLine());
        }
        all.put(HostRules.FILE, HostRules.text(settings.access()));
        all.put("pg_ident.conf", owned.ident());
        all.put(
                "postgresql.conf",
                "# Written by Cellkeeper: your settings belong into the cell's configuration.\ninclude '" + NAME
                        + "'\n");
        return Map.copyOf(all);
    }

    /** Writes the files that show the cell's certificate anew. */
    synchronized void renewCertificate() throws IOException {
        others = others();
        inOrder.clear();
        putRight();
    }

    /** What a stream shows may be another password by now. */
    synchronized void renewPassword() throws IOException {
        String file = settings.passFile().toString();
        if (owned.needsPassword() && !owned.passLine().equals(others.get(file))) {
            // There may be no data yet, and no folder for all the others.
            files.write(settings.passFile(), owned.passLine());
            others = others();
            inOrder.remove(file);
        }
    }

    AutoConf auto() {
        return auto;
    }

    /** Null when there is no file, or it is not ours. */
    @Nullable
    Content read() {
        Path file = dataDir.resolve(NAME);
        FileStamp stamp = FileStamp.of(file);
        Read last = lastRead;
        if (stamp != null && last != null && last.stamp.equals(stamp)) {
            return last.content;
        }
        String text = OwnedFiles.readable(file);
        if (stamp == null || text == null) {
            return null;
        }
        Content content = parse(text);
        lastRead = new Read(stamp, content);
        return content;
    }

    /** What a change starts from: that of a new instance when there is no file of ours. */
    Content current() {
        Content content = read();
        return content == null ? Content.FIRST : content;
    }

    Content following(Content content, Upstream upstream, CellId self) {
        return content.withUpstream(upstream, owned.conninfo(upstream, self), self.slotOn(upstream.primary()));
    }

    /** The same as an agent that is configured as this one would have written it. */
    Content renewed(Content content) {
        Upstream upstream = content.upstream();
        return upstream == null
                ? content
                : content.withUpstream(upstream, owned.renewed(content.conninfo(), upstream), content.slot());
    }

    /** Whether the file was written by an agent that was configured otherwise. */
    boolean isStale(Content content) {
        return !render(content).equals(OwnedFiles.readable(dataDir.resolve(NAME)));
    }

    /** Makes everything else that PostgreSQL reads ours, too. */
    void write(Content content) throws IOException {
        files.write(dataDir.resolve(NAME), render(content));
        putRight();
        auto.strikeOwned();
    }

    /** Puts right what somebody else has changed of the other files, at no cost while nobody has. Says which these were. */
    synchronized List<String> putRight() throws IOException {
        List<String> changed = new ArrayList<>();
        for (Map.Entry<String, String> other : others.entrySet()) {
            Path path = dataDir.resolve(other.getKey());
            FileStamp stamp = FileStamp.of(path);
            if (stamp != null && stamp.equals(inOrder.get(other.getKey()))) {
                continue;
            }
            if (stamp != null && !stamp.isPrivate()) {
                files.write(path, other.getValue());
                changed.add(other.getKey());
            } else if (files.writeIfDifferent(path, other.getValue())) {
                changed.add(other.getKey());
            } else if (stamp != null) {
                inOrder.put(other.getKey(), stamp);
            }
        }
        return changed;
    }

    String render(Content content) {
        StringBuilder text = new StringBuilder(4096);
        text.append("# Written by Cellkeeper, anew at every change.\n");
        Upstream upstream = content.upstream();
        if (upstream != null) {
            text.append("# upstream: %s %d %s %d%n"
                    .formatted(upstream.primary(), upstream.epoch(), upstream.host(), upstream.port()));
        }
        SyncSetting sync = content.sync();
        Map<String, String> all = new TreeMap<>(owned.defaults());
        all.putAll(settings.extra());
        all.putAll(owned.fixed());
        all.putAll(owned.reloadable());
        all.put("synchronous_standby_names", SyncNames.render(sync == null ? SyncSetting.NOBODY : sync));
        all.put("default_transaction_read_only", content.readOnly() ? "on" : "off");
        all.put("primary_conninfo", content.conninfo());
        all.put("primary_slot_name", content.slot());
        all.forEach((name, value) ->
                text.append(name).append(" = '").append(escape(value)).append("'\n"));
        return text.toString();
    }

    private static String escape(String value) {
        return value.replace("\\", "\\\\").replace("'", "''");
    }

    private static @Nullable Content parse(String text) {
        Upstream upstream = null;
        Map<String, String> values = new TreeMap<>();
        for (String line : text.lines().toList()) {
            Matcher comment = UPSTREAM.matcher(line);
            if (comment.matches()) {
                try {
                    upstream = new Upstream(
                            CellId.parse(comment.group(1)),
                            Long.parseLong(comment.group(2)),
                            comment.group(3),
                            Integer.parseInt(comment.group(4)));
                } catch (IllegalArgumentException notOurs) {
                    return null;
                }
            }
            Matcher setting = SETTING.matcher(line);
            if (setting.matches()) {
                values.put(setting.group(1), setting.group(2).replace("''", "'").replace("\\\\", "\\"));
            }
        }
        String conninfo = values.get("primary_conninfo");
        String slot = values.get("primary_slot_name");
        String readOnly = values.get("default_transaction_read_only");
        if (conninfo == null || slot == null || readOnly == null || conninfo.isEmpty() != (upstream == null)) {
            return null;
        }
        if (upstream != null && !slot.endsWith("_" + upstream.primary().incarnation())) {
            return null;
        }
        return new Content(
                SyncNames.parse(values.get("synchronous_standby_names")),
                upstream,
                conninfo,
                slot,
                readOnly.equals("on"));
    }
}
