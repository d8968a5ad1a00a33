package org.cellkeeper.cell.sim;

import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.SyncSetting;
import org.cellkeeper.cell.model.Upstream;
import org.jspecify.annotations.Nullable;

/** The settings that the agent writes; each process of PostgreSQL holds the one that it read last. */
record SettingsFile(@Nullable Upstream upstream, @Nullable CellId self, SyncSetting sync, boolean readOnly) {
    static final SettingsFile INITIAL = new SettingsFile(null, null, SyncSetting.NOBODY, false);

    SettingsFile following(@Nullable Upstream newUpstream, @Nullable CellId newSelf) {
        return new SettingsFile(newUpstream, newSelf, sync, readOnly);
    }

    SettingsFile withSync(SyncSetting newSync) {
        return new SettingsFile(upstream, self, newSync, readOnly);
    }

    SettingsFile withReadOnly(boolean newReadOnly) {
        return new SettingsFile(upstream, self, sync, newReadOnly);
    }
}
