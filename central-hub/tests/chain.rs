//! People, sessions and the audit's chain in the store, on both engines alike.

mod world;

use std::collections::BTreeSet;

use central_hub::store::audit::Note;
use central_hub::store::logins::Bucket;
use central_hub::store::people::{By, PeopleError};
use central_hub::store::sessions::{Limits, Opening};
use central_hub::store::{FIRST_USER, Store, sql};
use hub_core::audit::{Algorithm, Fault, Head};
use hub_core::rights::{Action, Grant, Grants, Role, Sites};
use tokio::task::JoinSet;

const LIMITS: Limits = Limits { idle: 60, longest: 720 };

struct Open {
    store: Store,
    _folder: tempfile::TempDir,
}

async fn open() -> Open {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("data"), &world::store_settings()).await.unwrap();
    Open { store, _folder: folder }
}

fn everywhere(role: Role) -> Grants {
    Grants::new([Grant { role, site: None }]).unwrap()
}

async fn session(store: &Store, account: &str, token: &str) {
    let opening =
        Opening { account, token, second_factor: true, by_link: false, source: "here", browser: "test" };
    store.open_session(opening).await.unwrap();
}

async fn grants_of_session(store: &Store, token: &str) -> Grants {
    store.session(token, LIMITS).await.unwrap().unwrap().grants
}

