//! What the hub orders: answered here, or handed out to whoever does it.

use protocol::{Command, Order, Outcome, Reply, ReplyWhy, VERSION};
use tokio::sync::mpsc;

/// An order for another part of the agent, with the way back for its answer.
#[derive(Debug)]
pub struct Asked {
    pub command: Command,
    replies: mpsc::Sender<Reply>,
}

impl Asked {
    /// An answer that finds no connection any more is of no use: the order has expired by then.
    pub fn done(self) {
        let _ = self.replies.try_send(reply(&self.command, Outcome::Done, None));
    }

    /// `reason`: one plain English sentence.
    pub fn refused(self, reason: impl Into<String>) {
        self.refused_for(None, reason);
    }

    /// The same, with one of the usual reasons.
    pub fn refused_for(self, why: Option<ReplyWhy>, reason: impl Into<String>) {
        let reply = Reply { why, ..reply(&self.command, Outcome::Refused, Some(reason.into())) };
        let _ = self.replies.try_send(reply);
    }
}

/// What is to be done about a command.
#[derive(Debug, Clone, PartialEq)]
pub enum Todo {
    Answer(Reply),
    /// Answer, and have the keeper of the certificate look at once.
    Renew(Reply),
    HandOut(Command),
    /// Too late.
    Nothing,
}

/// `now_ms`: by the hub's clock where it is known. What is harmless is done whatever the clock says.
pub fn decide(command: Command, now_ms: i64) -> Todo {
    match command.order {
        Order::Present => Todo::Answer(reply(&command, Outcome::Done, None)),
        Order::Renew => Todo::Renew(reply(&command, Outcome::Done, None)),
        _ if command.expires_at.unix_ms() < now_ms => Todo::Nothing,
        Order::Unknown => Todo::Answer(unknown(&command)),
        Order::TestAlarm { .. } | Order::LiveStart { .. } | Order::LiveStop { .. } => Todo::HandOut(command),
    }
}

/// Hands an order out; what nobody takes is not known to this box.
pub fn hand_out(
    command: Command,
    orders: &mpsc::Sender<Asked>,
    replies: &mpsc::Sender<Reply>,
) -> Option<Reply> {
    let asked = Asked { command, replies: replies.clone() };
    match orders.try_send(asked) {
        Ok(()) => None,
        Err(mpsc::error::TrySendError::Full(asked)) => {
            Some(reply(&asked.command, Outcome::Refused, Some("too many orders at once".into())))
        }
        Err(mpsc::error::TrySendError::Closed(asked)) => Some(unknown(&asked.command)),
    }
}

fn unknown(command: &Command) -> Reply {
    reply(command, Outcome::Unknown, Some("this version does not know the order".into()))
}

fn reply(command: &Command, outcome: Outcome, reason: Option<String>) -> Reply {
    Reply { v: VERSION, id: command.id.clone(), outcome, reason, why: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(text: &str) -> Command {
        let json = format!(r#"{{"v":1,"id":"7","expires_at":"1970-01-01T00:00:01.000Z",{text}}}"#);
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn each_order_finds_its_answer() {
        let done = Reply { v: 1, id: "7".into(), outcome: Outcome::Done, reason: None, why: None };
        // A question that is harmless is answered even where the clocks disagree.
        for now in [0, 2_000] {
            assert_eq!(decide(command(r#""do":"present""#), now), Todo::Answer(done.clone()));
            assert_eq!(decide(command(r#""do":"renew""#), now), Todo::Renew(done.clone()));
        }
        let Todo::Answer(unknown) = decide(command(r#""do":"dance""#), 0) else { panic!() };
        assert_eq!(unknown.outcome, Outcome::Unknown);
        let test = command(r#""do":"test_alarm","camera":"gate""#);
        assert_eq!(decide(test.clone(), 1_000), Todo::HandOut(test.clone()));
        assert_eq!(decide(test.clone(), 1_001), Todo::Nothing);

        let (replies, mut answered) = mpsc::channel(4);
        let (orders, mut taken) = mpsc::channel(1);
        assert_eq!(hand_out(test.clone(), &orders, &replies), None);
        assert_eq!(hand_out(test.clone(), &orders, &replies).unwrap().outcome, Outcome::Refused);
        taken.try_recv().unwrap().done();
        assert_eq!(answered.try_recv().unwrap(), done);
        drop(taken);
        assert_eq!(hand_out(test, &orders, &replies).unwrap().outcome, Outcome::Unknown);
    }
}
