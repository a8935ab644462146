//! Users, as administrators see and change them. Auditors see who holds what, and change nothing.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hub_core::rights::{Grant, Grants, Role, Sites};
use protocol::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scope::{Scope, act};
use super::session::GrantView;
use super::{App, Refusal};
use crate::clock::now_ms;
use crate::credential;
use crate::store::logins::LINK_MS;
use crate::store::people::{By, PeopleError, User, account_of};

type UserPath = Result<Path<String>, PathRejection>;

#[derive(Serialize, JsonSchema)]
pub(super) struct Users {
    users: Vec<UserView>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "User")]
pub(super) struct UserView {
    user: String,
    name: Option<String>,
    created_at: Timestamp,
    disabled_at: Option<Timestamp>,
    last_login_at: Option<Timestamp>,
    has_password: bool,
    has_second_factor: bool,
    grants: Vec<HeldView>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "HeldGrant")]
struct HeldView {
    #[serde(flatten)]
    grant: GrantView,
    /// Counts only while nobody else holds the role at every site.
    stand_in: bool,
}

/// `GET /users`
pub(super) async fn list(
    scope: Scope<act::ReadUsers>,
    State(app): State<App>,
) -> Result<Json<Users>, Refusal> {
    let users = app.store.users().await?;
    Ok(Json(Users { users: users.into_iter().filter_map(|u| view(u, scope.sites())).collect() }))
}

/// `GET /users/{user}`
pub(super) async fn show(
    scope: Scope<act::ReadUsers>,
    State(app): State<App>,
    user: UserPath,
) -> Result<Json<UserView>, Refusal> {
    let found = app.store.user(&named(user)?).await?.and_then(|u| view(u, scope.sites()));
    found.map(Json).ok_or_else(|| Refusal::not_found("there is no such user"))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewUser {
    user: String,
    name: Option<String>,
    #[serde(default)]
    grants: Vec<GrantView>,
}

/// A one-time link: `/login#TOKEN` below the wall's address.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LoginLink")]
pub(super) struct Link {
    user: String,
    token: String,
    expires_at: Timestamp,
}

/// `POST /users`: with a one-time link by which its owner comes first.
pub(super) async fn add(
    scope: Scope<act::ManageUsers>,
    State(app): State<App>,
    new: Result<Json<NewUser>, JsonRejection>,
) -> Result<Response, Refusal> {
    let Json(NewUser { user, name, grants }) = new?;
    let (account, grants) = (account_of(&user)?, grants_of(&grants)?);
    let by = By::Person(scope.user());
    app.store.add_user(&account, name.as_deref(), &grants, by).await?;
    Ok((StatusCode::CREATED, Json(link(&app, account, by).await?)).into_response())
}

/// `POST /users/{user}/login-link`
pub(super) async fn make_link(
    scope: Scope<act::ManageUsers>,
    State(app): State<App>,
    user: UserPath,
) -> Result<Response, Refusal> {
    let link = link(&app, named(user)?, By::Person(scope.user())).await?;
    Ok((StatusCode::CREATED, Json(link)).into_response())
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "UserChanges")]
pub(super) struct Changes {
    name: Option<String>,
    disabled: Option<bool>,
}

