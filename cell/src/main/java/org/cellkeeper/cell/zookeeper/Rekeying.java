package org.cellkeeper.cell.zookeeper;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.data.ACL;
import org.cellkeeper.cell.wire.Json;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps every node open by all secrets that a cell lists, and by no other. Each cell tells in a node of its session what it lists; each,
 * whenever that changes, goes through all nodes, and gives those that are open to others what they are to have. They may do so at the
 * same time. While there is a cell that does not tell, nothing is taken away from a node. The base is seen to last: where it is in order,
 * so is all below it, and an agent that is started need not look. Lives on the coordination thread; the words are for any. Nothing waits
 * for it.
 */
final class Rekeying {
    private static final Logger LOG = LoggerFactory.getLogger(Rekeying.class);

    /** After a connection is made there is more urgent work. */
    private static final long CALM_MILLIS = 3000;

    private static final long SOON_MILLIS = 200;
    private static final long RETRY_MILLIS = 1000;

    /** Once more, for what another cell has made or changed before it knew. */
    private static final long AGAIN_MILLIS = 5000;

    private static final int WALKS = 2;
    private static final CompletableFuture<Boolean> NO = CompletableFuture.completedFuture(false);
    private static final int MOST_TRIES = 5;

    private final Tree tree;
    private final NodeKeys keys;
    private final Supplier<List<String>> names;
    private final boolean ownRoot;
    private final ScheduledExecutorService thread;
    private final Supplier<@Nullable Connection> connection;

    private boolean planned;
    private boolean underWay;
    private boolean askedMeanwhile;
    /** What stands in ZooKeeper of this cell; null when that is not known. */
    private @Nullable Told told;
    /** The different lists that there were at the last look; null before the first. */
    private @Nullable Set<List<String>> seen;
    /** How often all nodes are to be gone through. */
    private int walks;
    /** What they have now; null when that is not known. */
    private @Nullable Wanted done;

    private volatile String differences = "";
    private volatile String refused = "";

    /** What a cell lists, by digests and by names for people, in order. */
    record Listed(List<String> digests, List<String> names) {
        Listed {
            digests = List.copyOf(digests);
            names = List.copyOf(names);
        }
    }

    private record Told(long session, Listed listed) {}

    /**
     * What is to become of the nodes.
     *
     * @param exactly whether what they are open to beside it is taken away
     * @param known all by which a node is known to be of this cluster
     */
    private record Wanted(Set<String> digests, boolean exactly, Set<String> known) {
        boolean isAsIn(@Nullable Wanted other) {
            return other != null && digests.equals(other.digests) && exactly == other.exactly;
        }
    }

    Rekeying(
            Tree tree,
            NodeKeys keys,
            Supplier<List<String>> names,
            boolean ownRoot,
            ScheduledExecutorService thread,
            Supplier<@Nullable Connection> connection) {
        this.tree = tree;
        this.keys = keys;
        this.names = names;
        this.ownRoot = ownRoot;
        this.thread = thread;
        this.connection = connection;
    }

    // ---- on any thread

    /** What an operator has to know of; empty when all cells list the same and all nodes are open to them. */
    String words() {
        return List.of(differences, refused).stream()
                .filter(part -> !part.isEmpty())
                .collect(Collectors.joining("; "));
    }

    // ---- on the coordination thread

    void connected() {
        plan(CALM_MILLIS);
    }

    /** This cell lists others than before. */
    void secretsChanged() {
        Connection current = connection.get();
        if (current != null) {
            current.showKeys();
        }
        walks = WALKS;
        plan(0);
    }

    /** Whether this is where cells tell what they list, or that they are there. */
    boolean concerns(String path) {
        return path.startsWith(tree.secrets + "/") || path.startsWith(tree.members + "/");
    }

    void changed() {
        plan(SOON_MILLIS);
    }

