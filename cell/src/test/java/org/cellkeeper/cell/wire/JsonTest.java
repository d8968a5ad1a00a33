package org.cellkeeper.cell.wire;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.CellState;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.Ensemble;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.Halt;
import org.cellkeeper.cell.model.HistoryEntry;
import org.cellkeeper.cell.model.Incarnation;
import org.cellkeeper.cell.model.LocalState;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.Member;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.model.Phase;
import org.cellkeeper.cell.model.Presence;
import org.cellkeeper.cell.model.Reign;
import org.cellkeeper.cell.model.StreamName;
import org.cellkeeper.cell.model.Task;
import org.cellkeeper.cell.model.VersionedState;
import org.cellkeeper.cell.model.Vote;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

final class JsonTest {
    private static final Instant NOON = Instant.parse("2026-01-01T12:00:00.250Z");
    private static final CellId ONE = CellId.parse("cell-1.0000000a");
    private static final CellId TWO = CellId.parse("cell-2.0000000b");
    private static final Address ADDRESS = new Address("10.0.0.1", 5432, 5480, 5481);

    private static final String STEADY_TEXT = """
            {"epoch":7,"primary":"cell-1.0000000a","voters":["cell-1.0000000a","cell-2.0000000b"],"acks":1,\
            "phase":{"type":"STEADY"},"lastBallot":8,\
            "reigns":{"1":{"primary":"cell-1.0000000a","timeline":1,"startLsn":"0/0","sealedLsn":"0/0","parent":0},\
            "7":{"primary":"cell-1.0000000a","timeline":2,"startLsn":"0/3000060","sealedLsn":"0/3000080","parent":1}},\
            "failoverMode":"AUTOMATIC",\
            "halted":{"cell-9":{"epoch":7,"reason":"deposed","since":"2026-01-01T12:00:00.250Z","lsn":"A/FF","timeline":1}},\
            "members":{"cell-1":{"incarnation":"0000000a",\
            "address":{"host":"10.0.0.1","postgresPort":5432,"apiPort":5480,"linkPort":5481},"priority":100,\
            "faultDomain":"rack-1"}},"systemId":"7300000000000000001",\
            "ensemble":{"number":2,"servers":["10.0.0.1","10.0.0.2"],"trail":["00000000000000aa","00000000000000bb"]}}""";

    private static ClusterState state(Phase phase) {
        return new ClusterState(
                7,
                ONE,
                new TreeSet<>(Set.of(ONE, TWO)),
                1,
                phase,
                8,
                new TreeMap<>(Map.of(
                        1L, new Reign(ONE, 1, Lsn.ZERO, Lsn.ZERO, 0),
                        7L, new Reign(ONE, 2, Lsn.parse("0/3000060"), Lsn.parse("0/3000080"), 1))),
                FailoverMode.AUTOMATIC,
                new TreeMap<>(Map.of(new CellName("cell-9"), new Halt(7, "deposed", NOON, Lsn.parse("A/FF"), 1))),
                new TreeMap<>(Map.of(ONE.name(), new Member(new Incarnation("0000000a"), ADDRESS, 100, "rack-1"))),
                "7300000000000000001",
                new Ensemble(2, List.of("10.0.0.1", "10.0.0.2"), List.of("00000000000000aa", "00000000000000bb")));
    }

    private static Task task(@Nullable Instant end) {
        return new Task(
                "t-1",
                Task.Operation.SWITCHOVER,
                TWO.name(),
                ONE.name(),
                true,
                Task.Status.RUNNING,
                NOON,
                end,
                40,
                9,
                "ümlaut \"quoted\"");
    }

