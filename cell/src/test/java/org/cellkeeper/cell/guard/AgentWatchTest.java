package org.cellkeeper.cell.guard;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.cellkeeper.cell.guard.AgentWatch.Verdict;
import org.junit.jupiter.api.Test;

final class AgentWatchTest {
    /** A process that certainly runs: our own. */
    private static final Target POSTMASTER =
            Objects.requireNonNull(Target.of(ProcessHandle.current().pid()));

    private static final Target DEAD = new Target(POSTMASTER.pid(), POSTMASTER.started() - 1);

    private final AgentWatch watch = new AgentWatch(millis(5000), millis(20_000));

    private static long millis(long millis) {
        return TimeUnit.MILLISECONDS.toNanos(millis);
    }

    private void pass(long millis) {
        watch.pass(millis(millis), millis(millis));
    }

    /** A machine on which the agent wants to run, and gets next to nothing. */
    private void starve(long millis) {
        watch.pass(millis(millis), millis(millis) / 100);
    }

    @Test
    void anAgentThatBeatsIsLeftAlone() {
        for (int i = 0; i < 100; i++) {
            watch.beat(Role.PRIMARY, POSTMASTER);
            pass(4999);
            assertThat(watch.judge(true)).isEqualTo(Verdict.CALM);
        }
    }

    @Test
    void aSilentAgentOfAPrimaryHasItsPostgresStoppedAndThenIsKilled() {
        watch.beat(Role.PRIMARY, POSTMASTER);
        pass(5001);
        assertThat(watch.judge(true)).isEqualTo(Verdict.STOP_PRIMARY);
    }

    @Test
    void aSilentAgentOfAStandbyIsOnlyKilled() {
        watch.beat(Role.STANDBY, POSTMASTER);
        pass(5001);
        assertThat(watch.judge(true)).isEqualTo(Verdict.KILL_AGENT);
    }

    @Test
    void aSilentAgentWhosePrimaryRunsNoMoreIsOnlyKilled() {
        watch.beat(Role.PRIMARY, DEAD);
        pass(5001);
        assertThat(watch.judge(true)).isEqualTo(Verdict.KILL_AGENT);
    }

    @Test
    void aNewAgentMayTakeLongerForItsFirstBeat() {
        watch.agentStarted();
        pass(19_999);
        assertThat(watch.judge(true)).isEqualTo(Verdict.CALM);
        pass(2);
        assertThat(watch.judge(true)).isEqualTo(Verdict.KILL_AGENT);
    }

    @Test
    void aStartingAgentMayTakeAsLongForEachStep() {
        watch.agentStarted();
        for (int i = 0; i < 5; i++) {
            pass(19_999);
            assertThat(watch.judge(true)).isEqualTo(Verdict.CALM);
            watch.step();
        }
        pass(20_001);
        assertThat(watch.judge(true)).isEqualTo(Verdict.KILL_AGENT);
    }

    @Test
    void aStartingAgentThatIsNotLetRunIsNotHung() {
        watch.agentStarted();
        starve(590_000);
        assertThat(watch.judge(true)).isEqualTo(Verdict.CALM);
        starve(11_000);
        assertThat(watch.judge(true)).as("not for ever").isEqualTo(Verdict.KILL_AGENT);
    }

    @Test
    void aPrimaryDoesNotWaitForAnAgentThatIsNotLetRunOrTellsItsSteps() {
        watch.beat(Role.PRIMARY, POSTMASTER);
        watch.agentStarted();
        for (int i = 0; i < 6; i++) {
            starve(1000);
            watch.step();
        }
        assertThat(watch.judge(true)).isEqualTo(Verdict.STOP_PRIMARY);
    }

    @Test
    void anAgentThatHasBeatenIsSilentHoweverItIsStarvedAndWhateverStepItTells() {
        watch.agentStarted();
        watch.beat(Role.STANDBY, POSTMASTER);
        starve(5001);
        watch.step();
        assertThat(watch.judge(true)).isEqualTo(Verdict.KILL_AGENT);
    }

    @Test
    void whatRanWellForHalfAMinuteIsStartedAgainAtOnce() {
        assertThat(Child.endsInARow(5, TimeUnit.SECONDS.toNanos(46))).isEqualTo(1);
        assertThat(Child.endsInARow(5, TimeUnit.SECONDS.toNanos(21))).isEqualTo(6);
    }

