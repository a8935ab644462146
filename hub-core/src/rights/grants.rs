//! What a person holds: roles, each at one site or at all; and which sites an action reaches through them.

use std::collections::BTreeSet;
use std::fmt;

use protocol::SiteId;

use super::{Action, Reach, Role};

/// Most grants of one person.
pub const MOST_GRANTS: usize = 200;

/// What the first account does for a township of one person, until somebody else does it everywhere.
pub const STAND_INS: [Role; 3] = [Role::Operator, Role::ShiftLead, Role::Installer];

/// Some sites, or every one, those to come included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sites {
    All,
    Only(BTreeSet<SiteId>),
}

impl Sites {
    pub const fn none() -> Self {
        Self::Only(BTreeSet::new())
    }

    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Only(sites) if sites.is_empty())
    }

    pub fn contains(&self, site: &SiteId) -> bool {
        match self {
            Self::All => true,
            Self::Only(sites) => sites.contains(site),
        }
    }

    /// The same for a site that comes as text, as from the database. What is no site is in no sites but all.
    pub fn contains_text(&self, site: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(sites) => sites.iter().any(|known| known.as_str() == site),
        }
    }

    fn add(&mut self, site: Option<&SiteId>) {
        match (&mut *self, site) {
            (Self::All, _) => {}
            (_, None) => *self = Self::All,
            (Self::Only(sites), Some(site)) => {
                sites.insert(site.clone());
            }
        }
    }
}

/// A role at a site, or at all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    pub role: Role,
    /// `None`: at all sites.
    pub site: Option<SiteId>,
}

/// Why grants cannot be one person's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// An auditor holds nothing else.
    AuditorIsApart,
    /// An administrator administers all sites.
    AdministratorEverywhere,
    /// More than [`MOST_GRANTS`].
    TooMany,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AuditorIsApart => {
                f.write_str("an auditor holds no other role: audit is apart from what it looks at")
            }
            Self::AdministratorEverywhere => f.write_str("an administrator is one for all sites; name none"),
            Self::TooMany => write!(f, "more than {MOST_GRANTS} grants; grant at all sites instead"),
        }
    }
}

impl std::error::Error for Fault {}

/// What one person holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants(BTreeSet<Grant>);

impl Grants {
    /// Whatever may be held together.
    pub fn new(grants: impl IntoIterator<Item = Grant>) -> Result<Self, Fault> {
        let mut held = BTreeSet::new();
        for grant in grants {
            held.insert(grant);
            if held.len() > MOST_GRANTS {
                return Err(Fault::TooMany);
            }
        }
        if held.iter().any(|g| g.role.everywhere_only() && g.site.is_some()) {
            return Err(Fault::AdministratorEverywhere);
        }
        if held.iter().any(|g| g.role.apart()) && held.iter().any(|g| !g.role.apart()) {
            return Err(Fault::AuditorIsApart);
        }
        Ok(Self(held))
    }

    pub fn iter(&self) -> impl Iterator<Item = &Grant> {
        self.0.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn holds(&self, role: Role) -> bool {
        self.0.iter().any(|g| g.role == role)
    }

    pub fn holds_everywhere(&self, role: Role) -> bool {
        self.0.contains(&Grant { role, site: None })
    }

    /// The roles that count at a site.
    pub fn roles_at(&self, site: &SiteId) -> BTreeSet<Role> {
        let counts = |g: &&Grant| g.site.as_ref().is_none_or(|s| s == site);
        self.0.iter().filter(counts).map(|g| g.role).collect()
    }

    /// What is left of them in a session without a second factor.
    #[must_use]
    pub fn in_session(&self, second_factor: bool) -> Self {
        let counts = |g: &&Grant| second_factor || !g.role.needs_second_factor();
        Self(self.0.iter().filter(counts).cloned().collect())
    }

    /// The sites whose every object an action reaches.
    pub fn sites(&self, action: Action) -> Sites {
        self.reaching(action, Reach::Site)
    }

    /// The sites of which an action reaches what is assigned to the person, or everything.
    pub fn sites_if_assigned(&self, action: Action) -> Sites {
        self.reaching(action, Reach::Assigned)
    }

    fn reaching(&self, action: Action, least: Reach) -> Sites {
        let mut sites = Sites::none();
        for grant in self.0.iter().filter(|g| g.role.reach(action) >= least) {
            sites.add(grant.site.as_ref());
        }
        sites
    }
}
