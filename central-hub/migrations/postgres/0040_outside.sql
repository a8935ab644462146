-- What other systems, searches and figures get to know of incidents. All of it can be made anew from the incidents.

-- Who reads the change log on behalf of others, and how far. What is beyond is not dropped from the log.
CREATE TABLE followers (
    name    TEXT NOT NULL PRIMARY KEY,
    through BIGINT NOT NULL,
    -- Everything is being read anew: `SITE/INCIDENT` up to which it was; NULL where it is not.
    scan    TEXT
);
-- Incidents of the time before are read first.
INSERT INTO followers (name, through, scan) VALUES ('outside', 0, '');

-- What a webhook's receiver is to be told: one row an incident, which always means its latest version.
CREATE TABLE deliveries (
    site       TEXT NOT NULL,
    receiver   TEXT NOT NULL,
    incident   TEXT NOT NULL,
    -- The version to be told, and the one that was (0: none).
    version    BIGINT NOT NULL,
    told       BIGINT NOT NULL DEFAULT 0,
    -- waiting, told, given_up.
    state      TEXT NOT NULL,
    since      BIGINT NOT NULL,
    -- Not to be tried before then; a hub that takes it on moves it ahead first.
    due        BIGINT NOT NULL,
    attempts   BIGINT NOT NULL DEFAULT 0,
    -- What the last attempt came to, in English.
    error      TEXT,
    PRIMARY KEY (site, receiver, incident)
);
CREATE INDEX deliveries_due ON deliveries (receiver, due) WHERE state = 'waiting';

-- Which version of an incident was first told as a CAP message, and when: later ones refer to it.
CREATE TABLE cap_messages (
    site     TEXT NOT NULL,
    incident TEXT NOT NULL,
    version  BIGINT NOT NULL,
    sent_at  BIGINT NOT NULL,
    PRIMARY KEY (site, incident, version)
);

-- Under which number an incident stands in the index of words: newer ones have higher numbers.
CREATE TABLE search_docs (
    site     TEXT NOT NULL,
    incident TEXT NOT NULL,
    doc      BIGINT NOT NULL UNIQUE,
    -- SHA-256 of its words: the same ones are not written again.
    digest   BYTEA NOT NULL,
    -- Tokens, made by the hub; months among them, so that a search can go back in time step by step.
    words    TEXT[] NOT NULL,
    PRIMARY KEY (site, incident)
);

CREATE INDEX search_docs_by_word ON search_docs USING gin (words);

-- What each incident adds to the figures, as JSON: taken away again when it changes.
CREATE TABLE figured (
    site     TEXT NOT NULL,
    incident TEXT NOT NULL,
    part     TEXT NOT NULL,
    PRIMARY KEY (site, incident)
);
-- Days are counted since 1970, hours from 0, both in local time.
CREATE TABLE figure_hours (
    site         TEXT NOT NULL,
    day          BIGINT NOT NULL,
    hour         BIGINT NOT NULL,
    kind         TEXT NOT NULL,
    -- The camera that opened it; empty where people did.
    agent        TEXT NOT NULL,
    camera       TEXT NOT NULL,
    incidents    BIGINT NOT NULL,
    alerts       BIGINT NOT NULL,
    false_alarms BIGINT NOT NULL,
    PRIMARY KEY (site, day, hour, kind, agent, camera)
);
-- How long it took from the clock's start to `acknowledge`, `dispatch`, `resolve`, in steps of a logarithm.
CREATE TABLE figure_times (
    site   TEXT NOT NULL,
    day    BIGINT NOT NULL,
    kind   TEXT NOT NULL,
    what   TEXT NOT NULL,
    bucket BIGINT NOT NULL,
    count  BIGINT NOT NULL,
    PRIMARY KEY (site, day, kind, what, bucket)
);
-- Incidents that are over, by the rules whose alerts they hold.
CREATE TABLE figure_rules (
    site         TEXT NOT NULL,
    day          BIGINT NOT NULL,
    agent        TEXT NOT NULL,
    rule         TEXT NOT NULL,
    incidents    BIGINT NOT NULL,
    false_alarms BIGINT NOT NULL,
    PRIMARY KEY (site, day, agent, rule)
);
