package org.cellkeeper.cell.config;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The file of the cluster's secrets: one on each line, the one that signs first; blank lines count for nothing. One that holds no text is
 * one secret, all of it. What is wrong is told by the number of the line, and never shown.
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
record SecretsFile(List<byte[]> secrets, List<String> problems) {
    static final int SHORTEST = 16;
    static final int LONGEST = 4096;
    private static final int MOST = 4;
    private static final String MAKE_ONE = " bytes; " + SHORTEST + " to " + LONGEST + " make a secret";

    @SuppressWarnings("ArrayRecordComponent") // never compared
    private record Line(int number, byte[] secret) {}

    static SecretsFile of(byte[] content) {
        List<Line> lines = lines(content);
        List<String> problems = new ArrayList<>();
        if (lines.isEmpty()) {
            problems.add("holds 0" + MAKE_ONE);
        }
        boolean several = lines.size() > 1;
        for (int i = 0; i < lines.size(); i++) {
            Line line = lines.get(i);
            if (line.secret.length < SHORTEST || line.secret.length > LONGEST) {
                problems.add((several ? "line " + line.number + " " : "") + "holds " + line.secret.length + MAKE_ONE);
            }
            for (Line before : lines.subList(0, i)) {
                if (Arrays.equals(before.secret, line.secret)) {
                    problems.add("line " + line.number + " holds the secret of line " + before.number + " again");
                    break;
                }
            }
        }
        if (lines.size() > MOST) {
            problems.add("holds " + lines.size() + " secrets; " + MOST
                    + " are allowed, and two are enough to go from one to the next");
        }
        return new SecretsFile(lines.stream().map(Line::secret).toList(), List.copyOf(problems));
    }

    /** Whether one of these secrets is one of the others'. */
    boolean sharesOneWith(SecretsFile other) {
        return secrets.stream()
                .anyMatch(mine -> other.secrets.stream().anyMatch(theirs -> Arrays.equals(mine, theirs)));
    }

    private static List<Line> lines(byte[] content) {
        List<Line> lines = new ArrayList<>();
        boolean text = isText(content);
        int number = 0;
        for (int from = 0; from <= content.length; number++) {
            int to = from;
            while (to < content.length && !(text && content[to] == '\n')) {
                to++;
            }
            byte[] secret = SideFile.withoutEnd(Arrays.copyOfRange(content, from, to));
            if (secret.length > 0) {
                lines.add(new Line(number + 1, secret));
            }
            from = to + 1;
        }
        return lines;
    }

    private static boolean isText(byte[] content) {
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(content))
                    .chars()
                    .noneMatch(c -> (c < ' ' && c != '\n' && c != '\r' && c != '\t') || c == 0x7f);
        } catch (CharacterCodingException binary) {
            return false;
        }
    }

    /** Without the secrets. */
    @Override
    public String toString() {
        return "SecretsFile[" + secrets.size() + ", " + problems + "]";
    }
}
