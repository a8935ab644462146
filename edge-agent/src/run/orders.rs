//! Carries out what the hub orders and the uplink cannot do alone: test alarms.

use protocol::{Order, Status};
use tokio::sync::{mpsc, watch};

use crate::drill::Drills;
use crate::spool::SpoolHandle;
use crate::uplink::Asked;

/// One after the other; runs until the uplink has ended.
pub(super) async fn carry_out(
    mut orders: mpsc::Receiver<Asked>,
    drills: Drills,
    spool: SpoolHandle,
    status: watch::Receiver<Status>,
) {
    while let Some(asked) = orders.recv().await {
        let Order::TestAlarm { camera } = asked.command.order.clone() else {
            asked.refused("this version does not carry out the order");
            continue;
        };
        if !status.borrow().cameras.iter().flatten().any(|c| c.camera == camera) {
            asked.refused(format!("there is no camera `{camera}` on this box"));
            continue;
        }
        let (drills, spool) = (drills.clone(), spool.clone());
        match tokio::task::spawn_blocking(move || drills.raise(&camera, &spool)).await {
            Ok(Ok(_)) => asked.done(),
            Ok(Err(error)) => asked.refused(error.to_string()),
            Err(_) => asked.refused("the agent is stopping"),
        }
    }
}
