//! Who of a batch may say something here.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{AgentId, SiteId};
use serde_json::{Value, json};

use super::{Arrival, StoreError};
use crate::store::{Tx, sql_for};

/// The enrolled of a batch, each at its site.
pub(super) type Enrolled<'b> = BTreeSet<(&'b SiteId, &'b AgentId)>;

/// Looks who is enrolled, and notes that they were heard. Their rows stay locked to the end: whatever follows is this
/// hub's alone to decide.
pub(super) async fn note<'b>(tx: &mut Tx, arrivals: &[&'b Arrival]) -> Result<Enrolled<'b>, StoreError> {
    let mut seen: BTreeMap<(&SiteId, &AgentId), i64> = BTreeMap::new();
    for Arrival { site, agent, received_at, .. } in arrivals {
        let last = seen.entry((site, agent)).or_insert(*received_at);
        *last = (*last).max(*received_at);
    }
    let agents: BTreeSet<&AgentId> = seen.keys().map(|(_, agent)| *agent).collect();
    let agents: Vec<String> = agents.iter().map(|agent| agent.to_string()).collect();
    // In one order for all hubs, or two that write at once could wait for each other.
    let locked = sql_for(
        "SELECT agent, site FROM agents
            WHERE agent IN (SELECT value FROM json_each($1)) AND revoked_at IS NULL",
        "SELECT agent, site FROM agents WHERE agent = ANY($1) AND revoked_at IS NULL ORDER BY agent FOR UPDATE",
    );
    let there: Vec<(String, String)> = tx.all(locked.bind(agents)).await?;
    let there: BTreeSet<(&str, &str)> = there.iter().map(|(a, s)| (a.as_str(), s.as_str())).collect();
    seen.retain(|(site, agent), _| there.contains(&(agent.as_str(), site.as_str())));
    if !seen.is_empty() {
        let heard = seen.iter().map(|((_, agent), at)| json!([agent.as_str(), at]));
        let statement = sql_for(
            "UPDATE agents SET last_seen = t.value ->> 1 FROM jsonb_each($1) AS t WHERE agent = t.value ->> 0",
            "UPDATE agents SET last_seen = (value ->> 1)::bigint
                FROM jsonb_array_elements($1::text::jsonb) AS t (value) WHERE agent = value ->> 0",
        );
        tx.execute(statement.bind(Value::from_iter(heard).to_string())).await?;
    }
    Ok(seen.into_keys().collect())
}
