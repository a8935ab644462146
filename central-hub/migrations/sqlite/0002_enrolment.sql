-- Who may come in is a certificate on this list. Keys of the time before are worth nothing any more.

-- SQLite cannot drop a UNIQUE column, so the table is made anew without it.
CREATE TABLE agents_next (
    agent      TEXT NOT NULL PRIMARY KEY,
    site       TEXT NOT NULL,
    name       TEXT,
    own_name   TEXT,
    created_at INTEGER NOT NULL,
    -- Taken away by an operator; a new token lets it in again.
    revoked_at INTEGER,
    -- Two boxes were seen with its certificate: since when, and what was seen. An operator decides.
    held_at    INTEGER,
    held_why   TEXT,
    state      TEXT NOT NULL DEFAULT 'unknown',
    version    TEXT,
    since      INTEGER,
    last_seen  INTEGER,
    health     TEXT
) WITHOUT ROWID;
INSERT INTO agents_next (agent, site, name, own_name, created_at, revoked_at, state, version, since, last_seen, health)
    SELECT agent, site, name, own_name, created_at, revoked_at, state, version, since, last_seen, health FROM agents;
DROP TABLE agents;
ALTER TABLE agents_next RENAME TO agents;

-- The hub's authorities, oldest first. Their keys are in the data folder, not here.
CREATE TABLE authorities (
    -- SHA-256 of the certificate's DER, hexadecimal.
    fingerprint TEXT NOT NULL PRIMARY KEY,
    pem         TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    -- No longer believed, by anybody.
    retired_at  INTEGER
) WITHOUT ROWID;

-- Every certificate that was ever issued to a box.
CREATE TABLE certificates (
    -- Lower-case hexadecimal without leading zeros.
    serial      TEXT NOT NULL PRIMARY KEY,
    site        TEXT NOT NULL,
    agent       TEXT NOT NULL,
    authority   TEXT NOT NULL,
    -- SHA-256 of the public key (SubjectPublicKeyInfo, DER).
    key_hash    BLOB NOT NULL,
    pem         TEXT NOT NULL,
    issued_at   INTEGER NOT NULL,
    not_before  INTEGER NOT NULL,
    not_after   INTEGER NOT NULL,
    -- pending: renewed, not confirmed yet, and valid. active. superseded, revoked: worth nothing.
    state       TEXT NOT NULL CHECK (state IN ('pending', 'active', 'superseded', 'revoked')),
    ended_at    INTEGER
) WITHOUT ROWID;
CREATE INDEX certificates_by_agent ON certificates (agent, state);

CREATE TABLE tokens (
    -- SHA-256 of the secret.
    secret_hash BLOB NOT NULL PRIMARY KEY,
    site        TEXT NOT NULL,
    agent       TEXT NOT NULL,
    name        TEXT,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    redeemed_at INTEGER,
    -- The certificate it was redeemed for.
    serial      TEXT
) WITHOUT ROWID;

-- What was refused or decided about who is who. Nothing is ever deleted or altered here.
CREATE TABLE audit (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    at     INTEGER NOT NULL,
    -- token_created, enrolled, renewed, confirmed, revoked, released, held, forged_topic, forged_identity,
    -- certificate_refused, authority_made, authority_retired, ...
    action TEXT NOT NULL,
    -- Who did it: a user, `agent:SITE/AGENT`, or `hub`.
    actor  TEXT NOT NULL,
    agent  TEXT,
    -- Where it came from, and what was in it; one plain English sentence.
    detail TEXT NOT NULL
);

-- What the hub wishes an agent's configuration to be; generations are never reused.
CREATE TABLE configs (
    agent      TEXT NOT NULL,
    generation INTEGER NOT NULL,
    toml       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    -- What the agent said of it: JSON of the protocol's ConfigReport.
    report     TEXT,
    PRIMARY KEY (agent, generation)
) WITHOUT ROWID;