/// `PATCH /users/{user}`
pub(super) async fn change(
    scope: Scope<act::ManageUsers>,
    State(app): State<App>,
    user: UserPath,
    changes: Result<Json<Changes>, JsonRejection>,
) -> Result<StatusCode, Refusal> {
    let Json(Changes { name, disabled }) = changes?;
    let (account, by) = (named(user)?, By::Person(scope.user()));
    if name.is_none() && disabled.is_none() {
        return Err(Refusal::bad_request("send `name` or `disabled`"));
    }
    if let Some(name) = name {
        app.store.rename_user(&account, Some(&name), by).await?;
    }
    if let Some(disabled) = disabled {
        app.store.disable_user(&account, disabled, by).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewGrants {
    grants: Vec<GrantView>,
}

/// `PUT /users/{user}/grants`: all that they hold from now on.
pub(super) async fn set_grants(
    scope: Scope<act::ManageUsers>,
    State(app): State<App>,
    user: UserPath,
    grants: Result<Json<NewGrants>, JsonRejection>,
) -> Result<StatusCode, Refusal> {
    let Json(NewGrants { grants }) = grants?;
    app.store.set_grants(&named(user)?, &grants_of(&grants)?, By::Person(scope.user())).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /users/{user}/sessions`: ends them all.
pub(super) async fn end_sessions(
    scope: Scope<act::ManageUsers>,
    State(app): State<App>,
    user: UserPath,
) -> Result<StatusCode, Refusal> {
    app.store.end_sessions_of(&named(user)?, By::Person(scope.user())).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn link(app: &App, account: String, by: By<'_>) -> Result<Link, Refusal> {
    let token = credential::random_token().map_err(|error| {
        tracing::error!(%error, "no link made");
        Refusal::internal()
    })?;
    app.store.put_login_link(&account, &token, by).await?;
    Ok(Link { user: account, token, expires_at: Timestamp::from_unix_ms(now_ms() + LINK_MS) })
}

/// The account that a path names; what cannot be one is nobody's.
fn named(user: UserPath) -> Result<String, Refusal> {
    let Path(user) = user.map_err(|e| Refusal::bad_request(e.body_text()))?;
    account_of(&user).map_err(|_| Refusal::not_found("there is no such user"))
}

fn grants_of(views: &[GrantView]) -> Result<Grants, Refusal> {
    let grant = |view: &GrantView| -> Result<Grant, Refusal> {
        let role = view.role.parse::<Role>().map_err(|e| Refusal::bad_request(e.to_string()))?;
        let site = view.site.as_deref().map(str::parse).transpose();
        Ok(Grant { role, site: site.map_err(|e: protocol::IdError| Refusal::bad_request(e.to_string()))? })
    };
    let grants: Vec<Grant> = views.iter().map(grant).collect::<Result<_, _>>()?;
    Ok(Grants::new(grants).map_err(PeopleError::from)?)
}

/// Somebody as far as the sites of whoever looks reach; none of them, and there is nobody.
fn view(user: User, sites: &Sites) -> Option<UserView> {
    let here = |site: &Option<protocol::SiteId>| site.as_ref().is_none_or(|s| sites.contains(s));
    let held: Vec<HeldView> = user
        .held
        .iter()
        .filter(|h| here(&h.grant.site))
        .map(|h| HeldView {
            grant: GrantView {
                role: h.grant.role.as_str().to_owned(),
                site: h.grant.site.as_ref().map(|s| s.as_str().to_owned()),
            },
            stand_in: h.stand_in,
        })
        .collect();
    if held.is_empty() && *sites != Sites::All {
        return None;
    }
    Some(UserView {
        user: user.account,
        name: user.name,
        created_at: Timestamp::from_unix_ms(user.created_at),
        disabled_at: user.disabled_at.map(Timestamp::from_unix_ms),
        last_login_at: user.last_login_at.map(Timestamp::from_unix_ms),
        has_password: user.has_password,
        has_second_factor: user.has_second_factor,
        grants: held,
    })
}

impl From<PeopleError> for Refusal {
    fn from(error: PeopleError) -> Self {
        let (status, code) = match &error {
            PeopleError::Store(_) => {
                tracing::error!(%error, "request failed");
                return Self::internal();
            }
            PeopleError::NoSuchUser(_) => return Self::not_found("there is no such user"),
            PeopleError::Taken(_) => (StatusCode::CONFLICT, "user_taken"),
            PeopleError::Account(_) => (StatusCode::BAD_REQUEST, "no_account"),
            PeopleError::Name => (StatusCode::BAD_REQUEST, "no_name"),
            PeopleError::Grants(_) => (StatusCode::UNPROCESSABLE_ENTITY, "grants_refused"),
            PeopleError::TooMany => (StatusCode::CONFLICT, "too_many_users"),
            PeopleError::LastAdministrator => (StatusCode::CONFLICT, "last_administrator"),
            PeopleError::AuditorApart => (StatusCode::FORBIDDEN, "auditor_apart"),
            PeopleError::Oneself => (StatusCode::FORBIDDEN, "not_oneself"),
        };
        Self::new(status, code, error.to_string())
    }
}