    static Stream<Object> travellingRecords() {
        ClusterState steady = state(new Phase.Steady());
        return Stream.of(
                steady,
                state(new Phase.Sealing(8, TWO, Phase.Kind.FORCED, NOON)),
                state(new Phase.Handover(8, TWO, null, NOON)),
                state(new Phase.Handover(8, TWO, Lsn.parse("0/5000000"), NOON)),
                ClusterState.born(ONE, new Member(ONE.incarnation(), ADDRESS, 0, ""), "1", FailoverMode.MANUAL),
                steady.withHalt(TWO.name(), new Halt(7, "unknown end", NOON, null, null)),
                new VersionedState(3, steady),
                LocalState.fresh(ONE.incarnation()),
                LocalState.fresh(ONE.incarnation())
                        .withSeen(new VersionedState(3, steady))
                        .withJoined()
                        .withSealedBallot(8)
                        .withHandoverMark(new LocalState.HandoverMark(8, Lsn.parse("0/5000000")))
                        .withHalt("deposed"),
                new Vote(8, TWO, null, 7, 2, Lsn.parse("0/5000000"), 100),
                new Vote(8, TWO, "I stream from a healthy primary", 7, 2, Lsn.ZERO, 0),
                task(null),
                task(NOON),
                new Presence(ONE, ADDRESS, "PRIMARY"),
                new Presence(ONE, ADDRESS, "PRIMARY", "7300000000000000001", List.of("10.0.0.1", "10.0.0.2")),
                new PeerView(
                        ONE,
                        7,
                        3,
                        CellState.STREAMING,
                        PeerView.Health.OK,
                        12,
                        "follow the primary",
                        TWO,
                        7,
                        Lsn.parse("0/5000000"),
                        Lsn.parse("0/4FFFFFF"),
                        2,
                        -1,
                        100,
                        true,
                        "",
                        true,
                        PeerView.Trouble.WAL_GONE,
                        Lsn.parse("0/1000000"),
                        new PeerView.Doors(1200, 1200)),
                new PeerView(
                        ONE,
                        0,
                        -1,
                        CellState.DOWN,
                        PeerView.Health.DOWN,
                        1,
                        "",
                        null,
                        0,
                        null,
                        null,
                        0,
                        -1,
                        0,
                        false,
                        "no data",
                        false,
                        PeerView.Trouble.NONE,
                        null,
                        null),
                new HistoryEntry(
                        NOON, ONE.name(), 7, 3, "elected", "2 votes", List.of(new HistoryEntry.Step("elected", 12))));
    }

    @ParameterizedTest
    @MethodSource("travellingRecords")
    void everyRecordThatTravelsComesBackEqual(Object sent) throws Exception {
        assertThat(Json.read(Json.write(sent), sent.getClass())).isEqualTo(sent);
    }

    @ParameterizedTest
    @MethodSource("travellingRecords")
    void nothingButTheComponentsOfTheRecordIsWritten(Object sent) throws Exception {
        @SuppressWarnings("unchecked")
        Map<String, Object> written = Json.read(Json.write(sent), Map.class);

        assertThat(written.keySet())
                .containsExactlyElementsOf(Arrays.stream(sent.getClass().getRecordComponents())
                        .map(component -> component.getName())
                        .toList());
    }

    @ParameterizedTest
    @MethodSource("travellingRecords")
    void aCutOffRecordIsRefusedWhereverItIsCut(Object sent) {
        String whole = Json.writeText(sent);
        for (int length = 0; length < whole.length(); length += 7) {
            String cut = whole.substring(0, length);
            assertThatThrownBy(() -> Json.read(cut, sent.getClass())).isInstanceOf(Json.Unreadable.class);
        }
    }

    @Test
    void theSharedStateHasTheFormThatOtherCellsExpect() {
        assertThat(Json.writeText(state(new Phase.Steady()))).isEqualTo(STEADY_TEXT);
    }

    @Test
    void theSharedStateOfEveryPhaseHasTheFormThatOtherCellsExpect() {
        assertThat(Json.writeText(state(new Phase.Sealing(8, TWO, Phase.Kind.AUTOMATIC, NOON))))
                .contains("\"phase\":{\"type\":\"SEALING\",\"ballot\":8,\"proposer\":\"cell-2.0000000b\","
                        + "\"kind\":\"AUTOMATIC\",\"since\":\"2026-01-01T12:00:00.250Z\"}");
        assertThat(Json.writeText(state(new Phase.Handover(8, TWO, null, NOON))))
                .contains("\"phase\":{\"type\":\"HANDOVER\",\"ballot\":8,\"target\":\"cell-2.0000000b\","
                        + "\"token\":null,\"since\":\"2026-01-01T12:00:00.250Z\"}");
    }

    @Test
    void theLocalStateHasTheFormThatTheFileExpects() {
        LocalState local = LocalState.fresh(ONE.incarnation())
                .withSeen(new VersionedState(3, state(new Phase.Steady())))
                .withHandoverMark(new LocalState.HandoverMark(8, Lsn.parse("0/5000000")));

        assertThat(Json.writeText(local))
                .isEqualTo("{\"incarnation\":\"0000000a\",\"seen\":{\"version\":3,\"state\":" + STEADY_TEXT
                        + "},\"joined\":false,\"founder\":false,\"cloning\":false,\"sealedBallot\":0,\"walEpoch\":0,"
                        + "\"primaryEpoch\":0,\"handoverMark\":{\"ballot\":8,\"end\":\"0/5000000\"},"
                        + "\"haltReason\":null,\"removed\":false}");
    }

