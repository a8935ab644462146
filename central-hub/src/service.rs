//! What the service manager is told: that the hub is up, that it is alive, that it is stopping.
//!
//! Alive means that the task which writes records answers. Without a service manager every call does
//! nothing. Restarting a hung hub is the unit's part (`WatchdogSec`).

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval};

/// How often the writer is asked; a third of the unit's patience.
const ASK_EVERY: Duration = Duration::from_secs(10);

/// A question to a part: answered as soon as it is done with what it was at.
pub type Question = oneshot::Sender<()>;

/// Everything is started.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The orderly end has begun.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Gives a sign of life for as long as the writer answers; for ever silent once it is gone.
pub async fn signs_of_life(writer: mpsc::Sender<Question>) {
    let mut every = interval(ASK_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        if !answers(&writer).await {
            tracing::error!("the writer of records is gone; the service manager will restart the hub");
            return std::future::pending().await;
        }
        tell(&[NotifyState::Watchdog]);
    }
}

/// Waits for the answer however long it takes: meanwhile no sign is given.
async fn answers(writer: &mpsc::Sender<Question>) -> bool {
    let (question, answer) = oneshot::channel();
    writer.send(question).await.is_ok() && answer.await.is_ok()
}

fn tell(words: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(words) {
        tracing::warn!(%error, "the service manager does not listen");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_writer_that_is_gone_does_not_answer() {
        let (writer, mut questions) = mpsc::channel::<Question>(1);
        let asked = tokio::spawn(async move { answers(&writer).await });
        questions.recv().await.unwrap().send(()).unwrap();
        assert!(asked.await.unwrap());

        let (writer, questions) = mpsc::channel::<Question>(1);
        drop(questions);
        assert!(!answers(&writer).await);
    }
}
