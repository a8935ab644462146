-- The tables as SQLite has them after its steps 1 to 3. Times are milliseconds since 1970 UTC. Ids are the
-- protocol's: opaque ASCII. The database compares texts by their bytes.

CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- Whoever reads and then decides holds the row of what it decides about.
CREATE TABLE locks (
    name TEXT NOT NULL PRIMARY KEY
);

-- Numbers without holes, in the order of commits.
CREATE TABLE counters (
    name  TEXT NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES ('changes', 0);

CREATE TABLE agents (
    agent      TEXT NOT NULL PRIMARY KEY,
    site       TEXT NOT NULL,
    -- The name given when it was enrolled; the one it reports itself wins.
    name       TEXT,
    own_name   TEXT,
    created_at BIGINT NOT NULL,
    -- Taken away by an operator; a new token lets it in again.
    revoked_at BIGINT,
    -- Two boxes were seen with its certificate: since when, and what was seen. An operator decides.
    held_at    BIGINT,
    held_why   TEXT,
    -- online, offline or unknown (not heard since the hub started).
    state      TEXT NOT NULL DEFAULT 'unknown',
    version    TEXT,
    since      BIGINT,
    last_seen  BIGINT,
    -- The last health message, as JSON.
    health     TEXT
);

CREATE TABLE cameras (
    agent  TEXT NOT NULL,
    camera TEXT NOT NULL,
    name   TEXT,
    state  TEXT NOT NULL,
    since  BIGINT NOT NULL,
    reason TEXT,
    width  BIGINT,
    height BIGINT,
    PRIMARY KEY (agent, camera)
);

-- Every record ever settled one by one: its identity and what it said.
CREATE TABLE records (
    agent    TEXT NOT NULL,
    epoch    TEXT NOT NULL,
    seq      BIGINT NOT NULL,
    -- SHA-256 of its canonical JSON.
    hash     BYTEA NOT NULL,
    -- Why it was refused for good; NULL where it was taken.
    rejected TEXT,
    PRIMARY KEY (agent, epoch, seq)
);

-- What is settled, as ranges that never touch.
CREATE TABLE settled (
    agent TEXT NOT NULL,
    epoch TEXT NOT NULL,
    first BIGINT NOT NULL,
    last  BIGINT NOT NULL,
    PRIMARY KEY (agent, epoch, first)
);

CREATE TABLE alerts (
    agent          TEXT NOT NULL,
    epoch          TEXT NOT NULL,
    seq            BIGINT NOT NULL,
    site           TEXT NOT NULL,
    camera         TEXT NOT NULL,
    kind           TEXT NOT NULL,
    rule           TEXT NOT NULL,
    rule_name      TEXT,
    severity       TEXT NOT NULL,
    direction      TEXT,
    -- 64 bits, as a signed integer.
    track          BIGINT,
    object_class   TEXT,
    confidence     REAL,
    -- JSON: left, top, width, height.
    box            TEXT,
    test           BOOLEAN NOT NULL,
    at             BIGINT NOT NULL,
    time_source    TEXT NOT NULL,
    uncertainty_ms BIGINT,
    not_durable    BOOLEAN NOT NULL,
    received_at    BIGINT NOT NULL,
    still_state    TEXT NOT NULL,
    still_reason   TEXT,
    -- The record as it came, with fields of newer versions.
    raw            TEXT NOT NULL,
    PRIMARY KEY (agent, epoch, seq)
);
CREATE INDEX alerts_by_time ON alerts (at, agent, epoch, seq);

-- How an alert went on. Apart from the alert, so that it may come before it.
CREATE TABLE courses (
    agent        TEXT NOT NULL,
    epoch        TEXT NOT NULL,
    of_seq       BIGINT NOT NULL,
    ended_at     BIGINT,
    -- The record that said so last, for the still's state: a later one wins.
    still_seq    BIGINT NOT NULL DEFAULT 0,
    still_state  TEXT,
    still_reason TEXT,
    PRIMARY KEY (agent, epoch, of_seq)
);

-- The stills that are on disk. A still may come before its alert.
CREATE TABLE stills (
    agent       TEXT NOT NULL,
    epoch       TEXT NOT NULL,
    seq         BIGINT NOT NULL,
    bytes       BIGINT NOT NULL,
    sha256      BYTEA NOT NULL,
    received_at BIGINT NOT NULL,
    PRIMARY KEY (agent, epoch, seq)
);

CREATE TABLE gaps (
    agent     TEXT NOT NULL,
    epoch     TEXT NOT NULL,
    seq       BIGINT NOT NULL,
    count     BIGINT NOT NULL,
    first_seq BIGINT NOT NULL,
    last_seq  BIGINT NOT NULL,
    class     TEXT,
    cause     TEXT NOT NULL,
    at        BIGINT NOT NULL,
    PRIMARY KEY (agent, epoch, seq)
);

CREATE TABLE agent_events (
    agent  TEXT NOT NULL,
    epoch  TEXT NOT NULL,
    seq    BIGINT NOT NULL,
    event  TEXT NOT NULL,
    camera TEXT,
    reason TEXT,
    at     BIGINT NOT NULL,
    PRIMARY KEY (agent, epoch, seq)
);

-- What could not be taken, as it came (cut to a bound), newest kept.
CREATE TABLE dead_letters (
    id          TEXT NOT NULL PRIMARY KEY,
    site        TEXT NOT NULL,
    agent       TEXT NOT NULL,
    channel     TEXT NOT NULL,
    epoch       TEXT,
    seq         BIGINT,
    reason      TEXT NOT NULL,
    why         TEXT NOT NULL,
    raw         BYTEA NOT NULL,
    received_at BIGINT NOT NULL
);

-- What changed, in commit order: the feed reads it.
CREATE TABLE changes (
    change  BIGINT NOT NULL PRIMARY KEY,
    -- What it was about: agent/AGENT, alert/AGENT/EPOCH/SEQ, ...
    subject TEXT NOT NULL
);

CREATE TABLE users (
    account       TEXT NOT NULL PRIMARY KEY,
    -- Argon2id, PHC string.
    password_hash TEXT NOT NULL,
    created_at    BIGINT NOT NULL
);

CREATE TABLE sessions (
    -- SHA-256 of the cookie's token.
    token_hash BYTEA NOT NULL PRIMARY KEY,
    account    TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE TABLE login_links (
    token_hash BYTEA NOT NULL PRIMARY KEY,
    account    TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT
);

CREATE TABLE login_attempts (
    id      TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    source  TEXT NOT NULL,
    at      BIGINT NOT NULL
);
CREATE INDEX login_attempts_by_account ON login_attempts (account, source, at);

-- The hub's authorities, oldest first. Their keys are files, not here.
CREATE TABLE authorities (
    -- SHA-256 of the certificate's DER, hexadecimal.
    fingerprint TEXT NOT NULL PRIMARY KEY,
    pem         TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    -- No longer believed, by anybody.
    retired_at  BIGINT
);

-- Every certificate that was ever issued to a box.
CREATE TABLE certificates (
    -- Lower-case hexadecimal without leading zeros.
    serial      TEXT NOT NULL PRIMARY KEY,
    site        TEXT NOT NULL,
    agent       TEXT NOT NULL,
    authority   TEXT NOT NULL,
    -- SHA-256 of the public key (SubjectPublicKeyInfo, DER).
    key_hash    BYTEA NOT NULL,
    pem         TEXT NOT NULL,
    issued_at   BIGINT NOT NULL,
    not_before  BIGINT NOT NULL,
    not_after   BIGINT NOT NULL,
    -- pending: renewed, not confirmed yet, and valid. active. superseded, revoked: worth nothing.
    state       TEXT NOT NULL CHECK (state IN ('pending', 'active', 'superseded', 'revoked')),
    ended_at    BIGINT
);
CREATE INDEX certificates_by_agent ON certificates (agent, state);

CREATE TABLE tokens (
    -- SHA-256 of the secret.
    secret_hash BYTEA NOT NULL PRIMARY KEY,
    site        TEXT NOT NULL,
    agent       TEXT NOT NULL,
    name        TEXT,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    redeemed_at BIGINT,
    -- The certificate it was redeemed for.
    serial      TEXT
);

-- What was refused or decided about who is who. Nothing is ever deleted or altered here.
CREATE TABLE audit (
    id     TEXT NOT NULL PRIMARY KEY,
    at     BIGINT NOT NULL,
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
    generation BIGINT NOT NULL,
    toml       TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    -- What the agent said of it: JSON of the protocol's ConfigReport.
    report     TEXT,
    PRIMARY KEY (agent, generation)
);
