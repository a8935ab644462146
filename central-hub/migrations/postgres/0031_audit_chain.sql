-- The audit as a chain (hub_core::audit). The rows of before are chained by the hub when it opens the database.

ALTER TABLE audit RENAME TO audit_unchained;

CREATE TABLE audit (
    day    TEXT NOT NULL,
    -- From 1, without holes.
    number BIGINT NOT NULL,
    at     BIGINT NOT NULL,
    action TEXT NOT NULL,
    -- Who did it: a user, `agent:SITE/AGENT`, or `hub`.
    actor  TEXT NOT NULL,
    site   TEXT,
    -- To what: an agent, an alert, a user.
    object TEXT,
    -- One plain English sentence.
    detail TEXT NOT NULL,
    -- What the person said it was for.
    reason TEXT,
    digest BYTEA NOT NULL,
    PRIMARY KEY (day, number)
);
CREATE INDEX audit_by_action ON audit (action, at);

CREATE TABLE audit_days (
    day          TEXT NOT NULL PRIMARY KEY,
    algorithm    TEXT NOT NULL,
    -- Days in the order in which they were opened, from 1.
    opened       BIGINT NOT NULL UNIQUE,
    -- The head of the day that was opened before it, as it was then.
    after_day    TEXT,
    after_count  BIGINT,
    after_digest BYTEA,
    count        BIGINT NOT NULL,
    head         BYTEA NOT NULL
);