    private void plan(long millis) {
        if (underWay) {
            askedMeanwhile = true;
            return;
        }
        if (millis == 0) {
            settle();
        } else if (!planned) {
            planned = true;
            var unused = thread.schedule(
                    () -> {
                        planned = false;
                        settle();
                    },
                    millis,
                    TimeUnit.MILLISECONDS);
        }
    }

    private void settle() {
        Connection current = connection.get();
        if (current == null) {
            return; // the next connection begins anew
        }
        if (underWay) {
            askedMeanwhile = true;
            return;
        }
        underWay = true;
        var unused = tell(current).thenCompose(ok -> ok ? look(current) : NO).whenComplete((ok, failure) -> {
            underWay = false;
            if (failure != null) {
                LOG.error("the nodes in ZooKeeper could not be looked through", failure);
            }
            boolean more = askedMeanwhile;
            askedMeanwhile = false;
            if (more) {
                plan(SOON_MILLIS);
            } else if (failure != null || !ok) {
                plan(RETRY_MILLIS);
            } else if (walks > 0) {
                plan(AGAIN_MILLIS);
            }
        });
    }

    // ---- what cells list

    /** Whoever changes his entry has all others look: it is written only when there is news. */
    private CompletableFuture<Boolean> tell(Connection c) {
        Told news = new Told(c.sessionId(), new Listed(keys.digests(), names.get()));
        if (news.equals(told)) {
            return CompletableFuture.completedFuture(true);
        }
        String path = entry(c.sessionId());
        byte[] data = Json.write(news.listed);
        return write(c, path, data).thenApply(reply -> {
            told = reply.isOk() ? news : null;
            return taken(reply);
        });
    }

    private CompletableFuture<Reply> write(Connection c, String path, byte[] data) {
        return tree.create(c, path, data, CreateMode.EPHEMERAL).thenCompose(made -> {
            if (made.isAbsent()) {
                // A cluster of before has no such folder.
                return c.create(tree.secrets, Tree.NO_DATA, CreateMode.PERSISTENT)
                        .thenCompose(folder -> c.create(path, data, CreateMode.EPHEMERAL));
            }
            return made.isThere() ? c.set(path, data, -1) : CompletableFuture.completedFuture(made);
        });
    }

    private boolean taken(Reply reply) {
        if (reply.code() == Code.NOAUTH) {
            shutOut(reply.path());
        }
        return reply.isOk();
    }

    private void shutOut(String path) {
        refused = "ZooKeeper refuses this cell " + path + ": no secret that it lists ("
                + String.join(", ", names.get())
                + ", which are names) opens it. List the secret of before, too, on the last line of the file of"
                + " cluster.secret-file, until all cells list the same";
    }

    private String entry(long session) {
        return tree.secrets + "/" + Long.toHexString(session);
    }

    private CompletableFuture<Boolean> look(Connection c) {
        return c.acl(tree.base).thenCompose(base -> {
            if (!base.isOk()) {
                return CompletableFuture.completedFuture(taken(base));
            }
            return children(c, tree.secrets)
                    .thenCombine(children(c, tree.members), (entries, members) -> wanted(c, base, entries, members))
                    .thenCompose(wanted -> {
                        if (walks == 0 && done == null && isRight(base.acl(), wanted)) {
                            done = wanted;
                        }
                        if (!wanted.isAsIn(done)) {
                            walks = Math.max(1, walks);
                        }
                        return walks == 0 ? CompletableFuture.completedFuture(true) : new Walk(c, wanted).begin();
                    });
        });
    }

