//! Live video through the real hub: asked for over MQTT, offered by a box (WHIP), watched by an operator (WHEP),
//! forwarded over UDP; who may, and for how long. The box and the browser are this test's.

mod world;

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use live::{Receiver, Seen, Sender, Told, Watched};
use protocol::enrol::LIVE;
use protocol::{Command, Order};
use rumqttc::v5::mqttbytes::v5::Packet;
use serde_json::{Value, json};
use world::https::{self, HERE};
use world::{Agent, Operator, PATIENCE, Papers, World, runtime};

const WATCH: &str = "/cameras/gate/c1/live";
/// Between two pictures of the box.
const GAP: Duration = Duration::from_millis(50);

/// A box that speaks by its certificate, with one camera.
fn connected(world: &World, papers: &Papers) -> Agent {
    let mut link = world.connect("gate", papers).unwrap();
    link.subscribe("signalbox/v1/market/gate/command");
    let camera = json!({ "camera": "c1", "state": "live", "since": "2026-11-24T08:00:00.000Z" });
    link.publish(
        "signalbox/v1/market/gate/status",
        &json!({ "v": 1, "state": "online", "cameras": [camera] }),
    );
    link
}

/// The next order about live video that is `wanted`.
fn order(link: &mut Agent, wanted: impl Fn(&Order) -> bool) -> Command {
    let of = |packet: Packet| {
        let Packet::Publish(publish) = packet else { return None };
        let command: Command = serde_json::from_slice(&publish.payload).ok()?;
        wanted(&command.order).then_some(command)
    };
    link.wait(of).unwrap()
}

fn start(order: &Order) -> bool {
    matches!(order, Order::LiveStart { .. })
}

fn state_when(world: &World, operator: &Operator, enough: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let mut response = operator.get(world, WATCH);
        let state: Value = response.body_mut().read_json().unwrap_or_default();
        if response.status() == 200 && enough(&state) {
            return state;
        }
        assert!(begun.elapsed() < PATIENCE, "{state}: {}", world.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

/// A browser.
struct Browser {
    receiver: Receiver,
    socket: UdpSocket,
    place: String,
    seen: Vec<Seen>,
    over: bool,
}

impl Browser {
    fn watch(world: &World, operator: &Operator) -> Result<Self, u16> {
        let socket = socket();
        let (mut receiver, offer) = Receiver::offer(socket.local_addr().unwrap(), Instant::now()).unwrap();
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE));
        let http: ureq::Agent = config.build().into();
        let request = http.post(world.url(WATCH)).header("cookie", operator.cookie());
        let mut answer = request.header("content-type", "application/sdp").send(offer).unwrap();
        if answer.status() != 201 {
            return Err(answer.status().as_u16());
        }
        let place = answer.headers()["location"].to_str().unwrap().to_owned();
        assert_eq!(answer.headers()["content-type"], "application/sdp");
        let text = answer.body_mut().read_to_string().unwrap();
        receiver.answered(&text, Instant::now()).unwrap();
        Ok(Self { receiver, socket, place, seen: Vec::new(), over: false })
    }

    fn step(&mut self) {
        let mut bytes = [0; 2048];
        while let Ok((length, from)) = self.socket.recv_from(&mut bytes) {
            self.receiver.receive(from, &bytes[..length], Instant::now());
        }
        if self.receiver.deadline() <= Instant::now() {
            self.receiver.tick(Instant::now());
        }
        while let Some(watched) = self.receiver.poll() {
            match watched {
                Watched::Send { to, bytes } => drop(self.socket.send_to(&bytes, to)),
                Watched::Picture(seen) => self.seen.push(seen),
                Watched::Over => self.over = true,
                Watched::Connected => {}
            }
        }
    }
}

/// A box's camera.
struct Camera {
    sender: Sender,
    socket: UdpSocket,
    begun: Instant,
    made: u32,
    key: bool,
    over: bool,
}

impl Camera {
    /// The offer, to be given to the hub.
    fn new() -> (Self, String) {
        let (socket, begun) = (socket(), Instant::now());
        let (sender, offer) = Sender::offer(socket.local_addr().unwrap(), begun).unwrap();
        (Self { sender, socket, begun, made: 0, key: true, over: false }, offer)
    }

    fn step(&mut self) {
        let (mut bytes, now) = ([0; 2048], Instant::now());
        while let Ok((length, from)) = self.socket.recv_from(&mut bytes) {
            self.sender.receive(from, &bytes[..length], now);
        }
        if self.begun.elapsed() >= GAP * self.made {
            self.made += 1;
            let header = if std::mem::take(&mut self.key) { 0x65 } else { 0x41 };
            let mut picture = vec![0, 0, 0, 1, 0x67, 7, 7, 0, 0, 0, 1, header];
            if header == 0x41 {
                picture.drain(..7);
            }
            picture.extend(self.made.to_be_bytes().map(|b| b | 0x40));
            picture.resize(picture.len() + 3_000, 9);
            let _ = self.sender.write(&picture, self.begun.elapsed(), now);
        }
        if self.sender.deadline() <= now {
            self.sender.tick(now);
        }
        while let Some(told) = self.sender.poll() {
            match told {
                Told::Send { to, bytes } => drop(self.socket.send_to(&bytes, to)),
                Told::KeyFrameWanted => self.key = true,
                Told::Over => self.over = true,
                Told::Connected => {}
            }
        }
    }
}

/// Offers to the hub as a box does; status and body.
fn offer(world: &World, papers: &Papers, camera: &str, live: &str, offer: &str) -> (u16, String) {
    let head = format!("POST {LIVE}/{camera}/{live} HTTP/1.1\r\nContent-Type: application/sdp");
    let sent = https::send(world.ports.agents, HERE, papers.tls(), &head, offer.as_bytes());
    let answer = runtime().block_on(sent).unwrap();
    (answer.status, String::from_utf8(answer.body).unwrap())
}

