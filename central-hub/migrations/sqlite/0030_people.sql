-- People: who they are, what they hold, where they are logged in, from where they are known.

ALTER TABLE users ADD COLUMN name TEXT;
ALTER TABLE users ADD COLUMN disabled_at INTEGER;
ALTER TABLE users ADD COLUMN last_login_at INTEGER;
-- The second factor's secret, sealed under the data folder's key; and since when its owner has shown to have it.
ALTER TABLE users ADD COLUMN totp_secret BLOB;
ALTER TABLE users ADD COLUMN totp_proven_at INTEGER;
-- The step of the last code that was taken: none counts twice.
ALTER TABLE users ADD COLUMN totp_step INTEGER NOT NULL DEFAULT 0;

CREATE TABLE grants (
    account    TEXT NOT NULL,
    -- hub_core::rights::Role
    role       TEXT NOT NULL,
    -- '' is every site, those to come included.
    site       TEXT NOT NULL,
    granted_at INTEGER NOT NULL,
    granted_by TEXT NOT NULL,
    -- Counts only while nobody else who is not disabled holds this role at every site.
    stand_in   INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (account, role, site)
) WITHOUT ROWID;
INSERT INTO grants (account, role, site, granted_at, granted_by, stand_in)
    SELECT account, column1, '', created_at, 'hub', column2 FROM users
    CROSS JOIN (VALUES ('administrator', 0), ('operator', 1), ('shift_lead', 1), ('installer', 1))
    WHERE account = 'admin';

-- Everybody logs in anew once.
DROP TABLE sessions;
CREATE TABLE sessions (
    -- SHA-256 of the cookie's token.
    token_hash    BLOB NOT NULL PRIMARY KEY,
    -- What people end it by.
    id            TEXT NOT NULL UNIQUE,
    account       TEXT NOT NULL,
    second_factor INTEGER NOT NULL,
    -- By a one-time link: for a while it may set a password without the old one.
    by_link       INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    source        TEXT NOT NULL,
    browser       TEXT NOT NULL,
    -- In minutes that the hub has run, counters.minutes: no step of a clock ends a session.
    opened        INTEGER NOT NULL,
    seen          INTEGER NOT NULL,
    -- What the person said they are looking for, and until when that holds.
    reason        TEXT,
    reason_until  INTEGER
) WITHOUT ROWID;
CREATE INDEX sessions_by_account ON sessions (account);
INSERT INTO counters (name, value) VALUES ('minutes', 0);

-- Browsers that somebody has logged in with: guessers elsewhere cannot use up their tries.
CREATE TABLE devices (
    -- SHA-256 of the cookie's token.
    token_hash BLOB NOT NULL,
    account    TEXT NOT NULL,
    used_at    INTEGER NOT NULL,
    PRIMARY KEY (token_hash, account)
) WITHOUT ROWID;
CREATE INDEX devices_by_account ON devices (account, used_at);

-- Tries of the last minutes; each counts in one or more buckets.
DROP TABLE login_attempts;
CREATE TABLE login_attempts (
    id     TEXT NOT NULL PRIMARY KEY,
    -- account/.., source/.., device/.., code/..
    bucket TEXT NOT NULL,
    at     INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX login_attempts_by_bucket ON login_attempts (bucket, at);
