-- Incidents (ADR 8). Alerts from before get theirs from the running hub, the oldest first.

-- A site's row is the lock of its incidents.
CREATE TABLE sites (
    site   TEXT NOT NULL PRIMARY KEY,
    -- Counts up with each change of its places.
    places INTEGER NOT NULL DEFAULT 0,
    -- The number that a decision by hand got last.
    pin    INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

CREATE TABLE incidents (
    site         TEXT NOT NULL,
    -- UUID, version 7.
    incident     TEXT NOT NULL,
    -- alerts, operator or grid.
    origin       TEXT NOT NULL,
    -- Of its first alert, or as whoever opened it said.
    kind         TEXT NOT NULL,
    family       TEXT NOT NULL,
    test         INTEGER NOT NULL,
    opened_at    INTEGER NOT NULL,
    last_at      INTEGER NOT NULL,
    -- When the hub received the first of its alerts: clocks start there.
    clock_from   INTEGER NOT NULL,
    alerts       INTEGER NOT NULL,
    -- JSON: [["agent", "camera"], ...]
    cameras      TEXT NOT NULL,
    -- 1 low, 2 medium, 3 high, 4 critical: of its worst alert, and its own.
    peak         INTEGER NOT NULL,
    severity     INTEGER NOT NULL,
    -- What needs doing first has the least: 0 critical to 3 low, tests behind.
    urgency      INTEGER NOT NULL,
    -- Its first alert; empty where there is none.
    opener_agent TEXT NOT NULL DEFAULT '',
    opener_epoch TEXT NOT NULL DEFAULT '',
    opener_seq   INTEGER NOT NULL DEFAULT 0,
    -- What absorbed it for good; itself where nothing did.
    root         TEXT NOT NULL,
    -- The incident it is part of now; NULL where it is one itself.
    alias_of     TEXT,
    -- JSON [gap, first, last, pin, core]: by what it hangs on a core.
    attached     TEXT,
    -- JSON: the figures of a core without what is attached to it; NULL where no operator shaped it.
    core         TEXT,
    -- new, acknowledged, dispatched, on_scene, resolved, closed, false_alarm.
    state        TEXT NOT NULL DEFAULT 'new',
    -- Counts up with each thing that people do.
    version      INTEGER NOT NULL DEFAULT 0,
    -- When the next step is due; NULL where none is.
    due_at       INTEGER,
    PRIMARY KEY (site, incident)
) WITHOUT ROWID;
CREATE INDEX incidents_open ON incidents (urgency, clock_from, site, incident)
    WHERE alias_of IS NULL AND state NOT IN ('resolved', 'closed', 'false_alarm');
CREATE INDEX incidents_by_time ON incidents (opened_at, site, incident) WHERE alias_of IS NULL;
CREATE INDEX incidents_of_site ON incidents (site, opened_at, incident) WHERE alias_of IS NULL;
CREATE INDEX incidents_aliases ON incidents (site, alias_of) WHERE alias_of IS NOT NULL;
CREATE INDEX incidents_roots ON incidents (site, root) WHERE alias_of IS NOT NULL;

-- The longest stretches of one camera and family in which each alert follows the one before within the window.
CREATE TABLE runs (
    site     TEXT NOT NULL,
    family   TEXT NOT NULL,
    agent    TEXT NOT NULL,
    camera   TEXT NOT NULL,
    -- 0 where it is free; else the number of the decision by hand that pinned it.
    pin      INTEGER NOT NULL,
    first    INTEGER NOT NULL,
    last     INTEGER NOT NULL,
    incident TEXT NOT NULL,
    PRIMARY KEY (site, family, agent, camera, pin, first)
) WITHOUT ROWID;
CREATE INDEX runs_by_time ON runs (site, last);
CREATE INDEX runs_by_incident ON runs (site, incident);

-- Where cameras are.
CREATE TABLE places (
    site          TEXT NOT NULL,
    agent         TEXT NOT NULL,
    camera        TEXT NOT NULL,
    name          TEXT,
    -- Metres on the site's plan, or degrees (WGS 84).
    x             REAL,
    y             REAL,
    lat           REAL,
    lon           REAL,
    -- Degrees clockwise from north (from the plan's y axis), and the width of its view.
    heading       REAL,
    field_of_view REAL,
    sensitive     INTEGER NOT NULL,
    -- JSON: ["agent/camera", ...], besides those within reach.
    neighbours    TEXT NOT NULL,
    PRIMARY KEY (site, agent, camera)
) WITHOUT ROWID;

-- The incident that it came into; what that is part of now says that one's row. NULL for alerts from before.
ALTER TABLE alerts ADD COLUMN incident TEXT;
-- JSON: why; NULL where it opened the incident.
ALTER TABLE alerts ADD COLUMN because TEXT;
CREATE INDEX alerts_of_incident ON alerts (site, incident, at, agent, epoch, seq) WHERE incident IS NOT NULL;
CREATE INDEX alerts_without_incident ON alerts (at) WHERE incident IS NULL;
