-- Hubs that run on this database, and who of them does what only one may do.

CREATE TABLE hubs (
    hub     TEXT NOT NULL PRIMARY KEY,
    -- Machine and data folder, for people.
    place   TEXT NOT NULL,
    -- It has an embedded broker and tolerates no other hub.
    alone   BOOLEAN NOT NULL,
    -- When it last said that it lives, by the database's clock.
    seen_at BIGINT NOT NULL
);

CREATE TABLE leases (
    name    TEXT NOT NULL PRIMARY KEY,
    hub     TEXT NOT NULL,
    ends_at BIGINT NOT NULL
);
