-- Migrations only add: a cell with an older program goes on with a newer schema while the cluster is upgraded cell by cell.

CREATE TABLE cell (
    name            text PRIMARY KEY,
    incarnation     text NOT NULL,
    address         text NOT NULL,
    product_version text NOT NULL,
    build_date      text NOT NULL,
    heartbeat       timestamptz NOT NULL
);

CREATE TABLE event (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest   bytea NOT NULL UNIQUE,
    at       timestamptz NOT NULL,
    cell     text NOT NULL,
    epoch    bigint NOT NULL,
    rule     integer NOT NULL,
    sentence text NOT NULL,
    detail   text NOT NULL,
    entry    jsonb NOT NULL
);

CREATE INDEX event_by_time ON event (at DESC, id DESC);
