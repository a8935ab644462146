//! Who may do what: roles, actions, and the one table of both.
//!
//! Owns the table; `grants` owns which person holds which role where. Leaves to the hub: who is asking, and
//! making every route ask. Invariants, tested over the whole table: audit is apart from administration
//! (nobody who administers reads the audit, and whoever reads it changes nothing), and what is not in the
//! table is not allowed.

mod grants;

use std::fmt;
use std::str::FromStr;

pub use grants::{Fault, Grant, Grants, MOST_GRANTS, STAND_INS, Sites};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$each])* $variant,)+
        }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// As it is written in the database, the API and on the command line.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                Self::ALL.iter().copied().find(|known| known.as_str() == text).ok_or_else(|| UnknownWord {
                    what: stringify!($name),
                    text: text.chars().take(80).collect(),
                    known: Self::ALL.iter().map(|known| known.as_str()).collect::<Vec<_>>().join(", "),
                })
            }
        }
    };
}

/// A word that is in no list of this version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownWord {
    pub what: &'static str,
    pub text: String,
    pub known: String,
}

impl fmt::Display for UnknownWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no {}; there are: {}", self.text, self.what.to_lowercase(), self.known)
    }
}

impl std::error::Error for UnknownWord {}

words!(
    /// What somebody is to the hub. A person may hold several, each at one site or at all.
    Role {
        /// Watches the wall and works incidents.
        Operator = "operator",
        /// Leads a shift: what an operator does, and what was escalated, units, hand-over to others.
        ShiftLead = "shift_lead",
        /// Puts boxes and cameras up.
        Installer = "installer",
        /// Reads the audit, and changes nothing.
        Auditor = "auditor",
        /// Says who may come in and what as; never reads the audit.
        Administrator = "administrator",
        /// Works on the street what was assigned to them.
        GridMember = "grid_member",
    }
);

words!(
    /// What can be done. One action a kind of route; what everybody may do about themselves is none.
    Action {
        /// The lists of alerts, one alert.
        ReadAlerts = "read_alerts",
        /// The picture of an alert.
        ViewStills = "view_stills",
        /// A camera's live video.
        WatchLive = "watch_live",
        /// Boxes and cameras: how they are.
        ReadAgents = "read_agents",
        /// Tokens, revoking, releasing, configuring.
        ManageAgents = "manage_agents",
        /// Changes as they happen.
        FollowFeed = "follow_feed",
        /// Incidents with their history, search, map.
        ReadIncidents = "read_incidents",
        /// Steps: acknowledge, dispatch, arrive, resolve, note, attach.
        WorkIncidents = "work_incidents",
        /// Opening one by hand.
        OpenIncidents = "open_incidents",
        /// Splitting and merging.
        ReshapeIncidents = "reshape_incidents",
        /// The sheet that one shift hands to the next.
        ReadHandover = "read_handover",
        /// Units, grid members and grid areas.
        ReadUnits = "read_units",
        /// Changing them.
        ManageUnits = "manage_units",
        /// Figures about events and our own work.
        ReadFigures = "read_figures",
        /// Anything that leaves the hub as a file: exchange documents, tables.
        Export = "export",
        /// Who there is, and what as.
        ReadUsers = "read_users",
        /// Making, changing and disabling them.
        ManageUsers = "manage_users",
        /// The audit.
        ReadAudit = "read_audit",
    }
);

/// How far an action reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    Never,
    /// To objects that are assigned to the person, of the sites of the grant.
    Assigned,
    /// To every object of the sites of the grant.
    Site,
}

impl Role {
    /// The table. What it does not name is not allowed.
    pub const fn reach(self, action: Action) -> Reach {
        use Action::*;
        use Reach::{Assigned, Never, Site};
        match (self, action) {
            (Self::Operator | Self::ShiftLead, ReadAlerts | ViewStills | WatchLive) => Site,
            (Self::Operator | Self::ShiftLead, ReadAgents | FollowFeed) => Site,
            (Self::Operator | Self::ShiftLead, ReadIncidents | WorkIncidents | OpenIncidents) => Site,
            (Self::Operator | Self::ShiftLead, ReshapeIncidents | ReadHandover | ReadUnits) => Site,
            (Self::Operator | Self::ShiftLead, ReadFigures) => Site,
            (Self::ShiftLead, ManageUnits | Export) => Site,
            // Whoever puts a camera up sees whether its alerts arrive, but no pictures of the street.
            (Self::Installer, ReadAgents | ManageAgents | ReadAlerts | FollowFeed) => Site,
            (Self::GridMember, ReadIncidents | WorkIncidents | ViewStills) => Assigned,
            (Self::GridMember, OpenIncidents) => Site,
            (Self::Auditor, ReadAudit | ReadUsers) => Site,
            (Self::Administrator, ReadUsers | ManageUsers | ReadAgents | ReadUnits | ManageUnits) => Site,
            (Self::Administrator, ReadFigures) => Site,
            _ => Never,
        }
    }

    /// Counts only in a session that was opened with a second factor.
    pub const fn needs_second_factor(self) -> bool {
        matches!(self, Self::Administrator)
    }

    /// Held at all sites or not at all: people do not belong to a site.
    pub const fn everywhere_only(self) -> bool {
        matches!(self, Self::Administrator)
    }

    /// Held alone, so that whoever reads the audit has nothing else to answer for in it; appointed at the
    /// hub's command line alone, so that no administrator makes or unmakes an auditor.
    pub const fn apart(self) -> bool {
        matches!(self, Self::Auditor)
    }
}

impl Action {
    /// Whether it only looks.
    pub const fn reads(self) -> bool {
        use Action::*;
        match self {
            ReadAlerts | ViewStills | WatchLive | ReadAgents | FollowFeed | ReadIncidents | ReadHandover
            | ReadUnits | ReadFigures | Export | ReadUsers | ReadAudit => true,
            ManageAgents | WorkIncidents | OpenIncidents | ReshapeIncidents | ManageUnits | ManageUsers => {
                false
            }
        }
    }
}

#[cfg(test)]
mod tests;
