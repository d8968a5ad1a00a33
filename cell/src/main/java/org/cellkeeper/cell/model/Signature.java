package org.cellkeeper.cell.model;

/** What a backup's signature proves: whether this cluster made it, and that it is what was made. */
public enum Signature {
    /** This cluster made it, as it is. */
    VALID,

    /** There is none. */
    MISSING,

    /** Made with another secret. */
    FOREIGN,

    /** Made with this cluster's secret, for something else. */
    WRONG;

    private static final String ACCEPT =
            ". Whoever forged one would have a program of theirs run as PostgreSQL's user here, so it is"
                    + " refused; nothing was changed. Use a backup whose signature is valid, or, if nobody else could write where this one"
                    + " has lain, say so for it alone: cellctl backup check and restore take --accept-unsigned, the API acceptUnsigned";

    /** Whether a backup with it may be used when an operator says so. */
    public boolean mayBeAccepted() {
        return this == MISSING || this == FOREIGN;
    }

    /** Whether a backup with it may be used. */
    public boolean isEnough(boolean acceptUnsigned) {
        return this == VALID || (acceptUnsigned && mayBeAccepted());
    }

    /** Why a backup with it is not used, and what to do. */
    public String inWords() {
        return switch (this) {
            case VALID -> "its signature is valid";
            case MISSING ->
                "it has no signature: it was made before backups were signed, or somebody has taken it away" + ACCEPT;
            case FOREIGN ->
                "it is signed with another secret than this cluster's: another cluster made it, or this one with a secret"
                        + " that is no longer listed. If it is this one's and you still have that secret, list it again, on the last"
                        + " line of the cluster's secret file of every cell" + ACCEPT;
            case WRONG ->
                "its signature is not that of its manifest: it was changed after it was made; nothing was changed here, use"
                        + " another backup";
        };
    }
}
