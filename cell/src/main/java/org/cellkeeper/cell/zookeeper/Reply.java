package org.cellkeeper.cell.zookeeper;

import java.util.List;
import org.apache.curator.framework.api.CuratorEvent;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Stat;
import org.cellkeeper.cell.port.Coordination.Outcome;
import org.jspecify.annotations.Nullable;

/**
 * What ZooKeeper answered to one request, or what became of it.
 *
 * @param path the node that was meant, or, after a create, the one that was made
 * @param data of the node; empty when it has none or was not read
 * @param acl to whom the node is open; empty when that was not read
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
record Reply(
        KeeperException.Code code,
        String path,
        byte[] data,
        List<String> children,
        List<ACL> acl,
        @Nullable Stat stat) {
    private static final byte[] NO_DATA = {};

    /** What Curator tells of a request that meant {@code path}. */
    static Reply of(String path, CuratorEvent event) {
        KeeperException.Code known = KeeperException.Code.get(event.getResultCode());
        String name = event.getName();
        byte[] data = event.getData();
        List<String> children = event.getChildren();
        List<ACL> acl = event.getACLList();
        return new Reply(
                known == null ? KeeperException.Code.SYSTEMERROR : known,
                name == null ? path : name,
                data == null ? NO_DATA : data,
                children == null ? List.of() : children,
                acl == null ? List.of() : acl,
                event.getStat());
    }

    static Reply of(KeeperException.Code code, String path) {
        return new Reply(code, path, NO_DATA, List.of(), List.of(), null);
    }

    boolean isOk() {
        return code == KeeperException.Code.OK;
    }

    boolean isAbsent() {
        return code == KeeperException.Code.NONODE;
    }

    boolean isThere() {
        return code == KeeperException.Code.NODEEXISTS;
    }

    Stat statOfOk() {
        if (stat == null) {
            throw new IllegalStateException("no stat in a reply " + code + " for " + path);
        }
        return stat;
    }

    /** What is known of a write. I2, I3: whatever may have left this process and was not answered is UNKNOWN. */
    Outcome outcome() {
        return switch (code) {
            case OK -> Outcome.APPLIED;
            case BADVERSION,
                    NODEEXISTS,
                    NONODE,
                    NOTEMPTY,
                    NOAUTH,
                    NOCHILDRENFOREPHEMERALS,
                    EPHEMERALONLOCALSESSION,
                    INVALIDACL,
                    INVALIDCALLBACK,
                    NOTREADONLY,
                    QUOTAEXCEEDED,
                    THROTTLEDOP -> Outcome.CONFLICT;
            case SYSTEMERROR,
                    RUNTIMEINCONSISTENCY,
                    DATAINCONSISTENCY,
                    CONNECTIONLOSS,
                    MARSHALLINGERROR,
                    UNIMPLEMENTED,
                    OPERATIONTIMEOUT,
                    BADARGUMENTS,
                    NEWCONFIGNOQUORUM,
                    RECONFIGINPROGRESS,
                    UNKNOWNSESSION,
                    APIERROR,
                    SESSIONEXPIRED,
                    AUTHFAILED,
                    SESSIONMOVED,
                    SESSIONCLOSEDREQUIRESASLAUTH,
                    REQUESTTIMEOUT,
                    RECONFIGDISABLED,
                    NOWATCHER -> Outcome.UNKNOWN;
        };
    }
}
