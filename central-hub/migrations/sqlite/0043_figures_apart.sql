-- Sums of incidents apart by hour, by kind and by camera: together in one table there was nearly a row an incident, and
-- every figure read it from end to end.

CREATE TABLE figure_by_hour (
    site         TEXT NOT NULL,
    day          INTEGER NOT NULL,
    hour         INTEGER NOT NULL,
    incidents    INTEGER NOT NULL,
    alerts       INTEGER NOT NULL,
    false_alarms INTEGER NOT NULL,
    PRIMARY KEY (site, day, hour)
) WITHOUT ROWID;
INSERT INTO figure_by_hour
    SELECT site, day, hour, CAST(sum(incidents) AS BIGINT), CAST(sum(alerts) AS BIGINT), CAST(sum(false_alarms) AS BIGINT)
    FROM figure_hours GROUP BY site, day, hour;

CREATE TABLE figure_by_kind (
    site         TEXT NOT NULL,
    day          INTEGER NOT NULL,
    kind         TEXT NOT NULL,
    incidents    INTEGER NOT NULL,
    alerts       INTEGER NOT NULL,
    false_alarms INTEGER NOT NULL,
    PRIMARY KEY (site, day, kind)
) WITHOUT ROWID;
INSERT INTO figure_by_kind
    SELECT site, day, kind, CAST(sum(incidents) AS BIGINT), CAST(sum(alerts) AS BIGINT), CAST(sum(false_alarms) AS BIGINT)
    FROM figure_hours GROUP BY site, day, kind;

-- The cameras that opened them; what people opened has none.
CREATE TABLE figure_by_camera (
    site         TEXT NOT NULL,
    day          INTEGER NOT NULL,
    agent        TEXT NOT NULL,
    camera       TEXT NOT NULL,
    incidents    INTEGER NOT NULL,
    alerts       INTEGER NOT NULL,
    false_alarms INTEGER NOT NULL,
    PRIMARY KEY (site, day, agent, camera)
) WITHOUT ROWID;
INSERT INTO figure_by_camera
    SELECT site, day, agent, camera, CAST(sum(incidents) AS BIGINT), CAST(sum(alerts) AS BIGINT), CAST(sum(false_alarms) AS BIGINT)
    FROM figure_hours WHERE camera <> '' GROUP BY site, day, agent, camera;

DROP TABLE figure_hours;
