package org.cellkeeper.cell.postgres;

import static org.assertj.core.api.Assertions.assertThat;

import org.cellkeeper.cell.model.Lsn;
import org.junit.jupiter.api.Test;

final class ControlDataTest {
    private static final long PAGE = 8192;
    private static final long SEGMENT = 16L << 20;

    @Test
    void aRecordEndsAlignedToEightBytes() {
        assertThat(end("0/1000028", 114)).isEqualTo(Lsn.parse("0/10000A0"));
    }

    @Test
    void aRecordThatFillsItsPageEndsAtThePage() {
        assertThat(end("0/1001F88", 120)).isEqualTo(Lsn.parse("0/1002000"));
    }

    @Test
    void aRecordThatRunsIntoTheNextPageSkipsItsHeader() {
        // 64 bytes on this page, 56 on the next one behind 24 bytes of header.
        assertThat(end("0/1001FC0", 114)).isEqualTo(Lsn.parse("0/1002050"));
    }

    @Test
    void theFirstPageOfASegmentHasALongerHeader() {
        assertThat(end("0/1FFFFC0", 114)).isEqualTo(Lsn.parse("0/2000060"));
    }

    @Test
    void aRecordMayRunOverManyPages() {
        assertThat(end("0/1000028", 20_000)).isEqualTo(new Lsn(0x1000028L + 20_000 + 2 * 24));
    }

    @Test
    void aSegmentIsNamedByTimelineAndNumber() {
        assertThat(ControlData.segmentOf(Lsn.parse("0/5F64F80"), 146, SEGMENT)).isEqualTo("000000920000000000000005");
        assertThat(ControlData.segmentOf(Lsn.parse("1A/FF000028"), 1, SEGMENT)).isEqualTo("000000010000001A000000FF");
        assertThat(ControlData.segmentOf(Lsn.parse("2/40000028"), 1, 1L << 30)).isEqualTo("000000010000000200000001");
    }

    private static Lsn end(String start, long length) {
        return ControlData.endOfRecord(Lsn.parse(start), length, PAGE, SEGMENT);
    }
}