    private Wanted wanted(Connection c, Reply base, Map<String, Reply> entries, Map<String, Reply> members) {
        Map<String, Listed> bySession = new HashMap<>();
        entries.forEach((session, reply) -> {
            try {
                bySession.put(session, Json.read(reply.data(), Listed.class));
            } catch (Json.Unreadable e) {
                LOG.warn("{} cannot be read: {}", reply.path(), e.getMessage());
            }
        });
        Map<String, List<String>> byCell = new TreeMap<>();
        Set<String> silent = new TreeSet<>();
        members.forEach((cell, reply) -> {
            Listed listed = bySession.get(Long.toHexString(reply.statOfOk().getEphemeralOwner()));
            if (listed == null) {
                silent.add(cell);
            } else {
                byCell.put(cell, listed.names());
            }
        });
        boolean exactly = silent.isEmpty() && bySession.size() == entries.size();
        if (!entries.containsKey(Long.toHexString(c.sessionId()))) {
            told = null;
            changed();
        }
        Set<String> others = new TreeSet<>();
        Set<List<String>> lists = new HashSet<>();
        bySession.forEach((session, listed) -> {
            lists.add(listed.digests());
            if (!session.equals(Long.toHexString(c.sessionId()))) {
                others.addAll(listed.digests());
            }
        });
        Set<String> before = digests(base.acl());
        if (!exactly) {
            others.addAll(before);
        }
        if (seen != null && !seen.equals(lists)) {
            walks = WALKS;
        }
        seen = lists;
        keys.othersList(others);
        differences = differences(byCell, silent, names.get().size() > 1);
        before.addAll(keys.all());
        return new Wanted(keys.all(), exactly, before);
    }

    private static boolean isRight(Collection<ACL> acl, Wanted wanted) {
        Set<String> has = digests(acl);
        return has.size() == acl.size()
                && (wanted.exactly ? has.equals(wanted.digests) : has.containsAll(wanted.digests));
    }

    private static Set<String> digests(Collection<ACL> acl) {
        return acl.stream()
                .map(ACL::getId)
                .filter(id -> id.getScheme().equals(NodeKeys.SCHEME))
                .map(id -> id.getId())
                .collect(Collectors.toCollection(TreeSet::new));
    }

    private static String differences(Map<String, List<String>> byCell, Set<String> silent, boolean several) {
        List<String> words = new ArrayList<>();
        if (byCell.values().stream().distinct().count() > 1) {
            words.add(byCell.entrySet().stream()
                    .map(cell -> cell.getKey() + " lists " + String.join(", ", cell.getValue()))
                    .collect(Collectors.joining("; ", "the cells do not list the same secrets of the cluster: ", "")));
        }
        if (several && !silent.isEmpty()) {
            words.add(String.join(", ", silent) + " has not told yet which secrets it lists");
        }
        return words.isEmpty()
                ? ""
                : String.join("; ", words)
                        + " (names, not secrets). Until all list the same, no secret of theirs is shut out of ZooKeeper; take the"
                        + " next step of a rotation, and above all the old secret out, only then";
    }

    private static CompletableFuture<Map<String, Reply>> children(Connection c, String folder) {
        return c.children(folder).thenCompose(listed -> {
            if (!listed.isOk() && !listed.isAbsent()) {
                return CompletableFuture.failedFuture(new Unanswered(listed));
            }
            List<String> children = listed.isAbsent() ? List.of() : listed.children();
            Map<String, CompletableFuture<Reply>> asked = new TreeMap<>();
            children.forEach(name -> asked.put(name, c.get(folder + "/" + name)));
            return CompletableFuture.allOf(asked.values().toArray(CompletableFuture[]::new))
                    .thenCompose(nothing -> {
                        Map<String, Reply> found = new TreeMap<>();
                        for (Map.Entry<String, CompletableFuture<Reply>> each : asked.entrySet()) {
                            Reply reply = each.getValue().join();
                            if (reply.isOk()) {
                                found.put(each.getKey(), reply);
                            } else if (!reply.isAbsent()) {
                                return CompletableFuture.failedFuture(new Unanswered(reply));
                            }
                        }
                        return CompletableFuture.completedFuture(found);
                    });
        });
    }

