package org.cellkeeper.cell.http;

import io.javalin.http.Context;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.cellkeeper.cell.trust.Strangers;
import org.eclipse.jetty.ee10.servlet.ServletContextRequest;
import org.eclipse.jetty.io.Connection;
import org.eclipse.jetty.io.EndPoint;
import org.eclipse.jetty.io.ssl.SslConnection;

/**
 * Connections on which nobody has shown yet, by a password or a token, that he is a user: however many there are, users come in. Each must ask
 * something soon; what is open to everybody may be asked again and again.
 */
final class ApiStrangers implements Connection.Listener, AutoCloseable {
    private static final int MOST = 256;
    private static final Duration PATIENCE = Duration.ofSeconds(10);
    private static final long LOOK_MILLIS = 500;

    private final Strangers<EndPoint> strangers = new Strangers<>(MOST, PATIENCE, EndPoint::close);
    private final ScheduledExecutorService watch = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().name("api-strangers").daemon().factory());

    void start() {
        var unused = watch.scheduleWithFixedDelay(strangers::look, LOOK_MILLIS, LOOK_MILLIS, TimeUnit.MILLISECONDS);
    }

    @Override
    public void onOpened(Connection connection) {
        if (connection instanceof SslConnection) {
            comes(connection.getEndPoint());
        }
    }

    private void comes(EndPoint end) {
        strangers.add(
                end, end.getRemoteSocketAddress() instanceof InetSocketAddress address ? address.getAddress() : null);
    }

    @Override
    public void onClosed(Connection connection) {
        if (connection instanceof SslConnection) {
            strangers.remove(connection.getEndPoint());
        }
    }

    /** A user has asked. */
    void isKnown(Context ctx) {
        strangers.remove(endOf(ctx));
    }

    /** Somebody has asked what everybody may; who was a user before stays one. */
    void hasAsked(Context ctx) {
        EndPoint end = endOf(ctx);
        if (strangers.remove(end)) {
            comes(end);
        }
    }

    private static EndPoint endOf(Context ctx) {
        EndPoint end = ServletContextRequest.getServletContextRequest(ctx.req())
                .getConnectionMetaData()
                .getConnection()
                .getEndPoint();
        return end instanceof SslConnection.SslEndPoint encrypted
                ? encrypted.getSslConnection().getEndPoint()
                : end;
    }

    @Override
    public void close() {
        watch.shutdownNow();
    }
}
