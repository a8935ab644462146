-- What is old goes: found by its receipt, remembered so that it is not taken for new when it is sent again.

CREATE INDEX alerts_by_receipt ON alerts (site, received_at);
CREATE INDEX stills_by_receipt ON stills (received_at);

-- Records of an epoch up to this one that are settled and have no row any more were deleted for their age.
CREATE TABLE swept (
    agent   TEXT NOT NULL,
    epoch   TEXT NOT NULL,
    through INTEGER NOT NULL,
    PRIMARY KEY (agent, epoch)
) WITHOUT ROWID;
