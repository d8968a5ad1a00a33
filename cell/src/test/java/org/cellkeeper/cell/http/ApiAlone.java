package org.cellkeeper.cell.http;

import java.io.IOException;
import java.nio.file.Path;
import org.cellkeeper.cell.model.Address;

/** The API of a cell that has nothing behind it but an operator. */
final class ApiAlone {
    private ApiAlone() {}

    /** At this port, where root comes in by this password. */
    static ApiSettings settings(Path directory, int port, String password) {
        return ApiSettings.of(
                FakeOperator.CELL_1, new Address("127.0.0.1", 5432, port, 5481), directory, password, "secret");
    }

    static ApplianceApi start(ApiSettings settings, FakeOperator operator) throws IOException {
        ApplianceApi api = new ApplianceApi(
                settings,
                operator,
                new FakeBackups(),
                new FakeApp(),
                new FakeRevocations(),
                new FakeReload(),
                Companions.NONE,
                () -> "");
        api.start();
        return api;
    }
}