/// Until `enough`, or the bound.
fn until(camera: &mut Camera, browsers: &mut [Browser], mut enough: impl FnMut(&Camera, &[Browser]) -> bool) {
    let begun = Instant::now();
    while !enough(camera, browsers) {
        assert!(
            begun.elapsed() < PATIENCE,
            "{:?}",
            browsers.iter().map(|b| b.seen.len()).collect::<Vec<_>>()
        );
        camera.step();
        browsers.iter_mut().for_each(Browser::step);
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_box_is_asked_offers_and_its_pictures_reach_everybody_who_may_see_them() {
    let mut world = World::new();
    let [gate, yard] = ["gate", "yard"].map(|agent| world.add_agent("market", agent));
    world.start();
    let mut link = connected(&world, &gate);
    let operator = Operator::by_link(&world);
    state_when(&world, &operator, |s| s["state"] == "unwatched");
    let (mut camera, sdp) = Camera::new();
    assert_eq!(offer(&world, &gate, "c1", "anything", &sdp).0, 404, "nobody asked");

    let mut browsers = vec![Browser::watch(&world, &operator).unwrap()];
    let command = order(&mut link, start);
    let Order::LiveStart { camera: asked, live } = command.order.clone() else { panic!() };
    assert_eq!(asked.as_str(), "c1");
    for (papers, id, name) in [(&yard, "c1", live.as_str()), (&gate, "c2", &live), (&gate, "c1", "other")] {
        assert_eq!(offer(&world, papers, id, name, &sdp).0, 404, "{id} {name}");
    }
    assert_eq!(offer(&world, &gate, "c1", &live, "v=0").0, 422);
    let (status, answer) = offer(&world, &gate, "c1", &live, &sdp);
    assert_eq!(status, 201, "{answer}");
    camera.sender.answered(&answer, Instant::now()).unwrap();
    until(&mut camera, &mut browsers, |_, b| b[0].seen.len() >= 20);
    assert!(browsers[0].seen[0].key && browsers[0].seen.iter().all(|s| s.follows));
    assert_eq!(state_when(&world, &operator, |s| s["state"] == "arriving"), json!({ "state": "arriving" }));

    // Another joins the same; the box is asked for nothing but a key frame.
    browsers.push(Browser::watch(&world, &operator).unwrap());
    until(&mut camera, &mut browsers, |_, b| b[1].seen.len() >= 5);
    assert!(browsers[1].seen[0].key);

    // Somebody else's view is nobody else's to end, and an ended one is no more.
    let path = browsers[1].place.strip_prefix("/api/v1").unwrap().to_owned();
    assert_eq!(Operator::stranger().delete(&world, &path), 401);
    assert_eq!(operator.delete(&world, &path), 200);
    assert_eq!(operator.delete(&world, &path), 404);

    // The box's certificate is taken away: its pictures end at once, and it is asked in vain.
    assert!(world.run(&["agent", "revoke", "--agent", "gate"]).status.success());
    let begun = Instant::now();
    while !world.log().contains("whose it was may no more") {
        assert!(begun.elapsed() < PATIENCE, "{}", world.log());
        camera.step();
        browsers.iter_mut().for_each(Browser::step);
    }
    assert_ne!(offer(&world, &gate, "c1", &live, &sdp).0, 201);
}

#[test]
fn watching_ends_with_the_session_and_the_box_hears_of_it() {
    let mut world = World::new();
    let gate = world.add_agent("market", "gate");
    world.start();
    let mut link = connected(&world, &gate);
    let operator = Operator::by_link(&world);
    state_when(&world, &operator, |s| s["state"] == "unwatched");
    let mut browser = Browser::watch(&world, &operator).unwrap();
    let first = order(&mut link, start);
    let again = order(&mut link, start);
    assert!(first.order == again.order && first.id != again.id, "the same request, said again");

    // The box says no, and why.
    let reply = json!({ "v": 1, "id": again.id, "outcome": "refused", "reason": "no", "why": "live_off" });
    link.publish("signalbox/v1/market/gate/reply", &reply);
    let begun = Instant::now();
    loop {
        let state: Value = operator.json(&world, WATCH);
        if state == json!({ "state": "refused", "why": "live_off" }) {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{state}");
        // Another order may have come in between.
        let next = order(&mut link, start);
        let reply = json!({ "v": 1, "id": next.id, "outcome": "refused", "reason": "no", "why": "live_off" });
        link.publish("signalbox/v1/market/gate/reply", &reply);
    }

    // Logged out: the view is cut, noted, and a moment later the box is told.
    assert_eq!(operator.delete(&world, "/session"), 204);
    let stop = order(&mut link, |order| matches!(order, Order::LiveStop { .. }));
    let (Order::LiveStart { live: begun, .. }, Order::LiveStop { live: ended, .. }) =
        (first.order, stop.order)
    else {
        panic!()
    };
    assert_eq!(begun, ended);
    browser.step();
    let (watched, ended) = runtime().block_on(async {
        let store = world.store().await;
        (store.audited("live_watched", 9).await.unwrap(), store.audited("live_ended", 9).await.unwrap())
    });
    assert_eq!((watched.len(), ended.len()), (1, 1));
    assert_eq!(watched[0].object.as_deref(), Some("gate/c1"));
    assert_eq!((ended[0].site.as_deref(), &ended[0].actor), (Some("market"), &watched[0].actor));
    assert!(ended[0].detail.contains("none was sent"), "{}", ended[0].detail);
}
