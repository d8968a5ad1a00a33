package org.cellkeeper.api;

import org.jspecify.annotations.Nullable;

/** The appliance did not do what was asked. */
public abstract sealed class ApplianceFailure extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private ApplianceFailure(String message, @Nullable Throwable cause) {
        super(message, cause);
    }

    /** A cell answered with a problem. */
    public static final class Refused extends ApplianceFailure {
        private static final long serialVersionUID = 1L;
        private final int status;
        private final String code;

        public Refused(int status, String code, String detail) {
            super(detail, null);
            this.status = status;
            this.code = code;
        }

        public int status() {
            return status;
        }

        public String code() {
            return code;
        }
    }

    /** No cell could be reached; nothing was done. */
    public static final class NobodyAnswers extends ApplianceFailure {
        private static final long serialVersionUID = 1L;

        public NobodyAnswers(String message, @Nullable Throwable cause) {
            super(message, cause);
        }
    }

    /** The connection broke after the request was sent: it may have been accepted. */
    public static final class OutcomeUnknown extends ApplianceFailure {
        private static final long serialVersionUID = 1L;

        public OutcomeUnknown(String message, @Nullable Throwable cause) {
            super(message, cause);
        }
    }
}
