//! What is given to somebody, and whose units they belong to.

use sqlx::FromRow;

use crate::store::{Store, StoreError, sql};

/// An incident as whom it is given to sees it in a list.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Given {
    pub site: String,
    pub incident: String,
    pub kind: String,
    pub severity: i64,
    pub state: String,
    pub version: i64,
    pub due_at: Option<i64>,
    pub clock_from: i64,
    pub words: Option<String>,
    pub place: Option<String>,
    /// JSON: `[[agent, camera], ...]`
    pub cameras: String,
    /// `agent/epoch/seq` of its newest alert that has a still.
    pub still: Option<String>,
}

/// What a camera, and the place where it is, are called.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct CameraAt {
    pub agent: String,
    pub camera: String,
    pub name: Option<String>,
    pub place: Option<String>,
    pub lat: Option<f64>,
    pub lon: Option<f64>,
}

impl Store {
    /// What is given to somebody or their units and is not settled, the most urgent first.
    pub async fn given_to(&self, account: &str) -> Result<Vec<Given>, StoreError> {
        let text =
            "SELECT i.site, i.incident, i.kind, i.severity, i.state, i.version, i.due_at, i.clock_from,
                r.words, r.place, i.cameras,
                (SELECT a.agent || '/' || a.epoch || '/' || a.seq FROM alerts a
                    JOIN stills s ON s.agent = a.agent AND s.epoch = a.epoch AND s.seq = a.seq
                    WHERE a.site = i.site AND a.incident = i.incident ORDER BY a.at DESC LIMIT 1) AS still
            FROM incidents i LEFT JOIN reports r ON r.site = i.site AND r.incident = i.incident
            WHERE i.alias_of IS NULL AND i.state NOT IN ('resolved', 'closed', 'false_alarm')
                AND (i.member = $1 OR EXISTS (SELECT 1 FROM unit_members m
                    WHERE m.account = $1 AND m.site = i.site AND m.unit = i.unit))
            ORDER BY i.urgency, i.clock_from, i.incident LIMIT 200";
        self.read().all(sql(text).bind(account)).await
    }

    /// What the cameras of a site are called, and where they are.
    pub async fn cameras_at(&self, site: &str) -> Result<Vec<CameraAt>, StoreError> {
        let text = "SELECT c.agent, c.camera, c.name, p.name AS place, p.lat, p.lon FROM agents a
            JOIN cameras c ON c.agent = a.agent
            LEFT JOIN places p ON p.site = a.site AND p.agent = c.agent AND p.camera = c.camera
            WHERE a.site = $1";
        self.read().all(sql(text).bind(site)).await
    }

    /// Whether somebody of this name can log in.
    pub async fn is_account(&self, account: &str) -> Result<bool, StoreError> {
        let text = "SELECT account FROM users WHERE account = $1";
        Ok(self.read().optional::<(String,)>(sql(text).bind(account)).await?.is_some())
    }

    /// Whose units somebody belongs to at a site.
    pub async fn units_of(&self, site: &str, account: &str) -> Result<Vec<String>, StoreError> {
        let text = "SELECT unit FROM unit_members WHERE site = $1 AND account = $2 ORDER BY unit";
        let rows: Vec<(String,)> = self.read().all(sql(text).bind(site).bind(account)).await?;
        Ok(rows.into_iter().map(|(unit,)| unit).collect())
    }
}
