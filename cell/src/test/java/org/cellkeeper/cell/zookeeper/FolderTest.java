package org.cellkeeper.cell.zookeeper;

import static org.assertj.core.api.Assertions.assertThat;

import org.cellkeeper.cell.model.Presence;
import org.junit.jupiter.api.Test;

final class FolderTest {
    private final Folder<Presence> folder = new Folder<>("/c/members", Presence.class);

    @Test
    void itIsAboveItsChildrenAndNothingElse() {
        assertThat(folder.isAbove(folder.child("cell-1"))).isTrue();
        assertThat(folder.isAbove("/c/members")).isFalse();
        assertThat(folder.isAbove("/c/members/")).isFalse();
        assertThat(folder.isAbove("/c/members/cell-1/below")).isFalse();
        assertThat(folder.isAbove("/c/members-of-another/cell-1")).isFalse();
        assertThat(folder.isAbove("/c/votes/7")).isFalse();
    }
}
