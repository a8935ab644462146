//! Which step is open to whom, in which state; and why not.

use super::{Actor, Assignee, Role, Standing, State, Step, StepKind};

/// Longest note, letters.
pub const NOTE_LETTERS: usize = 2_000;

/// What somebody has to do with an incident beside their role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seat {
    /// They reported it.
    pub reporter: bool,
}

/// Why a step was not taken. Words are made of it by [`super::refused_because`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Not in this state. `open`: what this person can do instead.
    NotNow {
        step: StepKind,
        state: State,
        open: Vec<StepKind>,
    },
    /// Never for this role.
    NotForRole {
        step: StepKind,
        role: Role,
    },
    /// Grid members work on what was given to them or their unit, or what they reported.
    NotYours {
        step: StepKind,
        given_to: Option<Assignee>,
    },
    /// It must say why.
    NeedsNote {
        step: StepKind,
    },
    /// It must say to whom.
    NeedsAssignee {
        step: StepKind,
    },
    NoteTooLong {
        letters: usize,
        most: usize,
    },
    /// Somebody was faster.
    Overtaken {
        step: StepKind,
        by: String,
        did: StepKind,
        at: i64,
    },
}

/// Whether this person may do this step now.
pub fn permit(standing: &Standing, actor: &Actor, seat: Seat, step: &Step) -> Result<(), Refusal> {
    let kind = step.kind;
    if !is_for_role(kind, actor.role) {
        return Err(Refusal::NotForRole { step: kind, role: actor.role });
    }
    if !is_theirs(standing, actor, seat, kind) {
        return Err(Refusal::NotYours { step: kind, given_to: standing.assigned.clone() });
    }
    if !is_open(standing, actor.role, kind) {
        let open = steps_open_to(standing, actor, seat);
        return Err(Refusal::NotNow { step: kind, state: standing.state, open });
    }
    let letters = step.note.as_ref().map_or(0, |n| n.chars().count());
    if letters > NOTE_LETTERS {
        return Err(Refusal::NoteTooLong { letters, most: NOTE_LETTERS });
    }
    let is_said = step.note.as_ref().is_some_and(|n| !n.trim().is_empty());
    if matches!(kind, StepKind::Note | StepKind::Pause | StepKind::FalseAlarm | StepKind::Reopen) && !is_said
    {
        return Err(Refusal::NeedsNote { step: kind });
    }
    if matches!(kind, StepKind::Dispatch | StepKind::Assign) && step.to.is_none() {
        return Err(Refusal::NeedsAssignee { step: kind });
    }
    Ok(())
}

/// Everything that is open to this person now.
pub fn steps_open_to(standing: &Standing, actor: &Actor, seat: Seat) -> Vec<StepKind> {
    let open = |kind: &StepKind| {
        is_for_role(*kind, actor.role)
            && is_theirs(standing, actor, seat, *kind)
            && is_open(standing, actor.role, *kind)
    };
    StepKind::ALL.into_iter().filter(open).collect()
}

fn is_for_role(kind: StepKind, role: Role) -> bool {
    use StepKind::*;
    role != Role::GridMember || matches!(kind, Accept | Arrive | Resolve | Note | Attach | Answer)
}

fn is_theirs(standing: &Standing, actor: &Actor, seat: Seat, kind: StepKind) -> bool {
    let given = match &standing.assigned {
        Some(Assignee::Member(member)) => *member == actor.id,
        Some(Assignee::Unit(unit)) => actor.units.contains(unit),
        None => false,
    };
    let said = seat.reporter && matches!(kind, StepKind::Note | StepKind::Attach);
    actor.role != Role::GridMember || given || said
}

/// The one table: step by state.
fn is_open(standing: &Standing, role: Role, kind: StepKind) -> bool {
    use State::*;
    let state = standing.state;
    let worked = matches!(state, Acknowledged | Dispatched | OnScene);
    match kind {
        StepKind::Acknowledge => state == New,
        StepKind::Dispatch | StepKind::Assign | StepKind::FalseAlarm => state == New || worked,
        // What was proposed to a grid member may be accepted at once: nobody need press a button in between.
        StepKind::Accept => {
            !state.is_settled()
                && state != OnScene
                && standing.assigned.is_some()
                && standing.accepted.is_none()
        }
        StepKind::Arrive => matches!(state, Acknowledged | Dispatched) && standing.assigned.is_some(),
        StepKind::Resolve => worked,
        StepKind::Close => state == Resolved,
        StepKind::Reopen => state == Resolved || (state.is_settled() && role == Role::ShiftLead),
        StepKind::Pause => worked && !standing.is_paused(),
        StepKind::Resume => standing.is_paused(),
        StepKind::Note | StepKind::Attach => true,
        StepKind::Answer => !matches!(state, Closed | FalseAlarm),
    }
}