    /** Not a fault of this program: it is asked again. */
    private static final class Unanswered extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Unanswered(Reply reply) {
            super(reply.path() + " was answered with " + reply.code(), null, false, false);
        }
    }

    // ---- the nodes

    /** One way through all nodes, one after the other. */
    private final class Walk {
        private final Connection c;
        private final Wanted wanted;
        private final Deque<String> open = new ArrayDeque<>();
        private int changed;
        private int looked;
        private String shut = "";

        Walk(Connection c, Wanted wanted) {
            this.c = c;
            this.wanted = wanted;
        }

        /** Whether all are as they are to be. */
        CompletableFuture<Boolean> begin() {
            return below(tree.base)
                    .thenCompose(ok -> ok ? next() : NO)
                    .thenCompose(ok -> ok ? above() : NO)
                    .thenCompose(ok -> ok ? put(tree.base, false, 1) : NO)
                    .thenApply(ok -> ok ? finished() : failed());
        }

        private boolean finished() {
            refused = "";
            done = wanted;
            walks = Math.max(0, walks - 1);
            if (changed > 0) {
                LOG.info(
                        "{} of {} nodes in ZooKeeper were given the secrets that the cells list now: {} of them",
                        changed,
                        looked,
                        wanted.digests.size());
            }
            return true;
        }

        private boolean failed() {
            if (!shut.isEmpty()) {
                shutOut(shut);
            }
            return false;
        }

        private CompletableFuture<Boolean> below(String path) {
            return c.children(path).thenApply(listed -> {
                listed.children().forEach(name -> open.push(path + "/" + name));
                if (listed.code() == Code.NOAUTH) {
                    shut = path;
                    failed();
                }
                return listed.isOk() || listed.isAbsent();
            });
        }

        private CompletableFuture<Boolean> next() {
            if (open.isEmpty()) {
                return CompletableFuture.completedFuture(true);
            }
            String path = open.pop();
            return below(path)
                    .thenCompose(listed -> listed ? put(path, false, 1) : NO)
                    .thenCompose(ok -> ok ? next() : NO);
        }

        /** The root, where it is the cells', and what they have made on the way to their base. */
        private CompletableFuture<Boolean> above() {
            CompletableFuture<Boolean> all = CompletableFuture.completedFuture(true);
            for (int slash = tree.base.indexOf('/', 1); slash > 0; slash = tree.base.indexOf('/', slash + 1)) {
                String path = tree.base.substring(0, slash);
                all = all.thenCompose(ok -> ok ? put(path, true, 1) : NO);
            }
            return ownRoot ? all.thenCompose(ok -> ok ? put("/", false, 1) : NO) : all;
        }

        /** @param onlyOurs whether the node is left alone when none of us has made it */
        private CompletableFuture<Boolean> put(String path, boolean onlyOurs, int tries) {
            return c.acl(path).thenCompose(reply -> {
                looked += tries == 1 ? 1 : 0;
                if (reply.isAbsent()) {
                    return CompletableFuture.completedFuture(true);
                }
                if (!reply.isOk()) {
                    if (reply.code() == Code.NOAUTH) {
                        shut = path;
                    }
                    return CompletableFuture.completedFuture(onlyOurs && reply.code() == Code.NOAUTH);
                }
                Set<String> has = digests(reply.acl());
                boolean ours = has.stream().anyMatch(wanted.known::contains);
                if (isRight(reply.acl(), wanted) || (onlyOurs && !ours)) {
                    return CompletableFuture.completedFuture(true);
                }
                Set<String> next = new TreeSet<>(wanted.digests);
                if (!wanted.exactly) {
                    next.addAll(has);
                }
                return c.setAcl(path, NodeKeys.acl(next), reply.statOfOk().getAversion())
                        .thenCompose(set -> {
                            if (set.code() == Code.BADVERSION && tries < MOST_TRIES) {
                                return put(path, onlyOurs, tries + 1);
                            }
                            if (set.code() == Code.NOAUTH) {
                                shut = path;
                            }
                            changed += set.isOk() ? 1 : 0;
                            return CompletableFuture.completedFuture(set.isOk() || set.isAbsent());
                        });
            });
        }
    }
}
