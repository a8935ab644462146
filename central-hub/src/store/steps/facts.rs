//! Rows of `steps`, and the facts that they are.

use hub_core::clocks::Target;
use hub_core::workflow::{Actor, Assignee, Deed, Fact, Role, Step, StepKind};
use serde_json::Value;
use sqlx::FromRow;

use super::{Case, Source, assignee};
use crate::store::{StoreError, Tx, audit, sql};
use crate::uuid::uuid7;

/// A row, as it was written.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct FactRow {
    pub incident: String,
    pub step: String,
    pub at: i64,
    pub kind: String,
    pub actor: String,
    pub role: String,
    pub note: Option<String>,
    pub unit: Option<String>,
    pub member: Option<String>,
    pub data: String,
}

/// A row that is to be written.
#[derive(Debug, Clone)]
pub struct Written<'a> {
    pub at: i64,
    pub kind: &'a str,
    pub actor: &'a str,
    pub role: &'a str,
    pub note: Option<&'a str>,
    pub to: Option<&'a Assignee>,
    pub data: Value,
}

impl<'a> Written<'a> {
    /// What the hub notes by itself.
    pub fn by_hub(at: i64, kind: &'a str, data: Value) -> Self {
        Self { at, kind, actor: audit::HUB, role: audit::HUB, note: None, to: None, data }
    }
}

impl FactRow {
    /// `None` for what is history only, and for kinds of a newer hub.
    pub fn fact(&self) -> Option<Fact> {
        Some(Fact { at: self.at, id: self.step.clone(), incident: self.incident.clone(), deed: self.deed()? })
    }

    pub fn data(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_default()
    }

    fn deed(&self) -> Option<Deed> {
        if let Some(kind) = StepKind::named(&self.kind) {
            let by = Actor { id: self.actor.clone(), role: role(&self.role)?, units: Default::default() };
            let unit = self.unit.clone().map(Assignee::Unit);
            let to = unit.or_else(|| self.member.clone().map(Assignee::Member));
            return Some(Deed::Step { by, step: Step { kind, note: self.note.clone(), to } });
        }
        let data = self.data();
        match self.kind.as_str() {
            "alert" => Some(Deed::Alert { happened: data["happened"].as_i64()? }),
            "absorbed" => Some(Deed::Absorbed { incident: data["incident"].as_str()?.to_owned() }),
            "overdue" => Some(Deed::Overdue(Target::named(data["target"].as_str()?)?)),
            "escalated" => Some(Deed::Escalated { level: data["level"].as_u64()?.try_into().ok()? }),
            "clock_set" => Some(Deed::ClockSet { by: data["by"].as_i64()? }),
            _ => None,
        }
    }
}

pub(in crate::store) fn role_name(role: Role) -> &'static str {
    match role {
        Role::Operator => "operator",
        Role::ShiftLead => "shift_lead",
        Role::GridMember => "grid_member",
    }
}

/// What the hub does by itself (a proposal by the grid area) counts as an operator's.
fn role(name: &str) -> Option<Role> {
    if name == audit::HUB {
        return Some(Role::Operator);
    }
    [Role::Operator, Role::ShiftLead, Role::GridMember].into_iter().find(|role| role_name(*role) == name)
}

/// All rows of an incident and of those that are part of it, in the story's order.
pub(super) async fn of<S: Source>(
    tx: &mut S,
    site: &str,
    incident: &str,
) -> Result<Vec<FactRow>, StoreError> {
    // Not by the index of times: SQLite would read all of the site's steps to have them in order.
    let text = "SELECT incident, step, at, kind, actor, role, note, unit, member, data FROM steps
        WHERE site = $1 AND incident IN
            (SELECT $2 UNION ALL SELECT incident FROM incidents WHERE site = $1 AND alias_of = $2)
        ORDER BY +at, step";
    tx.rows(sql(text).bind(site).bind(incident)).await
}

/// Writes one down for the incident itself, and into the case.
pub(super) async fn add(tx: &mut Tx, case: &mut Case, written: &Written<'_>) -> Result<(), StoreError> {
    let row = insert(tx, &case.row.site, &case.row.incident, written).await?;
    let at = case.history.partition_point(|f| (f.at, &f.step) < (row.at, &row.step));
    case.history.insert(at, row);
    Ok(())
}

pub(in crate::store) async fn insert(
    tx: &mut Tx,
    site: &str,
    incident: &str,
    written: &Written<'_>,
) -> Result<FactRow, StoreError> {
    let (unit, member) = assignee(written.to);
    let row = FactRow {
        incident: incident.to_owned(),
        step: uuid7()?,
        at: written.at,
        kind: written.kind.to_owned(),
        actor: written.actor.to_owned(),
        role: written.role.to_owned(),
        note: written.note.map(str::to_owned),
        unit: unit.map(str::to_owned),
        member: member.map(str::to_owned),
        data: written.data.to_string(),
    };
    let text = "INSERT INTO steps (site, incident, step, at, kind, actor, role, note, unit, member, data)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let statement = sql(text)
        .bind(site)
        .bind(&row.incident)
        .bind(&row.step)
        .bind(row.at)
        .bind(&row.kind)
        .bind(&row.actor)
        .bind(&row.role)
        .bind(&row.note)
        .bind(&row.unit)
        .bind(&row.member)
        .bind(&row.data);
    tx.execute(statement).await?;
    Ok(row)
}
