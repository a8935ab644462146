//! Strangers in great numbers at the door, and a box that gets in all the same (S14).

mod world;

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use world::https::{dial, shake_hands};
use world::{World, runtime};

/// Half-open connections say nothing; slow ones shake hands and then send a request drop by drop. Who is thrown out
/// comes back after `pause`.
fn siege(half_open: usize, slow: usize, pause: Duration) {
    let files = central_hub::door::files::raise_limit();
    assert!(files as usize > half_open + 2 * slow + 200, "raise the limit of open files: {files}");
    let mut world = World::new();
    let papers = world.add_agent("market", "gate");
    world.start();
    let (agents, mqtt) = (world.ports.agents, world.ports.mqtt.unwrap());
    let stranger = world.tls(None);
    let from = |n: usize| Ipv4Addr::new(127, 2, (n / 200) as u8, (n % 200) as u8 + 1);
    // Both doors are besieged.
    for n in 0..half_open {
        let port = if n % 2 == 0 { mqtt } else { agents };
        runtime().spawn(async move {
            loop {
                let Ok(line) = dial(port, from(n)).await else {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                };
                let _ = line.readable().await;
                tokio::time::sleep(pause).await;
            }
        });
    }
    for n in 0..slow {
        let stranger = stranger.clone();
        runtime().spawn(async move {
            loop {
                if let Ok(mut line) = shake_hands(agents, from(n), stranger.clone()).await {
                    let drops = "POST /agent/v1/enrol HTTP/1.1\r\nX: ".bytes().chain(std::iter::repeat(b'x'));
                    for drop in drops {
                        if line.write_all(&[drop]).await.is_err() || line.flush().await.is_err() {
                            break;
                        }
                        tokio::time::sleep(Duration::from_millis(200)).await;
                    }
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
    }
    let begun = Instant::now();
    let (mut tries, mut longest) = (0, Duration::ZERO);
    while tries < 20 || begun.elapsed() < Duration::from_secs(12) {
        let asked = Instant::now();
        let line = world.connect("gate", &papers);
        let trust =
            world.ask(papers.tls(), &format!("GET {}", protocol::enrol::TRUST), &serde_json::Value::Null);
        longest = longest.max(asked.elapsed());
        assert!(line.is_ok(), "{:?}: {}", line.err(), world.log());
        assert_eq!(trust.status, 200);
        tries += 1;
    }
    println!(
        "{half_open} half-open, {slow} slow: {tries} connections of a box, the longest took {longest:?}"
    );
    assert!(longest < Duration::from_secs(5), "{longest:?}");
}

#[test]
fn a_box_gets_in_while_strangers_crowd_the_door() {
    siege(600, 60, Duration::from_secs(1));
}

/// The whole of it: `cargo test -p central-hub --test flood -- --ignored --nocapture`. Needs a hard limit
/// of 8,192 open files.
#[test]
#[ignore = "a measurement"]
fn a_box_gets_in_within_five_seconds_whoever_stands_at_the_door() {
    siege(5000, 500, Duration::from_secs(1));
}

/// Besiegers who are back at once: more connections a second than a handshake has places to wait in, were
/// the silent and the speaking in one queue.
#[test]
#[ignore = "a measurement"]
fn besiegers_who_come_back_at_once_push_out_only_themselves() {
    siege(5000, 500, Duration::from_millis(100));
}
