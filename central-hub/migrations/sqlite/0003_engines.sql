-- One text for two engines: `user` is a word of SQL, numbers of changes come from a counter, rows that had
-- only a number get an id that sorts by time.

ALTER TABLE users RENAME COLUMN user TO account;
ALTER TABLE sessions RENAME COLUMN user TO account;
ALTER TABLE login_links RENAME COLUMN user TO account;

CREATE TABLE counters (
    name  TEXT NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO counters (name, value)
    VALUES ('changes', coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'changes'), 0));

CREATE TABLE changes_next (
    change  INTEGER NOT NULL PRIMARY KEY,
    -- What it was about: agent/AGENT, alert/AGENT/EPOCH/SEQ, ...
    subject TEXT NOT NULL
);
INSERT INTO changes_next (change, subject)
    SELECT change, CASE WHEN seq IS NULL THEN 'agent/' || agent ELSE 'alert/' || agent || '/' || epoch || '/' || seq END
    FROM changes;
DROP TABLE changes;
ALTER TABLE changes_next RENAME TO changes;

CREATE TABLE dead_letters_next (
    id          TEXT NOT NULL PRIMARY KEY,
    site        TEXT NOT NULL,
    agent       TEXT NOT NULL,
    channel     TEXT NOT NULL,
    epoch       TEXT,
    seq         INTEGER,
    reason      TEXT NOT NULL,
    why         TEXT NOT NULL,
    raw         BLOB NOT NULL,
    received_at INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO dead_letters_next
    SELECT printf('%016d', id), site, agent, channel, epoch, seq, reason, why, raw, received_at FROM dead_letters;
DROP TABLE dead_letters;
ALTER TABLE dead_letters_next RENAME TO dead_letters;

CREATE TABLE audit_next (
    id     TEXT NOT NULL PRIMARY KEY,
    at     INTEGER NOT NULL,
    action TEXT NOT NULL,
    actor  TEXT NOT NULL,
    agent  TEXT,
    detail TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO audit_next SELECT printf('%016d', id), at, action, actor, agent, detail FROM audit;
DROP TABLE audit;
ALTER TABLE audit_next RENAME TO audit;

DROP TABLE login_attempts;
CREATE TABLE login_attempts (
    id      TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    source  TEXT NOT NULL,
    at      INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX login_attempts_by_account ON login_attempts (account, source, at);
