//! A box renews its certificate at the real hub, and the power goes again and again: between two steps,
//! and in the middle of one. Whatever is on disk afterwards opens the hub's door.

use std::path::Path;
use std::time::Duration;

use edge_agent::hub::Hub;
use edge_agent::identity::{Folder, HubClock, Renewal, Step};
use testkit::Chance;
use testkit::stage::Stage;

/// Crashes in all; each begins where the one before left the files.
const CRASHES: u32 = 120;

#[test]
fn a_crash_at_each_step_of_renewal_leaves_a_certificate_that_works() {
    let place = tempfile::tempdir().unwrap();
    let mut stage = Stage::new(place.path()).unwrap();
    stage.start_hub().unwrap();
    stage.enrol_agent().unwrap();
    let data = stage.agent_data();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut chance = Chance::new(20_261_124);
    let (mut renewed, mut between, mut within) = (0, 0, 0);
    let mut crashed_before: Vec<Step> = Vec::new();
    for crash in 0..CRASHES {
        runtime.block_on(async {
            let mut renewal = Renewal::new(Folder::hold(&data).unwrap());
            // Each step is the last one equally often; a renewal has six and some answers.
            let steps = crash % 7;
            for _ in 0..steps {
                if renewal.advance(true, &HubClock::default()).await.unwrap() == (Step::Mark(newest(&data))) {
                    renewed += 1;
                }
            }
            let next = renewal.next(true).unwrap();
            if !crashed_before.iter().any(|s| std::mem::discriminant(s) == std::mem::discriminant(&next)) {
                crashed_before.push(next);
            }
            if chance.below(2) == 0 {
                between += 1;
                return;
            }
            // The power goes while the step is under way: its request may or may not reach the hub.
            within += 1;
            let micros = chance.below(12_000);
            let clock = HubClock::default();
            let step = renewal.advance(true, &clock);
            let _ = tokio::time::timeout(Duration::from_micros(micros as u64), step).await;
        });
        let works = runtime.block_on(working(&data));
        assert!(works, "crash {crash}: no certificate on the box opens the door");
    }
    println!(
        "{CRASHES} crashes, {between} between steps and {within} within one; {renewed} renewals came to their end"
    );
    assert!(crashed_before.len() >= 6, "not every step was crashed at: {crashed_before:?}");
    assert!(renewed >= 5, "hardly anything was renewed: {renewed}");
    // After all that the hub knows one certificate of the box as valid, or two in the middle of a renewal.
    let listed = stage.hub_command(&["agent", "list"]).unwrap();
    assert!(listed.contains("box-1"), "{listed}");
    stage.stop().unwrap();
}

fn newest(data: &Path) -> u32 {
    Folder::look(data).complete().last().copied().unwrap()
}

/// Whether a box that starts now finds a certificate that the hub takes: the newest first, as it does.
async fn working(data: &Path) -> bool {
    let folder = Folder::hold(data).unwrap();
    let renewal = Renewal::new(folder);
    for number in renewal.folder().complete().into_iter().rev() {
        let Ok(pass) = renewal.pass(number) else { continue };
        let hub = Hub::new(&pass.home.hub, &pass.tls).unwrap();
        if hub.trust().await.is_ok() {
            return true;
        }
    }
    false
}
