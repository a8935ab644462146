//! The API's list of routes: a handler gets in only if its first argument is a permit (`scope`).
//!
//! `Routes::get("/things", list)` does not compile for a handler that asks nobody who they are. The list is kept
//! beside the router: the rights matrix (tests/rights.rs) walks it, so that a route without a row fails.
//!
//! ```compile_fail
//! // A handler that asks nobody: no route.
//! async fn everything() -> &'static str { "" }
//! central_hub::web::routes::Routes::new().get("/everything", everything);
//! ```

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, on};

use super::App;
use super::scope::{Access, Permit};

/// A method at a path, and what it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub method: Method,
    /// Below `/api/v1`, with axum's `{names}`.
    pub path: &'static str,
    pub access: Access,
}

/// Arguments of a handler of which the first is a permit. Implemented for tuples as axum names them.
pub trait Guarded {
    const ACCESS: Access;
}

macro_rules! guarded {
    ($($rest:ident),*) => {
        impl<M, P: Permit, $($rest),*> Guarded for (M, P, $($rest,)*) {
            const ACCESS: Access = P::ACCESS;
        }
    };
}

guarded!();
guarded!(A);
guarded!(A, B);
guarded!(A, B, C);
guarded!(A, B, C, D);
guarded!(A, B, C, D, E);
guarded!(A, B, C, D, E, F);
guarded!(A, B, C, D, E, F, G);

/// Routes with their list.
#[derive(Default)]
pub struct Routes {
    router: Router<App>,
    list: Vec<Route>,
}

macro_rules! methods {
    ($($name:ident $method:ident,)+) => {
        $(
            #[must_use]
            pub fn $name<H, T>(self, path: &'static str, handler: H) -> Self
            where
                H: Handler<T, App>,
                T: Guarded + 'static,
            {
                self.add(Method::$method, MethodFilter::$method, path, handler)
            }
        )+
    };
}

impl Routes {
    pub fn new() -> Self {
        Self::default()
    }

    methods! {
        get GET,
        post POST,
        put PUT,
        patch PATCH,
        delete DELETE,
    }

    /// Those of another part.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.list.extend(other.list);
        Self { router: self.router.merge(other.router), list: self.list }
    }

    pub fn list(&self) -> &[Route] {
        &self.list
    }

    pub(super) fn into_router(self) -> Router<App> {
        self.router
    }

    fn add<H, T>(mut self, method: Method, filter: MethodFilter, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: Guarded + 'static,
    {
        self.list.push(Route { method, path, access: T::ACCESS });
        Self { router: self.router.route(path, on(filter, handler)), list: self.list }
    }
}
