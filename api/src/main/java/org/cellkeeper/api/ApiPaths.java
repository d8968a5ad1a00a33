package org.cellkeeper.api;

/** Where things are. */
public final class ApiPaths {
    public static final String BASE = "/api/1.0.0";
    public static final String NODES = BASE + "/nodes";
    public static final String IS_PRIMARY = BASE + "/isPrimary";
    public static final String PRIMARY = BASE + "/primary";
    public static final String STANDBY = BASE + "/standby";
    public static final String FAILOVER = NODES + "/failover";
    public static final String TASKS = BASE + "/tasks";
    public static final String HISTORY = BASE + "/history";
    public static final String EVENTS = BASE + "/events";
    public static final String AUDIT = BASE + "/audit";
    public static final String SERVICES = BASE + "/services";
    public static final String SESSIONS = BASE + "/sessions";
    public static final String CURRENT_SESSION = SESSIONS + "/current";
    public static final String BACKUPS = BASE + "/backups";
    public static final String VERSION = BASE + "/version";
    public static final String MOUNT = BASE + "/mount";
    public static final String STORAGE = BASE + "/storage";
    public static final String FIPS = BASE + "/fips";
    public static final String METRICS = BASE + "/metrics";
    public static final String LIVEZ = BASE + "/livez";
    public static final String READYZ = BASE + "/readyz";
    public static final String OPENAPI = BASE + "/openapi.yaml";
    public static final String SERVER_STATUS = "/cloud/server_status";
    public static final String CELLS = "/cloudapi/1.0.0/cells";

    /** A header of all answers of a cell that was removed: it hears of no other, so another one is to be asked about the cluster. */
    public static final String CELL_HEADER = "Cellkeeper-Cell";

    public static final String REMOVED = "removed";

    private ApiPaths() {}

    public static String promote(String name) {
        return NODES + "/" + name + "/promote";
    }

    public static String switchover(String name) {
        return NODES + "/" + name + "/switchover";
    }

    public static String deploy(String name) {
        return NODES + "/" + name + "/deploy";
    }

    public static String node(String name) {
        return NODES + "/" + name;
    }

    public static String backup(String name) {
        return BACKUPS + "/" + name;
    }

    public static String reload(String service) {
        return SERVICES + "/" + service + "/reload";
    }

    public static String check(String name) {
        return backup(name) + "/check";
    }

    public static String restore(String name) {
        return backup(name) + "/restore";
    }

    public static String task(String id) {
        return TASKS + "/" + id;
    }
}
