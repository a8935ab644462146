//! Who asks, and what they may see: the typed scopes that only a check can make.
//!
//! Every handler's first argument is one of these (`routes` sees to it): [`Scope`] of an action, [`Person`] for
//! what people do about themselves, or [`Anybody`]. A scope exists only where the table of `hub_core::rights`
//! allows the action somewhere; then it says at which sites. What belongs to another site is answered exactly
//! as what does not exist: 404.

use std::marker::PhantomData;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use hub_core::rights::{Action, Grants, Reach, Sites};
use protocol::SiteId;

use super::{App, Refusal, session};
use crate::store::agents::AgentView;
use crate::store::alerts::AlertView;
use crate::store::incidents::IncidentView;
use crate::store::sessions::Session;

/// What a handler's first argument asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Anybody,
    /// Whoever is logged in, about themselves.
    Oneself,
    Action(Action),
}

/// What may be a handler's first argument.
pub trait Permit {
    const ACCESS: Access;
}

/// For what needs no session: health, logging in.
#[derive(Debug, Clone, Copy)]
pub struct Anybody;

impl Permit for Anybody {
    const ACCESS: Access = Access::Anybody;
}

impl FromRequestParts<App> for Anybody {
    type Rejection = Refusal;

    async fn from_request_parts(_: &mut Parts, _: &App) -> Result<Self, Refusal> {
        Ok(Self)
    }
}

/// Somebody with a session.
#[derive(Debug, Clone)]
pub struct Person {
    session: Session,
}

impl Person {
    pub fn user(&self) -> &str {
        &self.session.account
    }

    /// What they hold in this session.
    pub fn grants(&self) -> &Grants {
        &self.session.grants
    }

    pub fn session(&self) -> &Session {
        &self.session
    }
}

impl Permit for Person {
    const ACCESS: Access = Access::Oneself;
}

impl FromRequestParts<App> for Person {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let session = match session::token(&parts.headers) {
            Some(token) => app.store.session(token, app.limits).await?,
            None => None,
        };
        let message = "log in first: POST /api/v1/session";
        let session =
            session.ok_or_else(|| Refusal::new(StatusCode::UNAUTHORIZED, "not_logged_in", message))?;
        app.store.touch_session(&session).await?;
        Ok(Self { session })
    }
}

/// An action, as a type: which scope a handler asks for.
pub trait Act: Send + Sync + 'static {
    const ACTION: Action;
}

macro_rules! acts {
    ($($name:ident,)+) => {
        /// The actions of `hub_core::rights`, as types.
        pub mod act {
            $(
                #[derive(Debug, Clone, Copy)]
                pub struct $name;

                impl super::Act for $name {
                    const ACTION: super::Action = super::Action::$name;
                }
            )+
        }
    };
}

acts!(
    ReadAlerts,
    ViewStills,
    WatchLive,
    ReadAgents,
    ManageAgents,
    FollowFeed,
    ReadIncidents,
    WorkIncidents,
    OpenIncidents,
    ReshapeIncidents,
    ReadHandover,
    ReadUnits,
    ManageUnits,
    ReadFigures,
    Export,
    ReadUsers,
    ManageUsers,
    ReadAudit,
);

/// Somebody who may do an action, and where.
#[derive(Debug, Clone)]
pub struct Scope<A> {
    person: Person,
    sites: Sites,
    act: PhantomData<fn() -> A>,
}

impl<A: Act> Permit for Scope<A> {
    const ACCESS: Access = Access::Action(A::ACTION);
}

impl<A: Act> FromRequestParts<App> for Scope<A> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let person = Person::from_request_parts(parts, app).await?;
        if person.grants().sites_if_assigned(A::ACTION).is_empty() {
            let message = format!("your roles do not allow this ({})", A::ACTION);
            return Err(Refusal::new(StatusCode::FORBIDDEN, "not_allowed", message));
        }
        let sites = person.grants().sites(A::ACTION);
        Ok(Self { person, sites, act: PhantomData })
    }
}

impl<A: Act> Scope<A> {
    /// Who it is: the actor of what follows.
    pub fn user(&self) -> &str {
        self.person.user()
    }

    pub fn person(&self) -> &Person {
        &self.person
    }

    /// The sites whose every object is theirs to see; lists are cut to them. None for somebody who only
    /// reaches what is assigned to them: ask [`Self::reach`].
    pub fn sites(&self) -> &Sites {
        &self.sites
    }

    /// Whether a site is theirs; a foreign one is as good as none.
    pub fn at(&self, site: &SiteId) -> Result<(), Refusal> {
        if self.sites.contains(site) { Ok(()) } else { Err(Refusal::not_found("there is no such site")) }
    }

    /// How far they reach at a site: to everything, or to what is assigned to them ([`Reach::Assigned`]; the
    /// handler must then look whether it is). A foreign site is as good as none.
    pub fn reach(&self, site: &SiteId) -> Result<Reach, Refusal> {
        if self.sites.contains(site) {
            return Ok(Reach::Site);
        }
        if self.person.grants().sites_if_assigned(A::ACTION).contains(site) {
            return Ok(Reach::Assigned);
        }
        Err(Refusal::not_found("there is no such site"))
    }

    /// What was found, if it is there and of their sites; otherwise `message` with 404.
    pub fn own<T: AtSite>(&self, found: Option<T>, message: &str) -> Result<T, Refusal> {
        found
            .filter(|object| self.sites.contains_text(object.site()))
            .ok_or_else(|| Refusal::not_found(message))
    }
}

/// What belongs to a site.
pub trait AtSite {
    fn site(&self) -> &str;
}

impl AtSite for AlertView {
    fn site(&self) -> &str {
        &self.site
    }
}

impl AtSite for AgentView {
    fn site(&self) -> &str {
        &self.site
    }
}

impl AtSite for IncidentView {
    fn site(&self) -> &str {
        &self.site
    }
}
