//! The whole table of roles and actions, and who may do what where.

use std::collections::BTreeSet;

use super::*;
use protocol::SiteId;

fn site(id: &str) -> SiteId {
    id.parse().unwrap()
}

fn grant(role: Role, at: Option<&str>) -> Grant {
    Grant { role, site: at.map(site) }
}

/// The table once more, as a person would check it against the guide: A assigned, S site, - never.
const EXPECTED: [(&str, &str); 18] = [
    // operator, shift lead, installer, auditor, administrator, grid member
    ("read_alerts", "SSS---"),
    ("view_stills", "SS---A"),
    ("watch_live", "SS----"),
    ("read_agents", "SSS-S-"),
    ("manage_agents", "--S---"),
    ("follow_feed", "SSS---"),
    ("read_incidents", "SS---A"),
    ("work_incidents", "SS---A"),
    ("open_incidents", "SS---S"),
    ("reshape_incidents", "SS----"),
    ("read_handover", "SS----"),
    ("read_units", "SS--S-"),
    ("manage_units", "-S--S-"),
    ("read_figures", "SS--S-"),
    ("export", "-S----"),
    ("read_users", "---SS-"),
    ("manage_users", "----S-"),
    ("read_audit", "---S--"),
];

#[test]
fn the_whole_table_is_as_the_guide_says() {
    let said: Vec<(&str, String)> = Action::ALL
        .iter()
        .map(|&action| {
            let cell = |&role: &Role| match role.reach(action) {
                Reach::Never => '-',
                Reach::Assigned => 'A',
                Reach::Site => 'S',
            };
            (action.as_str(), Role::ALL.iter().map(cell).collect())
        })
        .collect();
    let expected: Vec<(&str, String)> = EXPECTED.iter().map(|&(a, cells)| (a, cells.to_owned())).collect();
    assert_eq!(said, expected);
}

/// Every set of roles that one person may hold, at all sites.
fn all_people() -> Vec<Grants> {
    let sets = 0u32..1 << Role::ALL.len();
    let held = |set: u32| Role::ALL.iter().enumerate().filter(move |(n, _)| set >> n & 1 == 1);
    let people = sets.filter_map(|set| Grants::new(held(set).map(|(_, &role)| grant(role, None))).ok());
    let people: Vec<_> = people.collect();
    assert_eq!(people.len(), 1 + (1 << (Role::ALL.len() - 1)), "an auditor alone, and every set of others");
    people
}

#[test]
fn audit_is_apart_from_administration_and_changes_nothing() {
    for person in all_people() {
        let may = |action| !person.sites_if_assigned(action).is_empty();
        if may(Action::ReadAudit) {
            for &action in Action::ALL {
                assert!(action.reads() || !may(action), "{person:?} reads the audit and may {action}");
            }
        }
        assert!(!(may(Action::ManageUsers) && may(Action::ReadAudit)), "{person:?}");
    }
}

#[test]
fn whoever_holds_nothing_may_nothing() {
    for &action in Action::ALL {
        assert!(Grants::default().sites(action).is_empty());
        assert!(Grants::default().sites_if_assigned(action).is_empty());
    }
}

#[test]
fn a_role_at_one_site_reaches_no_other() {
    for &role in Role::ALL.iter().filter(|r| !r.everywhere_only()) {
        let held = Grants::new([grant(role, Some("market"))]).unwrap();
        for &action in Action::ALL {
            let own = role.reach(action) == Reach::Site;
            assert_eq!(held.sites(action).contains(&site("market")), own, "{role} {action}");
            assert_eq!(held.sites(action).contains_text("market"), own, "{role} {action}");
            assert!(!held.sites(action).contains(&site("school")), "{role} {action}");
            assert!(!held.sites_if_assigned(action).contains(&site("school")), "{role} {action}");
        }
        assert_eq!(held.roles_at(&site("market")), BTreeSet::from([role]));
        assert!(held.roles_at(&site("school")).is_empty());
    }
}

#[test]
fn grants_add_up_and_all_sites_swallow_one() {
    let held = Grants::new([
        grant(Role::Operator, Some("market")),
        grant(Role::Installer, Some("school")),
        grant(Role::GridMember, None),
    ])
    .unwrap();
    assert_eq!(held.sites(Action::ReadAlerts), Sites::Only([site("market"), site("school")].into()));
    assert_eq!(held.sites(Action::ReadIncidents), Sites::Only([site("market")].into()));
    assert_eq!(held.sites_if_assigned(Action::ReadIncidents), Sites::All, "what is assigned, anywhere");
    assert_eq!(held.sites(Action::OpenIncidents), Sites::All);
    assert!(held.holds(Role::Operator) && !held.holds_everywhere(Role::Operator));
}

#[test]
fn without_a_second_factor_an_administrator_administers_nothing() {
    let held = Grants::new([grant(Role::Administrator, None), grant(Role::Operator, None)]).unwrap();
    assert_eq!(held.in_session(true), held);
    let left = held.in_session(false);
    assert!(left.sites(Action::ManageUsers).is_empty());
    assert_eq!(left.sites(Action::ReadAlerts), Sites::All, "the rest goes on");
}

#[test]
fn what_cannot_be_held_is_refused() {
    let alone = Grants::new([grant(Role::Auditor, Some("market")), grant(Role::Auditor, Some("school"))]);
    assert!(alone.is_ok());
    for &role in Role::ALL.iter().filter(|&&r| r != Role::Auditor) {
        let both = [grant(Role::Auditor, None), grant(role, None)];
        assert_eq!(Grants::new(both), Err(Fault::AuditorIsApart), "{role}");
    }
    let bound = Grants::new([grant(Role::Administrator, Some("market"))]);
    assert_eq!(bound, Err(Fault::AdministratorEverywhere));
    let many = (0..=MOST_GRANTS).map(|n| grant(Role::Operator, Some(&format!("site-{n}"))));
    assert_eq!(Grants::new(many), Err(Fault::TooMany));
}

#[test]
fn words_are_read_as_they_are_written_and_others_are_named() {
    for role in Role::ALL {
        assert_eq!(role.as_str().parse::<Role>().as_ref(), Ok(role));
    }
    for action in Action::ALL {
        assert_eq!(action.as_str().parse::<Action>().as_ref(), Ok(action));
    }
    let error = "root".parse::<Role>().unwrap_err().to_string();
    assert!(error.contains("`root` is no role") && error.contains("shift_lead"), "{error}");
}
