package org.cellkeeper.cell.http;

import org.cellkeeper.api.Problem;

/** Ends a request with a problem. It carries no stack trace: it is an answer, not a fault. */
final class RequestProblem extends RuntimeException {
    private static final long serialVersionUID = 1L;
    private final int status;
    private final String title;
    private final String code;
    private final String detail;

    RequestProblem(int status, String title, String code, String detail) {
        super(detail, null, false, false);
        this.status = status;
        this.title = title;
        this.code = code;
        this.detail = detail;
    }

    static RequestProblem badRequest(String detail) {
        return new RequestProblem(400, "Bad request", "bad-request", detail);
    }

    static RequestProblem notFound(String code, String detail) {
        return new RequestProblem(404, "Not found", code, detail);
    }

    static RequestProblem unavailable(String code, String detail) {
        return new RequestProblem(503, "Not available", code, detail);
    }

    Problem problem() {
        return Problem.of(status, title, code, detail);
    }

    String code() {
        return code;
    }

    int status() {
        return status;
    }
}