    @Test
    void whatAChildIsStartedWithIsNotWhatItsGuardsCallerHad() {
        Map<String, String> environment = new HashMap<>(Map.of(
                "PATH",
                "/bin",
                "CELL_NAME",
                "cell-1",
                "CELLKEEPER_LOG",
                "json",
                "LANG",
                "tr_TR.UTF-8",
                "LC_ALL",
                "ar_EG",
                "JAVA_TOOL_OPTIONS",
                "-Xmx1m",
                "PGHOST",
                "nowhere",
                "https_proxy",
                "http://127.0.0.1:9"));
        Child.clean(environment);
        assertThat(environment)
                .isEqualTo(
                        Map.of("PATH", "/bin", "CELL_NAME", "cell-1", "CELLKEEPER_LOG", "json", "LC_ALL", "C.UTF-8"));
    }

    @Test
    void aPrimaryDoesNotWaitForAnAgentThatTakesLong() {
        watch.beat(Role.PRIMARY, POSTMASTER);
        watch.agentStarted();
        pass(5001);
        assertThat(watch.judge(true)).isEqualTo(Verdict.STOP_PRIMARY);
        assertThat(watch.judge(false)).isEqualTo(Verdict.STOP_PRIMARY);
    }

    @Test
    void anAgentThatEndsAgainAndAgainDoesNotAnswerForThePrimary() {
        watch.beat(Role.PRIMARY, POSTMASTER);
        for (int i = 0; i < 3; i++) {
            watch.agentStarted();
            pass(1700);
            watch.beat(Role.NONE, null);
        }
        assertThat(watch.judge(false)).isEqualTo(Verdict.STOP_PRIMARY);
    }

    @Test
    void anAgentThatLivesOnAnswersForThePrimaryEvenBeforeItHasTakenItUp() {
        watch.beat(Role.PRIMARY, POSTMASTER);
        watch.agentStarted();
        for (int i = 0; i < 40; i++) {
            pass(500);
            watch.beat(Role.NONE, null);
            assertThat(watch.judge(true)).isEqualTo(Verdict.CALM);
        }
        pass(5001);
        assertThat(watch.judge(true)).isEqualTo(Verdict.STOP_PRIMARY);
    }

    @Test
    void aGuardThatStoodStillGivesTheTimeOnceMore() {
        watch.beat(Role.PRIMARY, POSTMASTER);
        pass(4000);
        watch.forgive();
        pass(4999);
        assertThat(watch.judge(true)).isEqualTo(Verdict.CALM);
        pass(2);
        assertThat(watch.judge(true)).isEqualTo(Verdict.STOP_PRIMARY);
    }

    @Test
    void aHeartbeatIsReadAsItWasWritten() {
        Beat beat = new Beat(Role.PRIMARY, 4711, 99);
        assertThat(beat.text()).isEqualTo("role=primary postmaster=4711 started=99\n");
        assertThat(Beat.parse(beat.text())).isEqualTo(beat);
        assertThat(Beat.parse("role=standby postmaster=1\n")).isEqualTo(new Beat(Role.STANDBY, 1, 0));
    }

    @Test
    void halfAHeartbeatIsNone() {
        String whole = new Beat(Role.PRIMARY, 4711, 99).text();
        for (int length = 0; length < whole.length(); length++) {
            assertThat(Beat.parse(whole.substring(0, length))).isNull();
        }
        assertThat(Beat.parse("role=king postmaster=1\n")).isNull();
        assertThat(Beat.parse("role=primary postmaster=x\n")).isNull();
    }

    @Test
    void aProcessIsTheOneThatIsMeantOnlyWithItsProgramAndItsStart() {
        assertThat(Target.of(POSTMASTER.pid(), "java", 0)).isEqualTo(POSTMASTER);
        assertThat(Target.of(POSTMASTER.pid(), "java", POSTMASTER.started())).isEqualTo(POSTMASTER);
        assertThat(Target.of(POSTMASTER.pid(), "java", POSTMASTER.started() + 1))
                .isNull();
        assertThat(Target.of(POSTMASTER.pid(), "postgres", 0)).isNull();
        assertThat(DEAD.isAlive()).isFalse();
        assertThat(Target.of(0)).isNull();
    }
}
