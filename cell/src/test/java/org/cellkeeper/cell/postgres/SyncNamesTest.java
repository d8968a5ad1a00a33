package org.cellkeeper.cell.postgres;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Set;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.SyncSetting;
import org.junit.jupiter.api.Test;

final class SyncNamesTest {
    @Test
    void aRuleIsWrittenSortedAndReadBack() {
        SyncSetting setting =
                SyncSetting.of(Set.of(CellId.parse("cell-2.cafebabe"), CellId.parse("cell-1.0badcafe")), 2, 7);
        assertThat(SyncNames.render(setting)).isEqualTo("ANY 2 (\"cell-1.0badcafe.7\", \"cell-2.cafebabe.7\")");
        assertThat(SyncNames.parse(SyncNames.render(setting))).isEqualTo(setting);
    }

    @Test
    void nobodyIsANameThatNobodyBears() {
        assertThat(SyncNames.render(SyncSetting.NOBODY)).isEqualTo("ANY 1 (\"nobody\")");
        assertThat(SyncNames.parse("ANY 1 (\"nobody\")")).isEqualTo(SyncSetting.NOBODY);
    }

    @Test
    void whatIsNotOursIsNotGuessedAt() {
        for (String text : new String[] {
            "",
            "*",
            "ANY 1 (*)",
            "FIRST 1 (\"cell-1.0badcafe.7\")",
            "ANY 1 (cell-1)",
            "ANY 0 (\"cell-1.0badcafe.7\")",
            "ANY 1 (\"cell-1.0badcafe\")",
            "ANY 1 (\"cell-1.0badcafe.07\")",
            "ANY 1 (\"nobody\", \"cell-1.0badcafe.7\")"
        }) {
            assertThat(SyncNames.parse(text)).as(text).isNull();
        }
        assertThat(SyncNames.parse(null)).isNull();
    }
}
