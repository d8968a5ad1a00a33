package org.cellkeeper.cell.http;

import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** The API, which comes and goes without the agent: no port that is taken and no certificate ends it. Any thread may use it. */
public final class ApiServing implements AutoCloseable {
    private final Supplier<ApplianceApi> maker;
    private @Nullable ApplianceApi serving;
    private boolean closed;

    public ApiServing(Supplier<ApplianceApi> maker) {
        this.maker = maker;
    }

    /** Tries, if it does not serve yet; answers why it does not, with nothing when it does. One that serves takes a new certificate up. */
    public synchronized String serve() {
        if (closed) {
            return "";
        }
        if (serving != null) {
            serving.renewCertificate();
            return "";
        }
        ApplianceApi api = null;
        try {
            api = maker.get();
            api.start();
            serving = api;
            return "";
        } catch (RuntimeException e) {
            if (api != null) {
                api.close();
            }
            Throwable reason = e.getCause() == null ? e : e.getCause();
            return "the API does not serve, and is tried again: " + reason.getMessage();
        }
    }

    @Override
    public synchronized void close() {
        closed = true;
        if (serving != null) {
            serving.close();
        }
    }
}
