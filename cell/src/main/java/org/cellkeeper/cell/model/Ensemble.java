package org.cellkeeper.cell.model;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * By what a cell knows the cluster's own ZooKeeper from any other, also from one that began with a copy of its data. It is part of
 * the shared state, and so every cell makes it durable before it acts on it.
 *
 * @param number counts the lists that were put on record
 * @param servers the hosts of the servers, the first being server 1; empty when the ensemble is not the cells' own
 * @param trail a digest for each of the last writes of the state, the newest last; each is made of the one before, too, so that
 *     one that fits vouches for all before it
 */
public record Ensemble(int number, List<String> servers, List<String> trail) {
    /** A cell that was away for more writes than this knows a state by its epochs alone. */
    static final int TRAIL = 64;

    private static final int DIGEST_BYTES = 8;

    public Ensemble {
        servers = List.copyOf(servers);
        trail = List.copyOf(trail);
    }

    public static Ensemble first(List<String> servers) {
        return new Ensemble(1, servers, List.of());
    }

    public Ensemble withServers(List<String> next) {
        return new Ensemble(number + 1, next, trail);
    }

    /** One write further. */
    Ensemble after(String content) {
        ArrayList<String> longer = new ArrayList<>(trail);
        longer.add(digest((trail.isEmpty() ? "" : trail.getLast()) + '\n' + content));
        List<String> kept = longer.subList(Math.max(0, longer.size() - TRAIL), longer.size());
        return new Ensemble(number, servers, kept);
    }

    /** The digest of the write so many writes ago; null when that is forgotten. */
    public @Nullable String ago(int writes) {
        int index = trail.size() - 1 - writes;
        return index < 0 || writes < 0 ? null : trail.get(index);
    }

    /** Whether servers with either list form one ensemble: each majority of the one has a server of each majority of the other. */
    public static boolean areOne(List<String> one, List<String> other) {
        int longer = Math.max(one.size(), other.size());
        int shorter = Math.min(one.size(), other.size());
        boolean begin = one.subList(0, shorter).equals(other.subList(0, shorter));
        return begin && majority(one.size()) + majority(other.size()) > longer;
    }

    private static int majority(int servers) {
        return servers / 2 + 1;
    }

    /**
     * Why a server or an agent with the list {@code configured} must not run beside those with the one on record; empty when it
     * may: the lists are alike, or one server was appended.
     */
    public static String refusal(List<String> onRecord, List<String> configured) {
        boolean longerByOne = configured.size() == onRecord.size() + 1 && !onRecord.isEmpty();
        if (configured.isEmpty() || onRecord.equals(configured) || (longerByOne && areOne(onRecord, configured))) {
            return "";
        }
        String both = "zookeeper.cells names the servers " + text(configured) + ", and the cluster's ensemble is "
                + text(onRecord);
        if (onRecord.isEmpty()) {
            return both + ". A cluster that was founded on an ensemble of its operators' own stays with it:"
                    + " set zookeeper.connect";
        }
        boolean appended = configured.size() > onRecord.size()
                && configured.subList(0, onRecord.size()).equals(onRecord);
        if (appended) {
            List<String> next = configured.subList(0, onRecord.size() + 1);
            return both + ". One server at a time can be appended, or two ensembles would come of it. Set the list "
                    + text(next)
                    + " on every cell and restart one after the other, the cell of the new server first; when all of"
                    + " them run with it, it is put on record, and the next one can be appended";
        }
        return both
                + ". No server can be moved, renumbered or left out, or two ensembles would come of it. Set the list "
                + text(onRecord) + " again, and append to it what is new, one server at a time";
    }

    /** As people read it: each server with its number. */
    public static String text(List<String> servers) {
        if (servers.isEmpty()) {
            return "none of the cells'";
        }
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < servers.size(); i++) {
            text.append(i == 0 ? "" : ", ").append(i + 1).append('=').append(servers.get(i));
        }
        return text.toString();
    }

    private static String digest(String content) {
        try {
            byte[] whole = MessageDigest.getInstance("SHA-256").digest(content.getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(whole, 0, DIGEST_BYTES);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("this Java has no SHA-256", e);
        }
    }
}