    @Test
    void whatANewerCellAddsToASharedRecordIsLeftOut() throws Exception {
        String newer = STEADY_TEXT
                .replace("\"acks\":1", "\"acks\":1,\"colour\":\"red\"")
                .replace("{\"type\":\"STEADY\"}", "{\"type\":\"STEADY\",\"mood\":[1]}")
                .replace("\"parent\":1", "\"parent\":1,\"length\":3");

        assertThat(Json.read(newer, ClusterState.class)).isEqualTo(state(new Phase.Steady()));
    }

    @Test
    void whatIsUnknownInTheStateFileIsRefused() {
        String newer = Json.writeText(LocalState.fresh(ONE.incarnation())).replace("{", "{\"oath\":1,");

        assertThatThrownBy(() -> Json.read(newer, LocalState.class))
                .isInstanceOf(Json.Unreadable.class)
                .hasMessageContaining("oath");
    }

    @Test
    void aMissingComponentIsRefusedUnlessItMayBeNull() throws Exception {
        String vote = Json.writeText(new Vote(8, TWO, null, 7, 2, Lsn.ZERO, 100));

        assertThat(Json.read(vote.replace("\"veto\":null,", ""), Vote.class).veto())
                .isNull();
        for (String component : List.of("\"ballot\":8,", "\"voter\":\"cell-2.0000000b\",", "\"lsn\":\"0/0\",")) {
            assertThatThrownBy(() -> Json.read(vote.replace(component, ""), Vote.class))
                    .as(component)
                    .isInstanceOf(Json.Unreadable.class);
        }
    }

    @Test
    void aNullIsRefusedUnlessTheModelAllowsIt() {
        String vote = Json.writeText(new Vote(8, TWO, null, 7, 2, Lsn.ZERO, 100));

        assertThatThrownBy(() -> Json.read(vote.replace("\"0/0\"", "null"), Vote.class))
                .isInstanceOf(Json.Unreadable.class);
        assertThatThrownBy(() -> Json.read(STEADY_TEXT.replace("\"cell-2.0000000b\"", "null"), ClusterState.class))
                .isInstanceOf(Json.Unreadable.class);
        assertThatThrownBy(() -> Json.read("null", Vote.class)).isInstanceOf(Json.Unreadable.class);
    }

    @Test
    void whatIsNotQuiteOneRecordIsRefused() {
        for (String text : List.of(
                STEADY_TEXT + "{}",
                STEADY_TEXT.replace("STEADY", "RESTING"),
                STEADY_TEXT.replace("{\"type\":\"STEADY\"}", "{}"),
                STEADY_TEXT.replace("AUTOMATIC", "SOMETIMES"),
                STEADY_TEXT.replace("\"epoch\":7,\"primary\"", "\"epoch\":\"7\",\"primary\""),
                STEADY_TEXT.replace("\"epoch\":7,\"primary\"", "\"epoch\":7.5,\"primary\""),
                STEADY_TEXT.replace("\"acks\":1", "\"acks\":1,\"acks\":2"),
                STEADY_TEXT.replace("0/3000060", "3000060"),
                STEADY_TEXT.replace("\"0/3000060\"", "3"),
                STEADY_TEXT.replace("cell-9", "CELL 9"),
                STEADY_TEXT.replace("\"0/3000060\"", "\"0/3000090\""))) {
            assertThatThrownBy(() -> Json.read(text, ClusterState.class))
                    .as(text)
                    .isInstanceOf(Json.Unreadable.class)
                    .hasMessageStartingWith("not a readable ClusterState: ");
        }
    }

    @Test
    void valuesStandAsTheirTextAlsoAsKeysAndInOtherRecords() throws Exception {
        Envelope sent = new Envelope(
                Map.of(new StreamName(ONE, 7), Duration.ofMillis(1500)), Map.of(TWO, Lsn.parse("1/0")), null);

        String text = Json.writeText(sent);

        assertThat(text)
                .isEqualTo("{\"delays\":{\"cell-1.0000000a.7\":\"PT1.5S\"},"
                        + "\"ends\":{\"cell-2.0000000b\":\"1/0\"},\"note\":null}");
        assertThat(Json.read(text, Envelope.class)).isEqualTo(sent);
    }

    record Envelope(
            Map<StreamName, Duration> delays,
            Map<CellId, Lsn> ends,
            @Nullable String note) {}
}
