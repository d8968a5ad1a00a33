package org.cellkeeper.cell.wire;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedSelectorException;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;

/**
 * A Unix socket in the shape that pgjdbc expects, with read timeouts. One thread at a time reads and writes; any thread may
 * close it, which ends a blocked read.
 */
final class UnixSocket extends Socket {
    private final SocketChannel channel;
    private final Selector selector;
    private final SelectionKey key;
    private volatile int timeoutMillis;

    private UnixSocket(SocketChannel channel) throws IOException {
        this.channel = channel;
        this.selector = Selector.open();
        this.key = channel.register(selector, SelectionKey.OP_READ);
    }

    static UnixSocket connectedTo(String path) throws IOException {
        SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            channel.configureBlocking(false);
            // A Unix socket connects at once or not at all; with a full backlog it must not hang.
            if (!channel.connect(UnixDomainSocketAddress.of(path))) {
                throw new SocketTimeoutException("nobody accepts connections at " + path);
            }
            return new UnixSocket(channel);
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }

    private void await(int operation) throws IOException {
        try {
            key.interestOps(operation);
            selector.selectedKeys().clear();
            if (selector.select(timeoutMillis) == 0) {
                if (isClosed()) {
                    throw new SocketException("closed");
                }
                throw new SocketTimeoutException("no answer within " + timeoutMillis + " ms");
            }
        } catch (ClosedSelectorException | java.nio.channels.CancelledKeyException e) {
            SocketException closed = new SocketException("closed");
            closed.initCause(e);
            throw closed;
        }
    }

    @Override
    public InputStream getInputStream() {
        return new InputStream() {
            @Override
            public int read() throws IOException {
                byte[] one = new byte[1];
                return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
            }

            @Override
            public int read(byte[] bytes, int offset, int length) throws IOException {
                if (length == 0) {
                    return 0;
                }
                ByteBuffer buffer = ByteBuffer.wrap(bytes, offset, length);
                int count = channel.read(buffer);
                if (count == 0) {
                    await(SelectionKey.OP_READ);
                    count = channel.read(buffer);
                }
                if (count == 0) {
                    throw new SocketTimeoutException("woken without data");
                }
                return count;
            }

            @Override
            public void close() throws IOException {
                UnixSocket.this.close();
            }
        };
    }

    @Override
    public OutputStream getOutputStream() {
        return new OutputStream() {
            @Override
            public void write(int one) throws IOException {
                write(new byte[] {(byte) one}, 0, 1);
            }

            @Override
            public void write(byte[] bytes, int offset, int length) throws IOException {
                ByteBuffer buffer = ByteBuffer.wrap(bytes, offset, length);
                channel.write(buffer);
                while (buffer.hasRemaining()) {
                    await(SelectionKey.OP_WRITE);
                    channel.write(buffer);
                }
            }

            @Override
            public void close() throws IOException {
                UnixSocket.this.close();
            }
        };
    }

    @Override
    public synchronized void close() throws IOException {
        channel.close();
        selector.close();
    }

    @Override
    public boolean isConnected() {
        return true;
    }

    @Override
    public boolean isClosed() {
        return !channel.isOpen();
    }

    @Override
    public InetAddress getInetAddress() {
        return InetAddress.getLoopbackAddress();
    }

    @Override
    public void setSoTimeout(int millis) {
        timeoutMillis = millis;
    }

    @Override
    public int getSoTimeout() {
        return timeoutMillis;
    }

    @Override
    public void setTcpNoDelay(boolean on) {
        // not of TCP
    }

    @Override
    public void setKeepAlive(boolean on) {
        // not of TCP
    }

    @Override
    public void setSendBufferSize(int size) {
        // the kernel's choice
    }

    @Override
    public int getSendBufferSize() {
        return 8192;
    }

    @Override
    public void setReceiveBufferSize(int size) {
        // the kernel's choice
    }

    @Override
    public int getReceiveBufferSize() {
        return 8192;
    }
}
