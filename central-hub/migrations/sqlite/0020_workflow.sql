-- Working on incidents (ADR 9).

-- Whom it is given to, and the highest level that was called in: as the fold over its facts says.
ALTER TABLE incidents ADD COLUMN unit TEXT;
ALTER TABLE incidents ADD COLUMN member TEXT;
ALTER TABLE incidents ADD COLUMN level INTEGER NOT NULL DEFAULT 0;
CREATE INDEX incidents_of_member ON incidents (member) WHERE member IS NOT NULL AND alias_of IS NULL;
CREATE INDEX incidents_of_unit ON incidents (site, unit) WHERE unit IS NOT NULL AND alias_of IS NULL;
CREATE INDEX incidents_due ON incidents (due_at) WHERE due_at IS NOT NULL AND alias_of IS NULL;

-- What happened to incidents. Rows are added, never altered or deleted.
CREATE TABLE steps (
    site     TEXT NOT NULL,
    -- The incident it was written down for; what that is part of now says its row.
    incident TEXT NOT NULL,
    -- UUID, version 7.
    step     TEXT NOT NULL,
    at       INTEGER NOT NULL,
    -- A step of somebody (acknowledge, dispatch, ...), or a fact of the hub (opened, alert, absorbed, overdue,
    -- escalated, clock_set).
    kind     TEXT NOT NULL,
    actor    TEXT NOT NULL,
    -- operator, shift_lead, grid_member, or hub.
    role     TEXT NOT NULL,
    note     TEXT,
    unit     TEXT,
    member   TEXT,
    -- JSON: what belongs to this kind.
    data     TEXT NOT NULL DEFAULT '{}',
    PRIMARY KEY (site, incident, step)
) WITHOUT ROWID;
CREATE INDEX steps_by_time ON steps (site, at);

-- What people said who opened one by hand.
CREATE TABLE reports (
    site     TEXT NOT NULL,
    incident TEXT NOT NULL,
    reporter TEXT NOT NULL,
    words    TEXT NOT NULL,
    place    TEXT,
    x        REAL,
    y        REAL,
    lat      REAL,
    lon      REAL,
    -- The grid area it lies in.
    area     TEXT,
    PRIMARY KEY (site, incident)
) WITHOUT ROWID;

-- Photos; the file is DATA/attachments/FILE.
CREATE TABLE attachments (
    site       TEXT NOT NULL,
    file       TEXT NOT NULL,
    incident   TEXT NOT NULL,
    media_type TEXT NOT NULL,
    bytes      INTEGER NOT NULL,
    added_at   INTEGER NOT NULL,
    actor      TEXT NOT NULL,
    PRIMARY KEY (site, file)
) WITHOUT ROWID;

-- Who is sent out together.
CREATE TABLE units (
    site TEXT NOT NULL,
    unit TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (site, unit)
) WITHOUT ROWID;
CREATE TABLE unit_members (
    site    TEXT NOT NULL,
    unit    TEXT NOT NULL,
    account TEXT NOT NULL,
    PRIMARY KEY (site, unit, account)
) WITHOUT ROWID;
CREATE INDEX unit_members_by_account ON unit_members (account);

-- Whose ground is whose.
CREATE TABLE areas (
    site    TEXT NOT NULL,
    area    TEXT NOT NULL,
    name    TEXT NOT NULL,
    -- plan: metres on the site's plan; wgs84: longitude and latitude.
    plane   TEXT NOT NULL,
    -- JSON: [[x, y], ...] or [[lon, lat], ...]
    outline TEXT NOT NULL,
    unit    TEXT,
    member  TEXT,
    PRIMARY KEY (site, area)
) WITHOUT ROWID;
