package org.cellkeeper.cell.zookeeper;

import io.netty.bootstrap.ChannelInitializerExtension;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import io.netty.util.ReferenceCountUtil;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ServiceLoader;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLEngine;
import org.cellkeeper.cell.trust.Credentials;
import org.cellkeeper.cell.trust.Strangers;
import org.jspecify.annotations.Nullable;

/**
 * The clients' port of a ZooKeeper server that is encrypted. ZooKeeper hears of a connection when whoever comes has shown his certificate,
 * and takes it for a plain one: its own encryption would make ready for each before he says a word, count him only later, and refuse
 * whoever comes by their number. Netty finds this by its name in {@code META-INF/services}, where it is told to look.
 */
public final class ClientEntrance extends ChannelInitializerExtension {
    private static final String EXTENSIONS = "io.netty.bootstrap.extensions";
    private static final String SERVICES = "serviceload";

    /** What Netty has to be told, as a property of the system. */
    static final String LOOK = "-D" + EXTENSIONS + "=" + SERVICES;

    /** An agent has one connection and three that ask how the servers are. */
    private static final int MOST = 128;

    /** A first handshake takes long where the processors are busy. */
    private static final Duration PATIENCE = Duration.ofSeconds(4);

    /** What all that is encrypted begins with: no request and no word of four letters does. */
    private static final byte HANDSHAKE = 22;

    private static final String[] PROTOCOLS = {"TLSv1.3"};

    /** Of this process, which has one server; null while its port is plain. */
    private static volatile @Nullable Credentials credentials;

    private final Strangers<Channel> strangers = new Strangers<>(MOST, PATIENCE, ClientEntrance::leave);

    /** Encrypts the port of the server that is started afterwards in this process. */
    static void guard(Credentials shown) {
        boolean found = SERVICES.equals(System.getProperty(EXTENSIONS))
                && ServiceLoader.load(ChannelInitializerExtension.class).stream()
                        .anyMatch(extension -> extension.type() == ClientEntrance.class);
        if (!found) {
            throw new IllegalStateException("Netty would not find the entrance of the clients' port: " + LOOK);
        }
        credentials = shown;
    }

    @Override
    public void postInitializeServerChildChannel(Channel channel) {
        Credentials shown = credentials;
        if (shown != null) {
            Proof proof = new Proof();
            channel.pipeline().addFirst(new FirstWord(shown, proof), proof);
        }
    }

    private static void leave(Channel channel) {
        var unused = channel.close();
    }

    /** Nothing goes on to ZooKeeper before there was a first byte, which tells whether it is encrypted. */
    private final class FirstWord extends ChannelInboundHandlerAdapter {
        private final Credentials shown;
        private final Proof proof;

        FirstWord(Credentials shown, Proof proof) {
            this.shown = shown;
            this.proof = proof;
        }

        @Override
        public void channelActive(ChannelHandlerContext context) {
            Channel channel = context.channel();
            strangers.add(channel, addressOf(channel));
            var look = channel.eventLoop().schedule(strangers::look, PATIENCE.toMillis() + 1, TimeUnit.MILLISECONDS);
            var unused = channel.closeFuture().addListener(gone -> {
                look.cancel(false);
                strangers.remove(channel);
            });
        }

        @Override
        public void channelRead(ChannelHandlerContext context, Object message) {
            ByteBuf words = (ByteBuf) message;
            if (words.isReadable() && words.getByte(words.readerIndex()) == HANDSHAKE) {
                SSLEngine engine = shown.context().createSSLEngine();
                engine.setUseClientMode(false);
                engine.setNeedClientAuth(true);
                engine.setEnabledProtocols(PROTOCOLS);
                context.pipeline().addAfter(context.name(), null, new SslHandler(engine));
            } else if (shown.encryption().demands() || !strangers.remove(context.channel())) {
                ReferenceCountUtil.release(words);
                leave(context.channel());
                return;
            } else {
                context.fireChannelActive();
                context.pipeline().remove(proof);
            }
            context.fireChannelRead(words);
            context.pipeline().remove(this);
        }

        private static @Nullable InetAddress addressOf(Channel channel) {
            return channel.remoteAddress() instanceof InetSocketAddress internet ? internet.getAddress() : null;
        }
    }

    /** Behind the encryption. */
    private final class Proof extends ChannelInboundHandlerAdapter {
        @Override
        public void userEventTriggered(ChannelHandlerContext context, Object event) throws Exception {
            if (!(event instanceof SslHandshakeCompletionEvent done)) {
                super.userEventTriggered(context, event);
            } else if (done.isSuccess() && strangers.remove(context.channel())) {
                context.fireChannelActive();
                context.pipeline().remove(this);
            } else {
                leave(context.channel());
            }
        }

        /** Of the handshake. */
        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            leave(context.channel());
        }
    }
}
