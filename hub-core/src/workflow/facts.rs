//! What happened to an incident: steps of people, marks of the hub, alerts after its end.

use std::collections::{BTreeMap, BTreeSet};

use crate::clocks::Target;

/// One of the incidents that were joined to one, the survivor among them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    pub incident: String,
    /// When the hub first heard of it, ms: its clocks start here.
    pub clock_from: i64,
}

/// A thing that happened. `(at, id)` is its place in the story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// The hub's time, ms since 1970.
    pub at: i64,
    /// Unique among the incident's facts.
    pub id: String,
    /// The part it was written down for.
    pub incident: String,
    pub deed: Deed,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// Somebody did something.
    Step { by: Actor, step: Step },
    /// An alert joined; [`Fact::at`] is when the hub received it. It counts when the incident was settled before
    /// it happened, by the box's clock.
    Alert { happened: i64 },
    /// Another incident turned out to be the same; from now on this one's steps are meant for both.
    Absorbed { incident: String },
    /// The hub noted that a target was missed.
    Overdue(Target),
    /// The hub called in the next level: 1 is the shift lead.
    Escalated { level: u8 },
    /// The hub's clock was set forward by this many ms (back: negative) while the incident was worked on.
    ClockSet { by: i64 },
}

/// Whoever does a step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Actor {
    pub id: String,
    pub role: Role,
    /// The units that a grid member belongs to.
    pub units: BTreeSet<String>,
}

/// As what somebody acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    Operator,
    ShiftLead,
    /// Out in the streets; only for what is theirs.
    GridMember,
}

/// Whom an incident is given to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Assignee {
    Unit(String),
    Member(String),
}

/// What is done, with what it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub kind: StepKind,
    pub note: Option<String>,
    pub to: Option<Assignee>,
}

impl Step {
    pub fn new(kind: StepKind) -> Self {
        Self { kind, note: None, to: None }
    }
}

/// The kinds of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StepKind {
    Acknowledge,
    /// Sent out, to a unit or a grid member.
    Dispatch,
    /// Whoever was sent says: I go.
    Accept,
    Arrive,
    Resolve,
    Close,
    FalseAlarm,
    Reopen,
    Note,
    /// A photo or a voice message.
    Attach,
    /// Proposed to somebody without sending them.
    Assign,
    /// The clocks wait, for a reason that is written down.
    Pause,
    Resume,
    /// An answer to a question of the operating procedure.
    Answer,
}

impl StepKind {
    pub const ALL: [Self; 14] = [
        Self::Acknowledge,
        Self::Dispatch,
        Self::Accept,
        Self::Arrive,
        Self::Resolve,
        Self::Close,
        Self::FalseAlarm,
        Self::Reopen,
        Self::Note,
        Self::Attach,
        Self::Assign,
        Self::Pause,
        Self::Resume,
        Self::Answer,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledge",
            Self::Dispatch => "dispatch",
            Self::Accept => "accept",
            Self::Arrive => "arrive",
            Self::Resolve => "resolve",
            Self::Close => "close",
            Self::FalseAlarm => "false_alarm",
            Self::Reopen => "reopen",
            Self::Note => "note",
            Self::Attach => "attach",
            Self::Assign => "assign",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Answer => "answer",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// The facts of an incident and of those it absorbed, as a set: whatever order they come in, however often.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts(BTreeMap<(i64, String), Fact>);

impl Facts {
    pub fn insert(&mut self, fact: Fact) {
        self.0.entry((fact.at, fact.id.clone())).or_insert(fact);
    }

    /// In the story's order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Fact> {
        self.0.values()
    }

    pub fn last(&self) -> Option<&Fact> {
        self.0.values().next_back()
    }
}

impl FromIterator<Fact> for Facts {
    fn from_iter<I: IntoIterator<Item = Fact>>(facts: I) -> Self {
        let mut set = Self::default();
        facts.into_iter().for_each(|fact| set.insert(fact));
        set
    }
}
