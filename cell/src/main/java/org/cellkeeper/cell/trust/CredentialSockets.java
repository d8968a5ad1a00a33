package org.cellkeeper.cell.trust;

import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.SSLSocketFactory;

/**
 * Encrypts with what a cell shows and believes at the time, and refuses another end whose certificate is not for the host that was meant.
 * For libraries that make their socket factory by its class's name, with a text: they are given {@link #nameOf}.
 */
public final class CredentialSockets extends SSLSocketFactory {
    /** One for each agent in this process. */
    private static final Map<String, Credentials> NAMED = new ConcurrentHashMap<>();

    private final Credentials credentials;

    /** @param name as {@link #nameOf} has given it */
    public CredentialSockets(String name) {
        Credentials named = NAMED.get(name);
        if (named == null) {
            throw new IllegalArgumentException("no credentials have the name " + name);
        }
        this.credentials = named;
    }

    /** What they are found by here. */
    public static String nameOf(Credentials credentials) {
        String name = "credentials-" + credentials.number();
        NAMED.put(name, credentials);
        return name;
    }

    private SSLSocketFactory factory() {
        return credentials.context().getSocketFactory();
    }

    private static Socket checked(Socket socket) {
        if (socket instanceof SSLSocket tls) {
            SSLParameters parameters = tls.getSSLParameters();
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
            tls.setSSLParameters(parameters);
        }
        return socket;
    }

    @Override
    public Socket createSocket(Socket plain, String host, int port, boolean autoClose) throws IOException {
        String bare = host.startsWith("[") && host.endsWith("]") ? host.substring(1, host.length() - 1) : host;
        return checked(factory().createSocket(plain, bare, port, autoClose));
    }

    @Override
    public Socket createSocket(String host, int port) throws IOException {
        return checked(factory().createSocket(host, port));
    }

    @Override
    public Socket createSocket(String host, int port, InetAddress localHost, int localPort) throws IOException {
        return checked(factory().createSocket(host, port, localHost, localPort));
    }

    @Override
    public Socket createSocket(InetAddress host, int port) throws IOException {
        return checked(factory().createSocket(host, port));
    }

    @Override
    public Socket createSocket(InetAddress host, int port, InetAddress localHost, int localPort) throws IOException {
        return checked(factory().createSocket(host, port, localHost, localPort));
    }

    @Override
    public String[] getDefaultCipherSuites() {
        return factory().getDefaultCipherSuites();
    }

    @Override
    public String[] getSupportedCipherSuites() {
        return factory().getSupportedCipherSuites();
    }
}
