-- Times are milliseconds since 1970 UTC. Ids are the protocol's: opaque ASCII.

CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE agents (
    agent      TEXT NOT NULL PRIMARY KEY,
    site       TEXT NOT NULL,
    -- The name given when it was enrolled; the one it reports itself wins.
    name       TEXT,
    own_name   TEXT,
    -- SHA-256 of its key; NULL once revoked.
    key_hash   BLOB UNIQUE,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER,
    -- online, offline or unknown (not heard since the hub started).
    state      TEXT NOT NULL DEFAULT 'unknown',
    version    TEXT,
    since      INTEGER,
    last_seen  INTEGER,
    -- The last health message, as JSON.
    health     TEXT
) WITHOUT ROWID;

CREATE TABLE cameras (
    agent  TEXT NOT NULL,
    camera TEXT NOT NULL,
    name   TEXT,
    state  TEXT NOT NULL,
    since  INTEGER NOT NULL,
    reason TEXT,
    width  INTEGER,
    height INTEGER,
    PRIMARY KEY (agent, camera)
) WITHOUT ROWID;

-- Every record ever settled one by one: its identity and what it said.
CREATE TABLE records (
    agent    TEXT NOT NULL,
    epoch    TEXT NOT NULL,
    seq      INTEGER NOT NULL,
    -- SHA-256 of its canonical JSON.
    hash     BLOB NOT NULL,
    -- Why it was refused for good; NULL where it was taken.
    rejected TEXT,
    PRIMARY KEY (agent, epoch, seq)
) WITHOUT ROWID;

-- What is settled, as ranges that never touch.
CREATE TABLE settled (
    agent TEXT NOT NULL,
    epoch TEXT NOT NULL,
    first INTEGER NOT NULL,
    last  INTEGER NOT NULL,
    PRIMARY KEY (agent, epoch, first)
) WITHOUT ROWID;

CREATE TABLE alerts (
    agent          TEXT NOT NULL,
    epoch          TEXT NOT NULL,
    seq            INTEGER NOT NULL,
    site           TEXT NOT NULL,
    camera         TEXT NOT NULL,
    kind           TEXT NOT NULL,
    rule           TEXT NOT NULL,
    rule_name      TEXT,
    severity       TEXT NOT NULL,
    direction      TEXT,
    -- 64 bits, as SQLite's signed integer.
    track          INTEGER,
    object_class   TEXT,
    confidence     REAL,
    -- JSON: left, top, width, height.
    box            TEXT,
    test           INTEGER NOT NULL,
    at             INTEGER NOT NULL,
    time_source    TEXT NOT NULL,
    uncertainty_ms INTEGER,
    not_durable    INTEGER NOT NULL,
    received_at    INTEGER NOT NULL,
    still_state    TEXT NOT NULL,
    still_reason   TEXT,
    -- The record as it came, with fields of newer versions.
    raw            TEXT NOT NULL,
    PRIMARY KEY (agent, epoch, seq)
) WITHOUT ROWID;
CREATE INDEX alerts_by_time ON alerts (at, agent, epoch, seq);

-- How an alert went on. Apart from the alert, so that it may come before it.
CREATE TABLE courses (
    agent        TEXT NOT NULL,
    epoch        TEXT NOT NULL,
    of_seq       INTEGER NOT NULL,
    ended_at     INTEGER,
    -- The record that said so last, for the still's state: a later one wins.
    still_seq    INTEGER NOT NULL DEFAULT 0,
    still_state  TEXT,
    still_reason TEXT,
    PRIMARY KEY (agent, epoch, of_seq)
) WITHOUT ROWID;

-- The stills that are on disk. A still may come before its alert.
CREATE TABLE stills (
    agent       TEXT NOT NULL,
    epoch       TEXT NOT NULL,
    seq         INTEGER NOT NULL,
    bytes       INTEGER NOT NULL,
    sha256      BLOB NOT NULL,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (agent, epoch, seq)
) WITHOUT ROWID;

CREATE TABLE gaps (
    agent     TEXT NOT NULL,
    epoch     TEXT NOT NULL,
    seq       INTEGER NOT NULL,
    count     INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq  INTEGER NOT NULL,
    class     TEXT,
    cause     TEXT NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (agent, epoch, seq)
) WITHOUT ROWID;

CREATE TABLE agent_events (
    agent  TEXT NOT NULL,
    epoch  TEXT NOT NULL,
    seq    INTEGER NOT NULL,
    event  TEXT NOT NULL,
    camera TEXT,
    reason TEXT,
    at     INTEGER NOT NULL,
    PRIMARY KEY (agent, epoch, seq)
) WITHOUT ROWID;

-- What could not be taken, as it came (cut to a bound), newest kept.
CREATE TABLE dead_letters (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    site        TEXT NOT NULL,
    agent       TEXT NOT NULL,
    channel     TEXT NOT NULL,
    epoch       TEXT,
    seq         INTEGER,
    reason      TEXT NOT NULL,
    why         TEXT NOT NULL,
    raw         BLOB NOT NULL,
    received_at INTEGER NOT NULL
);

-- What changed, in commit order: the feed reads it. `agent` alone, or one alert of it.
CREATE TABLE changes (
    change INTEGER PRIMARY KEY AUTOINCREMENT,
    agent  TEXT NOT NULL,
    epoch  TEXT,
    seq    INTEGER
);

CREATE TABLE users (
    user          TEXT NOT NULL PRIMARY KEY,
    -- Argon2id, PHC string.
    password_hash TEXT NOT NULL,
    created_at    INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE sessions (
    -- SHA-256 of the cookie's token.
    token_hash BLOB NOT NULL PRIMARY KEY,
    user       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE login_links (
    token_hash BLOB NOT NULL PRIMARY KEY,
    user       TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER
) WITHOUT ROWID;

CREATE TABLE login_attempts (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    source  TEXT NOT NULL,
    at      INTEGER NOT NULL
);
CREATE INDEX login_attempts_by_account ON login_attempts (account, source, at);
