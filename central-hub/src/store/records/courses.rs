//! How alerts of a batch went on: put together in memory, stored by one statement. The order of arrival is all the same.

use std::collections::BTreeMap;

use protocol::Still;
use serde_json::{Value, json};

use super::StoreError;
use super::body::{still_words, without_nul};
use crate::store::{Tx, sql_for};

/// By agent, epoch and number of the alert.
#[derive(Default)]
pub(super) struct Courses<'b>(BTreeMap<(&'b str, &'b str, u64), Course<'b>>);

#[derive(Default)]
struct Course<'b> {
    ended_at: Option<i64>,
    /// With the number of the record that said so: a later one wins.
    still: Option<(u64, &'b Still)>,
}

impl<'b> Courses<'b> {
    pub(super) fn ended(&mut self, agent: &'b str, epoch: &'b str, of_seq: u64, at: i64) {
        let ended_at = &mut self.0.entry((agent, epoch, of_seq)).or_default().ended_at;
        *ended_at = Some(ended_at.map_or(at, |earlier| earlier.min(at)));
    }

    pub(super) fn still(&mut self, agent: &'b str, epoch: &'b str, of_seq: u64, seq: u64, still: &'b Still) {
        let said = &mut self.0.entry((agent, epoch, of_seq)).or_default().still;
        if said.is_none_or(|(earlier, _)| earlier < seq) {
            *said = Some((seq, still));
        }
    }

    pub(super) async fn put(self, tx: &mut Tx) -> Result<(), StoreError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let rows = self.0.into_iter().map(|((agent, epoch, of_seq), Course { ended_at, still })| {
            let (state, reason) = still.map_or((None, None), |(_, still)| {
                let (state, reason) = still_words(still);
                (Some(state), reason.map(without_nul))
            });
            json!([agent, epoch, of_seq, ended_at, still.map_or(0, |(seq, _)| seq), state, reason])
        });
        macro_rules! upsert {
            ($select:literal, $ended_at:literal) => {
                concat!(
                    "INSERT INTO courses (agent, epoch, of_seq, ended_at, still_seq, still_state, still_reason) ",
                    $select,
                    " ON CONFLICT (agent, epoch, of_seq) DO UPDATE SET ended_at = ",
                    $ended_at,
                    ", still_seq = CASE WHEN excluded.still_seq > courses.still_seq
                        THEN excluded.still_seq ELSE courses.still_seq END,
                    still_state = CASE WHEN excluded.still_seq > courses.still_seq
                        THEN excluded.still_state ELSE courses.still_state END,
                    still_reason = CASE WHEN excluded.still_seq > courses.still_seq
                        THEN excluded.still_reason ELSE courses.still_reason END"
                )
            };
        }
        let statement = sql_for(
            upsert!(
                "SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6
                    FROM jsonb_each($1) WHERE true",
                "coalesce(min(courses.ended_at, excluded.ended_at), courses.ended_at, excluded.ended_at)"
            ),
            upsert!(
                "SELECT value ->> 0, value ->> 1, (value ->> 2)::bigint, (value ->> 3)::bigint, (value ->> 4)::bigint,
                    value ->> 5, value ->> 6
                    FROM jsonb_array_elements($1::text::jsonb) AS t (value)",
                "least(courses.ended_at, excluded.ended_at)"
            ),
        );
        tx.execute(statement.bind(Value::from_iter(rows).to_string())).await?;
        Ok(())
    }
}
