package org.cellkeeper.cell.cli;

import java.util.ArrayList;
import java.util.List;
import org.cellkeeper.api.Cluster;
import org.cellkeeper.api.Cluster.Node;
import org.jspecify.annotations.Nullable;

/** The cluster for the eye: one headline, one line per cell, the warnings. */
final class StatusText {
    private static final List<String> HEAD =
            List.of("CELL", "ROLE", "STATE", "TIMELINE", "LSN", "LAG", "HEALTH", "DETAILS");
    private final boolean colours;

    StatusText(boolean colours) {
        this.colours = colours;
    }

    private record Cell(String text, Ansi paint) {}

    String of(Cluster cluster) {
        StringBuilder text = new StringBuilder();
        headline(text, cluster);
        table(text, cluster);
        for (String warning : cluster.warnings()) {
            text.append(Ansi.WORSE.on("! ", colours)).append(warning).append('\n');
        }
        return text.toString();
    }

    private void headline(StringBuilder text, Cluster cluster) {
        String primary = cluster.primary();
        text.append(health(cluster.localClusterHealth()).on(cluster.localClusterHealth(), colours))
                .append("  mode ")
                .append(Ansi.LOUD.on(cluster.localClusterFailover(), colours))
                .append("  epoch ")
                .append(cluster.epoch())
                .append("  primary ")
                .append(Ansi.LOUD.on(primary == null ? "none" : primary, colours))
                .append("  acknowledgements ")
                .append(cluster.acks())
                .append("  can survive the loss of ")
                .append(cluster.canSurvive());
        if (!cluster.phase().equals("STEADY")) {
            text.append("  ").append(Ansi.WORSE.on(cluster.phase(), colours));
        }
        text.append("\n\n");
    }

    private void table(StringBuilder text, Cluster cluster) {
        List<List<Cell>> rows = new ArrayList<>();
        rows.add(HEAD.stream().map(title -> new Cell(title, Ansi.FAINT)).toList());
        for (Node node : cluster.localClusterState()) {
            rows.add(row(node));
        }
        int[] width = new int[HEAD.size()];
        for (List<Cell> row : rows) {
            for (int column = 0; column < width.length; column++) {
                width[column] = Math.max(width[column], row.get(column).text().length());
            }
        }
        for (List<Cell> row : rows) {
            StringBuilder line = new StringBuilder();
            for (int column = 0; column < width.length; column++) {
                Cell cell = row.get(column);
                boolean last = column == width.length - 1;
                String gap = last ? "" : " ".repeat(width[column] - cell.text().length() + 2);
                line.append(cell.paint().on(cell.text(), colours)).append(gap);
            }
            text.append(line.toString().stripTrailing()).append('\n');
        }
        text.append('\n');
    }

    private static List<Cell> row(Node node) {
        String role = node.nodeRole() + (node.voter() || node.nodeRole().equals("PRIMARY") ? "" : " (no voter)");
        boolean plainStandby = node.nodeRole().equals("STANDBY");
        Integer progress = node.progress();
        return List.of(
                new Cell(node.name(), Ansi.LOUD),
                new Cell(plainStandby ? role : node.nodeRole(), Ansi.PLAIN),
                new Cell(progress == null ? node.state() : node.state() + " " + progress + "%", Ansi.PLAIN),
                new Cell(node.timeline() == 0 ? "-" : Integer.toString(node.timeline()), Ansi.PLAIN),
                new Cell(lsn(node), Ansi.PLAIN),
                new Cell(lag(node.lagBytes(), node.lagMillis()), Ansi.PLAIN),
                new Cell(node.nodeHealth(), node.nodeHealth().equals("HEALTHY") ? Ansi.GOOD : Ansi.BAD),
                new Cell(node.details(), Ansi.FAINT));
    }

    private static String lsn(Node node) {
        String lsn = node.lsn();
        Cluster.Halted halted = node.halted();
        if (lsn == null && halted != null) {
            lsn = halted.lsn();
        }
        return lsn == null ? "-" : lsn;
    }

    static String lag(@Nullable Long bytes, @Nullable Long millis) {
        if (bytes == null) {
            return "-";
        }
        String time =
                millis == null || millis == 0 ? "" : millis < 1000 ? " " + millis + "ms" : " " + millis / 1000 + "s";
        return size(bytes) + time;
    }

    private static String size(long bytes) {
        if (bytes < 10 * 1024) {
            return bytes + "B";
        }
        if (bytes < 10 * 1024 * 1024) {
            return bytes / 1024 + "KB";
        }
        return bytes / (1024 * 1024) + "MB";
    }

    private static Ansi health(String health) {
        return switch (health) {
            case "HEALTHY" -> Ansi.GOOD;
            case "DEGRADED" -> Ansi.WORSE;
            default -> Ansi.BAD;
        };
    }
}
