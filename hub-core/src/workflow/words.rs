//! Steps, states and refusals in the words of people, in both languages.

use super::{Assignee, Refusal, Role, State, StepKind};

/// The languages that every text exists in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    English,
    Chinese,
}

use Language::{Chinese, English};

pub fn state_name(state: State, language: Language) -> &'static str {
    let (english, chinese) = match state {
        State::New => ("new", "新事件"),
        State::Acknowledged => ("acknowledged", "已确认"),
        State::Dispatched => ("dispatched", "已派遣"),
        State::OnScene => ("on scene", "已到场"),
        State::Resolved => ("resolved", "已处置"),
        State::Closed => ("closed", "已结案"),
        State::FalseAlarm => ("false alarm", "误报"),
    };
    pick(language, english, chinese)
}

pub fn step_name(step: StepKind, language: Language) -> &'static str {
    let (english, chinese) = match step {
        StepKind::Acknowledge => ("acknowledge", "确认"),
        StepKind::Dispatch => ("dispatch", "派遣"),
        StepKind::Accept => ("accept", "接单"),
        StepKind::Arrive => ("arrive", "到场"),
        StepKind::Resolve => ("resolve", "处置完成"),
        StepKind::Close => ("close", "结案"),
        StepKind::FalseAlarm => ("mark as false alarm", "标为误报"),
        StepKind::Reopen => ("re-open", "重新打开"),
        StepKind::Note => ("note", "备注"),
        StepKind::Attach => ("attach", "附件"),
        StepKind::Assign => ("assign", "指派"),
        StepKind::Pause => ("pause the clock", "暂停计时"),
        StepKind::Resume => ("resume the clock", "恢复计时"),
        StepKind::Answer => ("answer", "回答"),
    };
    pick(language, english, chinese)
}

fn role_name(role: Role, language: Language) -> &'static str {
    let (english, chinese) = match role {
        Role::Operator => ("operators", "值班员"),
        Role::ShiftLead => ("shift leads", "值班长"),
        Role::GridMember => ("grid members", "网格员"),
    };
    pick(language, english, chinese)
}

/// Why a step was not taken, and what can be done instead. `clock` writes a time as people there read it.
pub fn refused_because(refusal: &Refusal, language: Language, clock: impl Fn(i64) -> String) -> String {
    let step = |kind: &StepKind| step_name(*kind, language);
    match (refusal, language) {
        (Refusal::NotNow { step: kind, state, open }, _) => {
            let open: Vec<_> = open.iter().map(step).collect();
            let (step, state) = (step(kind), state_name(*state, language));
            match language {
                English => format!(
                    "the incident is {state}: \"{step}\" is not open now; open are: {}",
                    open.join(", ")
                ),
                Chinese => format!("事件当前为“{state}”，不能“{step}”；现在可以：{}", open.join("、")),
            }
        }
        (Refusal::NotForRole { step: kind, role }, English) => {
            format!("\"{}\" is not for {}; ask an operator", step(kind), role_name(*role, language))
        }
        (Refusal::NotForRole { step: kind, role }, Chinese) => {
            format!("{}不能“{}”，请联系值班员", role_name(*role, language), step(kind))
        }
        (Refusal::NotYours { given_to, .. }, _) => not_yours(given_to.as_ref(), language),
        (Refusal::NeedsNote { step: kind }, English) => {
            format!("\"{}\" needs a note that says why", step(kind))
        }
        (Refusal::NeedsNote { step: kind }, Chinese) => format!("“{}”需要填写说明", step(kind)),
        (Refusal::NeedsAssignee { step: kind }, English) => {
            format!("\"{}\" needs a unit or a grid member", step(kind))
        }
        (Refusal::NeedsAssignee { step: kind }, Chinese) => {
            format!("“{}”需要指定队伍或网格员", step(kind))
        }
        (Refusal::NoteTooLong { letters, most }, English) => {
            format!("the note has {letters} letters; {most} is the most")
        }
        (Refusal::NoteTooLong { letters, most }, Chinese) => {
            format!("说明有 {letters} 个字，最多 {most} 个字")
        }
        (Refusal::Overtaken { by, did, at, .. }, English) => {
            format!("{by} was faster: \"{}\" at {}; look at the incident again", step(did), clock(*at))
        }
        (Refusal::Overtaken { by, did, at, .. }, Chinese) => {
            format!("{by} 已于 {} 先行“{}”，请重新查看事件", clock(*at), step(did))
        }
    }
}

fn not_yours(given_to: Option<&Assignee>, language: Language) -> String {
    let whom = match given_to {
        Some(Assignee::Unit(name) | Assignee::Member(name)) => name.as_str(),
        None => pick(language, "nobody", "任何人（未指派）"),
    };
    match language {
        English => format!("this incident is given to {whom}, not to you"),
        Chinese => format!("该事件指派给{whom}，不是您"),
    }
}

fn pick(language: Language, english: &'static str, chinese: &'static str) -> &'static str {
    match language {
        English => english,
        Chinese => chinese,
    }
}
