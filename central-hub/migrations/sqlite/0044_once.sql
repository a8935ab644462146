-- What was answered to requests that their senders may repeat (Idempotency-Key).
CREATE TABLE once (
    account     TEXT NOT NULL,
    -- UUID, by the sender.
    request     TEXT NOT NULL,
    answered_at INTEGER NOT NULL,
    -- A digest of what was asked.
    content     TEXT NOT NULL,
    status      INTEGER NOT NULL,
    -- The incident's version, where the answer tells it.
    version     INTEGER,
    body        TEXT NOT NULL,
    PRIMARY KEY (account, request)
) WITHOUT ROWID;
CREATE INDEX once_by_time ON once (answered_at);
