-- Sums of incidents apart by hour, by kind and by camera: together in one table there was nearly a row an incident, and
-- every figure read it from end to end.

CREATE TABLE figure_by_hour (
    site         TEXT NOT NULL,
    day          BIGINT NOT NULL,
    hour         BIGINT NOT NULL,
    incidents    BIGINT NOT NULL,
    alerts       BIGINT NOT NULL,
    false_alarms BIGINT NOT NULL,
    PRIMARY KEY (site, day, hour)
);
INSERT INTO figure_by_hour
    SELECT site, day, hour, CAST(sum(incidents) AS BIGINT), CAST(sum(alerts) AS BIGINT), CAST(sum(false_alarms) AS BIGINT)
    FROM figure_hours GROUP BY site, day, hour;

CREATE TABLE figure_by_kind (
    site         TEXT NOT NULL,
    day          BIGINT NOT NULL,
    kind         TEXT NOT NULL,
    incidents    BIGINT NOT NULL,
    alerts       BIGINT NOT NULL,
    false_alarms BIGINT NOT NULL,
    PRIMARY KEY (site, day, kind)
);
INSERT INTO figure_by_kind
    SELECT site, day, kind, CAST(sum(incidents) AS BIGINT), CAST(sum(alerts) AS BIGINT), CAST(sum(false_alarms) AS BIGINT)
    FROM figure_hours GROUP BY site, day, kind;

-- The cameras that opened them; what people opened has none.
CREATE TABLE figure_by_camera (
    site         TEXT NOT NULL,
    day          BIGINT NOT NULL,
    agent        TEXT NOT NULL,
    camera       TEXT NOT NULL,
    incidents    BIGINT NOT NULL,
    alerts       BIGINT NOT NULL,
    false_alarms BIGINT NOT NULL,
    PRIMARY KEY (site, day, agent, camera)
);
INSERT INTO figure_by_camera
    SELECT site, day, agent, camera, CAST(sum(incidents) AS BIGINT), CAST(sum(alerts) AS BIGINT), CAST(sum(false_alarms) AS BIGINT)
    FROM figure_hours WHERE camera <> '' GROUP BY site, day, agent, camera;

DROP TABLE figure_hours;