#[tokio::test]
async fn entries_of_many_at_once_are_one_chain() {
    let Open { store, .. } = &open().await;
    let before = store.verify_audit(Vec::new()).await.unwrap();
    assert!(before.is_good(), "{before:?}");
    let mut writers = JoinSet::new();
    for n in 0..40 {
        let store = store.clone();
        writers.spawn(async move {
            for m in 0..5 {
                let note = Note::new("test", &format!("user-{n}"), &format!("Number {m}.")).at_site("market");
                store.note(note.to("a\0b").for_reason((m == 0).then_some("理由"))).await.unwrap();
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    let heads: Vec<Head> = store.audit_heads().await.unwrap().into_iter().map(|(head, _)| head).collect();
    let verdict = store.verify_audit(heads).await.unwrap();
    assert!(verdict.is_good(), "{verdict:?}");
    assert_eq!(verdict.entries, before.entries + 200);
}

/// What somebody with the database could do to an audit of 30 entries, and what is found of it.
#[tokio::test]
async fn what_is_done_to_the_stored_audit_is_found() {
    let tampering = [
        "UPDATE audit SET detail = 'Nothing happened.' WHERE number = 7",
        "UPDATE audit SET actor = 'li' WHERE number = 1",
        "UPDATE audit SET reason = '' WHERE number = 9",
        "UPDATE audit SET at = at + 1 WHERE number = 12",
        "DELETE FROM audit WHERE number = 5",
        "DELETE FROM audit WHERE number > 20",
        "DELETE FROM audit",
        "DELETE FROM audit_days",
        "UPDATE audit_days SET count = count - 1",
        "UPDATE audit SET number = number + 1000 WHERE number = 3",
        "INSERT INTO audit SELECT day, 10000, at, action, actor, site, object, detail, reason, digest FROM audit WHERE number = 3",
        "UPDATE audit SET day = '2001-01-01' WHERE number = 30",
    ];
    for text in tampering {
        let Open { store, .. } = &open().await;
        for n in 0..30 {
            store.note(Note::new("test", "user", &format!("Number {n}."))).await.unwrap();
        }
        assert!(store.verify_audit(Vec::new()).await.unwrap().is_good());
        let mut tx = store.write().await.unwrap();
        assert!(tx.execute(sql(text)).await.unwrap() > 0, "{text}");
        tx.commit().await.unwrap();
        let verdict = store.verify_audit(Vec::new()).await.unwrap();
        assert!(!verdict.is_good(), "not found: {text}");
    }
}

#[tokio::test]
async fn a_tail_cut_off_without_a_trace_is_found_against_the_published_head() {
    let Open { store, .. } = &open().await;
    for n in 0..10 {
        store.note(Note::new("test", "user", &format!("Number {n}."))).await.unwrap();
    }
    let heads = store.audit_heads().await.unwrap();
    let (head, _) = heads.last().unwrap().clone();
    let page = store.audit_page(&Sites::All, &Default::default(), 4).await.unwrap();
    assert!(page.more);
    let last = page.rows.last().unwrap().clone();
    let mut tx = store.write().await.unwrap();
    let cut = "DELETE FROM audit WHERE day = $1 AND number > $2";
    tx.execute(sql(cut).bind(&last.day).bind(last.number)).await.unwrap();
    let count = "UPDATE audit_days SET count = $2, head = $3 WHERE day = $1";
    tx.execute(sql(count).bind(&last.day).bind(last.number).bind(&last.digest)).await.unwrap();
    tx.commit().await.unwrap();
    assert!(store.verify_audit(Vec::new()).await.unwrap().is_good(), "the database agrees with itself");
    let faults = store.verify_audit(vec![head.clone()]).await.unwrap().faults;
    assert_eq!(faults.told, [Fault::NotAsPublished { head }]);
}

#[tokio::test]
async fn rows_of_before_the_chain_are_taken_into_it_by_their_days() {
    let folder = tempfile::tempdir().unwrap();
    let (data, settings) = (folder.path().join("data"), world::store_settings());
    let store = Store::open(&data, &settings).await.unwrap();
    let first = store.verify_audit(Vec::new()).await.unwrap();
    let mut tx = store.write().await.unwrap();
    for n in 0..50i64 {
        let text = "INSERT INTO audit_unchained (id, at, action, actor, agent, detail) VALUES ($1, $2, $3, $4, $5, $6)";
        let statement = sql(text).bind(format!("{n:016}")).bind(n * 20_000_000).bind("revoked").bind("hub");
        tx.execute(statement.bind(Some("gate").filter(|_| n % 2 == 0)).bind(format!("Number {n}.")))
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    store.close().await;
    let store = Store::open(&data, &settings).await.unwrap();
    let verdict = store.verify_audit(Vec::new()).await.unwrap();
    assert!(verdict.is_good(), "{verdict:?}");
    assert_eq!(verdict.entries, first.entries + 50);
    assert!(verdict.days >= 12, "50 entries, a quarter of a day apart: {}", verdict.days);
    let rows = store.audited("revoked", 100).await.unwrap();
    assert_eq!(
        (rows.len(), rows[0].detail.as_str(), rows[1].object.as_deref()),
        (50, "Number 49.", Some("gate"))
    );
    let (left,): (i64,) = store.read().one(sql("SELECT count(*) FROM audit_unchained")).await.unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_day_keeps_the_hash_it_began_with_and_sm3_chains_as_well() {
    let Open { store, .. } = &open().await;
    store.chain_audit_by(Algorithm::Sm3);
    for n in 0..5 {
        store.note(Note::new("test", "user", &format!("Number {n}."))).await.unwrap();
    }
    let heads = store.audit_heads().await.unwrap();
    assert_eq!(heads.last().unwrap().1, Algorithm::Sm3);
    assert!(store.verify_audit(Vec::new()).await.unwrap().is_good());
}

#[tokio::test]
async fn auditors_of_a_site_read_its_entries_alone() {
    let Open { store, .. } = &open().await;
    for site in ["market", "school"] {
        store.note(Note::new("test", "user", "Seen.").at_site(site)).await.unwrap();
    }
    store.note(Note::new("test", "user", "Of no site.")).await.unwrap();
    let market = Sites::Only(BTreeSet::from(["market".parse().unwrap()]));
    let page = store.audit_page(&market, &Default::default(), 100).await.unwrap();
    let sites: Vec<_> = page.rows.iter().map(|r| r.site.as_deref()).collect();
    assert_eq!(sites, [Some("market")]);
    assert!(store.audit_page(&Sites::none(), &Default::default(), 100).await.unwrap().rows.is_empty());
    assert_eq!(store.audited("test", 100).await.unwrap().len(), 3);
}

#[tokio::test]
async fn the_first_account_stands_in_until_others_do_it_everywhere() {
    let Open { store, .. } = &open().await;
    session(store, FIRST_USER, "t").await;
    let at_first = grants_of_session(store, "t").await;
    for role in [Role::Administrator, Role::Operator, Role::ShiftLead, Role::Installer] {
        assert!(at_first.holds_everywhere(role), "{role}");
    }
    assert!(at_first.sites(Action::ReadAudit).is_empty(), "and never as auditor");
    // An operator of one site leaves the others to the first account; one of all sites does not.
    let market =
        Grants::new([Grant { role: Role::Operator, site: Some("market".parse().unwrap()) }]).unwrap();
    store.add_user("li", None, &market, By::CommandLine).await.unwrap();
    assert!(grants_of_session(store, "t").await.holds(Role::Operator));
    store.add_user("wang", None, &everywhere(Role::Operator), By::CommandLine).await.unwrap();
    let now = grants_of_session(store, "t").await;
    assert!(!now.holds(Role::Operator) && now.holds(Role::ShiftLead) && now.holds(Role::Administrator));
    store.disable_user("wang", true, By::CommandLine).await.unwrap();
    assert!(grants_of_session(store, "t").await.holds(Role::Operator), "nobody else does it any more");
    // Granted outright, it stays.
    store.disable_user("wang", false, By::CommandLine).await.unwrap();
    let own =
        Grants::new([Role::Operator, Role::Administrator].map(|role| Grant { role, site: None })).unwrap();
    store.set_grants(FIRST_USER, &own, By::CommandLine).await.unwrap();
    assert!(grants_of_session(store, "t").await.holds(Role::Operator));
}

#[tokio::test]
async fn administration_and_audit_stay_apart_and_somebody_administers() {
    let Open { store, .. } = &open().await;
    let admin = By::Person(FIRST_USER);
    let refused = store.add_user("eve", None, &everywhere(Role::Auditor), admin).await;
    assert!(matches!(refused, Err(PeopleError::AuditorApart)));
    store.add_user("cai", None, &everywhere(Role::Auditor), By::CommandLine).await.unwrap();
    // Nothing about an auditor is an administrator's.
    let nothing = Grants::default();
    for refused in [
        store.set_grants("cai", &nothing, admin).await,
        store.disable_user("cai", true, admin).await,
        store.put_login_link("cai", "token", admin).await,
        store.set_password("cai", "hash", None, admin).await,
        store.end_sessions_of("cai", admin).await.map(drop),
        store.rename_user("cai", Some("x"), admin).await,
        store.remove_second_factor("cai", admin).await,
    ] {
        assert!(matches!(refused, Err(PeopleError::AuditorApart)), "{refused:?}");
    }
    assert!(matches!(store.set_grants(FIRST_USER, &nothing, admin).await, Err(PeopleError::Oneself)));
    assert!(matches!(store.disable_user(FIRST_USER, true, admin).await, Err(PeopleError::Oneself)));
    for refused in [
        store.set_grants(FIRST_USER, &nothing, By::CommandLine).await,
        store.disable_user(FIRST_USER, true, By::CommandLine).await,
        store
            .revoke(FIRST_USER, &Grant { role: Role::Administrator, site: None }, By::CommandLine)
            .await
            .map(drop),
    ] {
        assert!(matches!(refused, Err(PeopleError::LastAdministrator)), "{refused:?}");
    }
    store.add_user("zhou", None, &everywhere(Role::Administrator), By::CommandLine).await.unwrap();
    store.disable_user(FIRST_USER, true, By::Person("zhou")).await.unwrap();
    assert!(matches!(store.add_user("cai", None, &nothing, admin).await, Err(PeopleError::Taken(_))));
    assert!(matches!(store.rename_user("nobody", None, admin).await, Err(PeopleError::NoSuchUser(_))));
    let noted = store.audited("rights_changed", 10).await.unwrap().len();
    assert_eq!(noted, 0, "what was refused was not done");
    assert_eq!(store.audited("user_added", 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn sessions_end_by_minutes_that_the_hub_has_run() {
    let Open { store, .. } = &open().await;
    session(store, FIRST_USER, "idle").await;
    session(store, FIRST_USER, "busy").await;
    let mut minute = store.minute().await.unwrap();
    for n in 1..=720 {
        minute = store.count_minute(minute, LIMITS).await.unwrap();
        assert_eq!(minute, n);
        let busy = store.session("busy", LIMITS).await.unwrap();
        match n {
            720 => assert_eq!(busy, None, "too old"),
            _ => store.touch_session(&busy.unwrap()).await.unwrap(),
        }
        let idle = store.session("idle", LIMITS).await.unwrap();
        assert_eq!(idle.is_some(), n <= 60, "after {n} minutes");
    }
    // Another hub that has not seen the last minute counts none.
    assert_eq!(store.count_minute(minute - 1, LIMITS).await.unwrap(), minute);
    assert!(store.sessions_of(FIRST_USER, LIMITS).await.unwrap().is_empty());
}

#[tokio::test]
async fn people_have_a_bounded_number_of_sessions_and_end_their_own_alone() {
    let Open { store, .. } = &open().await;
    store.add_user("li", None, &everywhere(Role::Operator), By::CommandLine).await.unwrap();
    for n in 0..25 {
        session(store, "li", &format!("t{n}")).await;
    }
    let listed = store.sessions_of("li", LIMITS).await.unwrap();
    assert_eq!(listed.len(), 20);
    assert!(store.session("t0", LIMITS).await.unwrap().is_none());
    assert!(store.session("t24", LIMITS).await.unwrap().is_some());
    assert!(!store.end_session(FIRST_USER, &listed[0].id).await.unwrap(), "somebody else's");
    assert!(store.end_session("li", &listed[0].id).await.unwrap());
    assert!(store.session("t24", LIMITS).await.unwrap().is_none());
    store.disable_user("li", true, By::CommandLine).await.unwrap();
    assert!(store.session("t20", LIMITS).await.unwrap().is_none());
}

#[tokio::test]
async fn a_code_is_used_once_whoever_races_for_it() {
    let Open { store, .. } = &open().await;
    for step in [7, 8, 5] {
        let mut racers = JoinSet::new();
        for _ in 0..20 {
            let store = store.clone();
            racers.spawn(async move { store.use_code(FIRST_USER, step).await.unwrap() });
        }
        let mut winners = 0;
        while let Some(won) = racers.join_next().await {
            winners += u32::from(won.unwrap());
        }
        assert_eq!(winners, u32::from(step != 5), "step {step}: an older one counts no more");
    }
}

#[tokio::test]
async fn parallel_guesses_gain_nothing() {
    let Open { store, .. } = &open().await;
    let mut guessers = JoinSet::new();
    for n in 0..50 {
        let store = store.clone();
        guessers.spawn(async move {
            let buckets = [Bucket::source(&format!("10.0.0.{}", n % 7)), Bucket::account("li")];
            store.admit(&buckets).await.unwrap()
        });
    }
    let mut admitted = 0;
    while let Some(answer) = guessers.join_next().await {
        match answer.unwrap() {
            Ok(()) => admitted += 1,
            Err(seconds) => assert!((1..=60).contains(&seconds), "{seconds}"),
        }
    }
    assert_eq!(admitted, 10);
    assert_eq!(
        store.admit(&[Bucket::device("li", "known")]).await.unwrap(),
        Ok(()),
        "the owner is not locked out"
    );
    assert_eq!(store.admit(&[Bucket::account("wang")]).await.unwrap(), Ok(()));
}
