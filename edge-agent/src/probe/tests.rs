//! Measurements against a real RTSP server inside the test.

use settings::Secret;

use super::*;
use crate::camera::tests::Simulator;
use crate::hardware::Isolation;

fn camera(port: i32) -> CameraConfig {
    toml::from_str(&format!("id = \"gate\"\nurl = \"rtsp://127.0.0.1:{port}/live\"\nuser = \"guard\""))
        .unwrap()
}

fn measured(port: i32, password: &str) -> Result<Measured, ProbeError> {
    let credentials = Credentials { user: "guard".into(), password: Secret::new(password) };
    let mut hardware = Profile::builtin().unwrap();
    hardware.decoder.isolation = Isolation::None;
    measure(&camera(port), Some(&credentials), &hardware, Duration::from_secs(2))
}

#[test]
fn a_camera_is_measured_and_its_picture_decoded() {
    let simulator = Simulator::start(0);
    let measured = measured(simulator.port, crate::camera::tests::PASSWORD).unwrap();
    let figures = &measured.figures;
    assert_eq!((figures.codec.as_str(), figures.width, figures.height), ("H.264", 320, 240));
    assert!(!figures.has_b_frames, "{figures:?}");
    assert_eq!(figures.declared_fps, Some(20.0));
    // No bar on a shared machine: only that it is a rate and not a count or nothing.
    assert!((5.0..=40.0).contains(&figures.delivered_fps), "{figures:?}");
    assert!(figures.key_distance_s.is_some_and(|s| (0.3..=1.0).contains(&s)), "{figures:?}");
    assert_eq!(measured.frame.map(|f| (f.width, f.height)), Some((320, 240)));
}

#[test]
fn b_frames_are_seen() {
    let encoder = "x264enc speed-preset=veryfast option-string=bframes=2:b-adapt=0 key-int-max=20 ! video/x-h264,profile=main";
    let simulator = Simulator::start_with(0, encoder);
    let measured = measured(simulator.port, crate::camera::tests::PASSWORD).unwrap();
    assert!(measured.figures.has_b_frames, "{:?}", measured.figures);
}

#[test]
fn h265_is_measured_with_the_advice_against_it() {
    let simulator =
        Simulator::start_with(0, "x265enc tune=zerolatency speed-preset=ultrafast key-int-max=10");
    let measured = measured(simulator.port, crate::camera::tests::PASSWORD).unwrap();
    let figures = &measured.figures;
    assert_eq!((figures.codec.as_str(), figures.width, figures.height), ("H.265", 320, 240));
    assert!(!figures.has_b_frames && figures.key_distance_s.is_some(), "{figures:?}");
    assert_eq!(measured.frame.map(|f| (f.width, f.height)), Some((320, 240)));
    assert!(advice::against(figures).iter().any(|a| a.about == "codec"));
}

#[test]
fn b_frames_of_h265_are_seen() {
    let encoder = "x265enc speed-preset=ultrafast option-string=bframes=3:b-adapt=0 key-int-max=20";
    let simulator = Simulator::start_with(0, encoder);
    let measured = measured(simulator.port, crate::camera::tests::PASSWORD).unwrap();
    assert!(measured.figures.has_b_frames, "{:?}", measured.figures);
}

#[test]
fn a_wrong_password_is_said_once_and_told_in_both_languages() {
    let simulator = Simulator::start(0);
    let error = measured(simulator.port, "wrong-battery").err().unwrap();
    assert!(matches!(error, ProbeError::Refused), "{error}");
    assert!(error.text().zh.contains("密码") && !format!("{error:?}").contains("battery"));
    assert_eq!(simulator.connections.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[test]
fn a_camera_that_is_not_there_is_told() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = measured(i32::from(free), "x").err().unwrap();
    assert!(matches!(error, ProbeError::Camera(_)) && error.text().zh.contains("连不上"), "{error}");
}
