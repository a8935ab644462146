-- How long agents and cameras were up (`hub_core::uptime`). Times are the hub's, of receipt.

-- What an agent and its cameras are since `at`; all before is in `uptime_days`.
CREATE TABLE uptime_open (
    site    TEXT NOT NULL,
    agent   TEXT NOT NULL,
    at      BIGINT NOT NULL,
    -- up, down, unknown.
    state   TEXT NOT NULL,
    -- The same of its cameras as it said last, as JSON: what it is by camera.
    cameras TEXT NOT NULL,
    PRIMARY KEY (site, agent)
);
-- Days are counted since 1970, in local time. An agent's own times have no camera.
CREATE TABLE uptime_days (
    site       TEXT NOT NULL,
    day        BIGINT NOT NULL,
    agent      TEXT NOT NULL,
    camera     TEXT NOT NULL,
    up_ms      BIGINT NOT NULL,
    down_ms    BIGINT NOT NULL,
    unknown_ms BIGINT NOT NULL,
    PRIMARY KEY (site, day, agent, camera)
);
