//! Carries out what the hub orders and the uplink cannot do alone: test alarms, live video.

use protocol::{CameraId, Order, Status};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::drill::Drills;
use crate::live::Live;
use crate::spool::SpoolHandle;
use crate::uplink::Asked;

/// What carries them out.
pub(super) struct Carrying {
    pub drills: Drills,
    pub live: Live,
    pub spool: SpoolHandle,
    pub status: watch::Receiver<Status>,
}

impl Carrying {
    /// Runs until the uplink has ended. A test alarm takes its time; live video's leases do not wait for it, other
    /// test alarms do.
    pub async fn out(self, mut orders: mpsc::Receiver<Asked>) {
        let mut alarm = JoinSet::new();
        let (waiting, mut next) = mpsc::channel(super::ORDERS);
        loop {
            tokio::select! {
                asked = orders.recv() => {
                    let Some(asked) = asked else { return };
                    self.take(asked, &waiting);
                }
                Some((asked, camera)) = next.recv(), if alarm.is_empty() => {
                    alarm.spawn(test_alarm(asked, camera, self.drills.clone(), self.spool.clone()));
                }
                Some(_) = alarm.join_next(), if !alarm.is_empty() => {}
            }
        }
    }

    fn take(&self, asked: Asked, alarms: &mpsc::Sender<(Asked, CameraId)>) {
        match asked.command.order.clone() {
            Order::TestAlarm { camera } => {
                if !self.status.borrow().cameras.iter().flatten().any(|c| c.camera == camera) {
                    return asked.refused(format!("there is no camera `{camera}` on this box"));
                }
                if let Err(full) = alarms.try_send((asked, camera)) {
                    let (asked, _) = full.into_inner();
                    asked.refused("too many orders at once");
                }
            }
            Order::LiveStart { camera, live } => match self.live.start(&camera, &live) {
                Ok(()) => asked.done(),
                Err(not_sent) => asked.refused_for(Some(not_sent.why), not_sent.text),
            },
            Order::LiveStop { camera, live } => {
                self.live.stop(&camera, &live);
                asked.done();
            }
            _ => asked.refused("this version does not carry out the order"),
        }
    }
}

async fn test_alarm(asked: Asked, camera: CameraId, drills: Drills, spool: SpoolHandle) {
    match tokio::task::spawn_blocking(move || drills.raise(&camera, &spool)).await {
        Ok(Ok(_)) => asked.done(),
        Ok(Err(error)) => asked.refused(error.to_string()),
        Err(_) => asked.refused("the agent is stopping"),
    }
}
