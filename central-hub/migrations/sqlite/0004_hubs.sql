-- Hubs that run on this database, and who of them does what only one may do. (SQLite has one hub; the tables are
-- here so that both engines have the same.)

CREATE TABLE hubs (
    hub     TEXT NOT NULL PRIMARY KEY,
    -- Machine and data folder, for people.
    place   TEXT NOT NULL,
    -- It has an embedded broker and tolerates no other hub.
    alone   INTEGER NOT NULL,
    -- When it last said that it lives, by the database's clock.
    seen_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE leases (
    name    TEXT NOT NULL PRIMARY KEY,
    hub     TEXT NOT NULL,
    ends_at INTEGER NOT NULL
) WITHOUT ROWID;
