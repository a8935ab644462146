//! The control socket, asked as another process would.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::sync_channel;

use protocol::{AgentState, CameraState, CameraStatus, VERSION};
use tokio::sync::watch;

use super::server::may_ask;
use super::*;
use crate::drill::Drills;
use crate::spool::{Spool, SpoolConfig, SpoolHandle};

const WITHIN: Duration = Duration::from_secs(20);

struct Agent {
    data: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    control: Option<Control>,
    spool: SpoolHandle,
}

impl Agent {
    fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let spool = SpoolConfig { ballast: 0, ..SpoolConfig::new(data.path().join("spool")) };
        let spool = Spool::open(spool).unwrap().0;
        let mut agent = Self { data, runtime, control: None, spool };
        agent.control = Some(agent.open().unwrap());
        agent
    }

    fn open(&self) -> Result<Control, DoorError> {
        let _entered = self.runtime.enter();
        Control::start(self.data.path(), desk(&self.spool))
    }

    fn ask(&self, request: &Request) -> Result<Answer, AskError> {
        ask(self.data.path(), request, WITHIN)
    }

    fn socket(&self) -> std::path::PathBuf {
        socket(self.data.path())
    }

    fn stop(mut self) -> tempfile::TempDir {
        if let Some(control) = self.control.take() {
            self.runtime.block_on(control.stop());
        }
        self.spool.close();
        self.data
    }
}

fn desk(spool: &SpoolHandle) -> Desk {
    let gate = CameraStatus {
        camera: "gate".parse().unwrap(),
        name: Some("东门".into()),
        state: CameraState::Live,
        since: crate::alerts::now(),
        reason: None,
        width: Some(1280),
        height: Some(720),
    };
    let status = Status {
        v: VERSION,
        state: AgentState::Online,
        name: None,
        version: None,
        since: None,
        cameras: Some(vec![gate]),
        config: None,
    };
    let link = LinkState { connected: false, reason: Some("no route".into()), ignored: 0 };
    let (reload, mut asked) = crate::run::reloads();
    std::thread::spawn(move || {
        while let Some(asked) = asked.blocking_recv() {
            let _ = asked.answer.unwrap().send(Err("line 3: no such thing".into()));
        }
    });
    Desk {
        site: "market".parse().unwrap(),
        agent: "box-1".parse().unwrap(),
        status: watch::Sender::new(status).subscribe(),
        link: watch::Sender::new(link).subscribe(),
        health: watch::Sender::new(None).subscribe(),
        spool: spool.clone(),
        drills: Drills::default(),
        reload,
    }
}

/// What comes back for these bytes.
fn say(socket: &Path, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(WITHIN)).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

#[test]
fn it_tells_what_goes_on() {
    let agent = Agent::start();
    let Answer::Status(report) = agent.ask(&Request::Status).unwrap() else { panic!("no report") };
    assert_eq!(report.link, Link { connected: false, reason: Some("no route".into()) });
    assert_eq!(report.status.cameras.unwrap()[0].name.as_deref(), Some("东门"));
    assert_eq!((report.pid, report.spool.durable), (std::process::id(), true));
    let refused = agent.ask(&Request::Reload).unwrap_err().to_string();
    assert!(refused.contains("line 3"), "{refused}");
    agent.stop();
}

#[test]
fn a_test_alarm_is_stored_and_its_course_can_be_followed() {
    let agent = Agent::start();
    let stranger = Request::TestAlarm { camera: "yard".parse().unwrap() };
    assert!(agent.ask(&stranger).unwrap_err().to_string().contains("no camera `yard`"));
    let Answer::TestAlarm(stored) =
        agent.ask(&Request::TestAlarm { camera: "gate".parse().unwrap() }).unwrap()
    else {
        panic!("no test alarm")
    };
    let course = Request::Course { epoch: stored.epoch.clone(), seq: stored.seq };
    let open = Answer::Course { settled: false, still_waits: false };
    assert_eq!(agent.ask(&course).unwrap(), open);
    let ack = protocol::Ack {
        hub_epoch: "a".repeat(32).parse().unwrap(),
        epoch: stored.epoch,
        settled_through: stored.seq,
        settled: vec![],
        rejected: vec![],
    };
    agent.spool.acknowledge(ack).unwrap();
    assert_eq!(agent.ask(&course).unwrap(), Answer::Course { settled: true, still_waits: false });
    agent.stop();
}

#[test]
fn only_the_owner_reaches_it_and_nothing_said_to_it_ends_it() {
    let agent = Agent::start();
    let mode = |name| std::fs::metadata(agent.data.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("control.sock"), mode("control.lock")), (0o600, 0o600));
    assert!(may_ask(0, 1000) && may_ask(1000, 1000) && !may_ask(1001, 1000));
    assert!(say(&agent.socket(), b"\xff\x00 nonsense\n").contains("cannot be read"));
    assert!(say(&agent.socket(), b"{\"do\":\"reboot\"}\n").contains("cannot be read"));
    let long = vec![b'x'; MAX_REQUEST];
    assert!(say(&agent.socket(), &long).contains("at most 4096 bytes"));
    assert!(matches!(agent.ask(&Request::Status), Ok(Answer::Status(_))));
    agent.stop();
}

#[test]
fn clients_beyond_the_limit_are_sent_away_and_find_room_again() {
    let agent = Agent::start();
    let silent: Vec<_> = (0..MAX_CLIENTS).map(|_| UnixStream::connect(agent.socket()).unwrap()).collect();
    assert!(say(&agent.socket(), b"").contains("too many ask at once"));
    drop(silent);
    let until = std::time::Instant::now() + WITHIN;
    while agent.ask(&Request::Status).is_err() {
        assert!(std::time::Instant::now() < until, "no room again");
        std::thread::yield_now();
    }
    agent.stop();
}

#[test]
fn a_stale_socket_is_replaced_and_a_second_agent_is_refused() {
    let agent = Agent::start();
    let refused = agent.open().err().unwrap();
    assert!(matches!(refused, DoorError::Taken { .. }), "{refused}");
    assert!(matches!(agent.ask(&Request::Status), Ok(Answer::Status(_))), "the first serves on");
    let data = agent.stop();
    assert!(!socket(data.path()).exists());
    assert!(matches!(ask(data.path(), &Request::Status, WITHIN), Err(AskError::NotRunning)));

    // As a power cut leaves it.
    drop(std::os::unix::net::UnixListener::bind(socket(data.path())).unwrap());
    assert!(socket(data.path()).exists());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let spool = SpoolConfig { ballast: 0, ..SpoolConfig::new(data.path().join("spool")) };
    let spool = Spool::open(spool).unwrap().0;
    let _entered = runtime.enter();
    let control = Control::start(data.path(), desk(&spool)).unwrap();
    let data_path = data.path().to_owned();
    let (sender, answered) = sync_channel(1);
    let asking = std::thread::spawn(move || {
        let _ = sender.send(ask(&data_path, &Request::Status, WITHIN).is_ok());
    });
    runtime.block_on(async {
        while !asking.is_finished() {
            tokio::task::yield_now().await;
        }
        control.stop().await;
    });
    assert!(answered.recv().unwrap());
    spool.close();
}
