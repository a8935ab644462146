//! The live feed: server-sent events, resumable by the change number.
//!
//! Nothing is queued for a client: each reads the change log at its own pace, so a slow one costs
//! nothing but its connection. One that is too far behind is told to read everything anew.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::time::{Duration, Instant};

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures::Stream;
use futures::stream::{self, StreamExt};
use hub_core::rights::Action;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::scope::{Person, Scope, act};
use super::{App, Refusal, session};
use crate::store::StoreError;
use crate::store::changes::Subject;
use crate::store::incidents::ListedIncident;

/// Changes read at a time.
const PORTION: i64 = 200;
/// Farther behind than this, reading anew is cheaper.
const FARTHEST: i64 = 5_000;
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Other processes change the database too and cannot tell us.
const LOOK_ANYWAY: Duration = Duration::from_secs(2);
/// How long a feed may outlive its session, or the rights it was opened with.
const SESSION_CHECK: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
pub(super) struct From {
    after: Option<i64>,
}

/// `GET /feed`
pub(super) async fn follow(
    scope: Scope<act::FollowFeed>,
    State(app): State<App>,
    from: Result<Query<From>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refusal> {
    let Query(from) = from.map_err(|e| Refusal::bad_request(e.body_text()))?;
    let permit = app.feeds.clone().try_acquire_owned().map_err(|_| Refusal::busy())?;
    let last = headers.get("last-event-id").and_then(|v| v.to_str().ok()?.parse().ok());
    let latest = app.store.latest_change().await?;
    let at = last.or(from.after).unwrap_or(latest);
    let news = app.store.follow();
    let reader = Reader {
        at,
        news,
        ready: VecDeque::new(),
        fresh: true,
        token: session::token(&headers).unwrap_or_default().to_owned(),
        person: scope.person().clone(),
        checked: Instant::now(),
        _permit: permit,
        app: app.clone(),
    };
    let events = stream::unfold(reader, Reader::next).take_until(app.stop.clone().cancelled_owned());
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)))
}

struct Reader {
    /// The change up to which everything was sent.
    at: i64,
    news: watch::Receiver<i64>,
    ready: VecDeque<Event>,
    /// Not a single portion was read yet.
    fresh: bool,
    /// Whose feed it is, the session's token, and when both were last known to be good.
    person: Person,
    token: String,
    checked: Instant,
    app: App,
    _permit: OwnedSemaphorePermit,
}

impl Reader {
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        loop {
            if self.checked.elapsed() >= SESSION_CHECK {
                match self.app.store.session(&self.token, self.app.limits).await {
                    // With other rights it begins anew: what was sent so far may be too much or too little.
                    Ok(Some(now)) if now.grants == *self.person.grants() => self.checked = Instant::now(),
                    Ok(_) => return None,
                    Err(error) => {
                        tracing::error!(%error, "feed ended");
                        return None;
                    }
                }
            }
            if let Some(event) = self.ready.pop_front() {
                return Some((Ok(event), self));
            }
            if !std::mem::take(&mut self.fresh) {
                // Nothing is missed: a change announced meanwhile is seen by `changed` at once.
                if let Ok(Err(_)) = tokio::time::timeout(LOOK_ANYWAY, self.news.changed()).await {
                    return None;
                }
            }
            if let Err(error) = self.read().await {
                tracing::error!(%error, "feed ended");
                return None;
            }
        }
    }

    /// Reads the next portion of changes; several of one object become one event.
    async fn read(&mut self) -> Result<(), StoreError> {
        let store = &self.app.store;
        let latest = store.latest_change().await?;
        let changes = match store.changes_after(self.at, PORTION).await? {
            Some(changes) if latest - self.at <= FARTHEST => changes,
            _ => {
                self.at = latest;
                self.ready.push_back(Event::default().event("resync").id(latest.to_string()).data("{}"));
                return Ok(());
            }
        };
        let Some(last) = changes.last().map(|c| c.number) else { return Ok(()) };
        // A full portion: there is more, do not wait for news.
        self.fresh = changes.len() as i64 == PORTION;
        let mut latest_of: BTreeMap<Subject, i64> = BTreeMap::new();
        for change in changes {
            latest_of.insert(change.subject, change.number);
        }
        let mut in_order: Vec<_> = latest_of.into_iter().map(|(subject, number)| (number, subject)).collect();
        in_order.sort_unstable();
        let mut told = self.incidents(&in_order).await?;
        let store = &self.app.store;
        for (number, subject) in in_order {
            let event = Event::default().id(number.to_string());
            match subject {
                Subject::Alert { agent, epoch, seq } => {
                    let sites = self.person.grants().sites(Action::ReadAlerts);
                    let alert = store.alert(&agent, &epoch, seq).await?;
                    if let Some(alert) = alert.filter(|a| sites.contains_text(&a.site)) {
                        self.ready.extend(event.event("alert").json_data(alert));
                    }
                }
                Subject::Incident { .. } => {
                    if let Some(incident) = told.remove(&number) {
                        self.ready.extend(event.event("incident").json_data(incident));
                    }
                }
                Subject::Agent(agent) => {
                    let sites = self.person.grants().sites(Action::ReadAgents);
                    for view in store.agents(Some(&agent)).await? {
                        if !sites.contains_text(&view.site) {
                            continue;
                        }
                        let view = super::agents::named(&self.app, view);
                        self.ready.extend(event.clone().event("agent").json_data(view));
                    }
                }
            }
        }
        self.at = last;
        Ok(())
    }

    /// The incidents of these changes that this person may see, by the number of the change.
    async fn incidents(
        &self,
        changes: &[(i64, Subject)],
    ) -> Result<BTreeMap<i64, ListedIncident>, StoreError> {
        let sites = self.person.grants().sites(Action::ReadIncidents);
        let (mut numbers, mut found) = (Vec::new(), Vec::new());
        for (number, subject) in changes {
            let Subject::Incident { site, incident } = subject else { continue };
            if sites.contains_text(site)
                && let Some(incident) = self.app.store.incident(site, incident).await?
            {
                numbers.push(*number);
                found.push(incident);
            }
        }
        let listed = self.app.store.listed(&self.app.work.rules, found).await?;
        Ok(numbers.into_iter().zip(listed).collect())
    }
}
