//! The verdict and the page; a whole course is followed in the system tests.

use super::*;

fn status(state: CameraState) -> CameraStatus {
    CameraStatus {
        camera: "gate".parse().unwrap(),
        name: Some("<script>东门".into()),
        state,
        since: crate::alerts::now(),
        reason: None,
        width: Some(1280),
        height: Some(720),
    }
}

fn alarm() -> Alarm {
    Alarm {
        epoch: "a".repeat(32).parse().unwrap(),
        seq: 7,
        at: crate::alerts::now(),
        stored_ms: 120,
        settled_ms: Some(180),
        shown_ms: Some(190),
        still_ms: Some(700),
        received_at: None,
    }
}

#[test]
fn every_missing_leg_fails_the_camera_with_its_own_reason() {
    let live = status(CameraState::Live);
    assert_eq!(missing(&live, Some(&alarm()), true, None), None);
    let mut reasons = vec![
        missing(&status(CameraState::Offline), Some(&alarm()), true, None),
        missing(&live, None, false, Some("disk")),
        missing(&live, Some(&Alarm { settled_ms: None, ..alarm() }), true, None),
        missing(&live, Some(&Alarm { shown_ms: None, ..alarm() }), true, None),
        missing(&live, Some(&alarm()), false, None),
    ];
    let count = reasons.len();
    assert!(reasons.iter().all(Option::is_some));
    reasons.dedup();
    assert_eq!(reasons.len(), count);
}

#[test]
fn the_page_is_whole_by_itself_and_runs_nothing_that_a_name_says() {
    let gate = status(CameraState::Live);
    let result = CameraResult {
        camera: gate.camera,
        name: gate.name,
        passed: true,
        reason: None,
        state: gate.state,
        width: gate.width,
        height: gate.height,
        decoded_fps: Some(10.0),
        analysed_fps: Some(9.5),
        latency_ms: Some(40.0),
        alarm: Some(alarm()),
        still: Some(vec![0xff, 0xd8, 0xff]),
    };
    let page = html(&Acceptance {
        passed: true,
        at: crate::alerts::now(),
        site: "market".into(),
        agent: "box-1".into(),
        name: Some("广场".into()),
        version: "0".into(),
        hub: "https://hub:8443".into(),
        certificate_until: crate::alerts::now(),
        checks: vec![],
        cameras: vec![result],
    });
    assert!(page.contains("&lt;script&gt;东门") && !page.contains("<script"), "{page}");
    assert!(page.contains("data:image/jpeg;base64,/9j/") && page.contains("合格 PASS"), "{page}");
    assert!(!page.contains("src=\"http") && !page.contains("<link"), "it loads nothing");
}
