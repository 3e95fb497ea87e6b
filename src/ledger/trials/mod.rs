//! Trials in the ledger: which entries are under suspicion together, and what came of it so far. What each
//! outcome means is decided in `plan::trial`.
//!
//! Every path ends each trial once, and reports to its parent once; a trial that lost its entries to anything
//! else ends as well, so that none waits for ever.

mod alike;
mod rows;

use sqlx::Row as _;

use crate::model::{Entry, UnixTime};
use crate::plan::trial::{self, Children, Refused, Role, Suspects, Trial};

use super::calls::{CallRow, Settlement, action_of};
use super::learned::learn_batch;
use super::quarantine::{quarantine, quarantine_probes};
use super::{Ledger, Result, Tx};

pub(super) use rows::{firewall_of, latest_settlement, read_entry, reduce};

use alike::{ask_the_list, hold_class};
use rows::{
    clear_suspects, discard, dissolve, find, has_entries, note, open, open_row, put_off,
    read_trial, remove, set_tries, suspect, wait_for,
};

/// A call that was not taken, and what the cloud said of it.
pub(super) struct Refusal<'a> {
    pub(super) call: &'a CallRow,
    trial: Option<i64>,
    pub(super) said: &'a Settlement,
    pub(super) now: UnixTime,
}

/// How a trial ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End<'a> {
    /// The cloud took its entries.
    Accepted,
    /// It did not; with this code.
    Refused(&'a str),
    /// Nothing is wanted of its entries any more.
    Dropped,
}

impl<'a> Refusal<'a> {
    pub(super) fn new(
        call: &'a CallRow,
        trial: Option<i64>,
        said: &'a Settlement,
        now_ms: i64,
    ) -> Self {
        Self {
            call,
            trial,
            said,
            now: UnixTime::from_seconds(now_ms.div_euclid(1000)),
        }
    }

    pub(super) fn code(&self) -> &str {
        self.said.code.as_deref().unwrap_or("no code")
    }
}

impl Ledger {
    /// The entries of a firewall that are under trial.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn suspects(&self, firewall: i64) -> Result<Suspects> {
        let mut suspects = Suspects::default();
        for row in sqlx::query("SELECT * FROM trials WHERE firewall_id = ?")
            .bind(firewall)
            .fetch_all(&self.readers)
            .await?
        {
            let trial = read_trial(&row)?;
            let not_before = UnixTime::from_seconds(row.try_get("not_before")?);
            suspects.trials.insert(trial.id, (trial, not_before));
        }
        let rows: Vec<(i64, Vec<u8>, i64, i64, String)> = sqlx::query_as(
            "SELECT list, key, direction, trial_id, action FROM suspects WHERE firewall_id = ?",
        )
        .bind(firewall)
        .fetch_all(&self.readers)
        .await?;
        for (list, key, direction, trial, action) in rows {
            let entry = read_entry(list, &key, direction)?;
            suspects.entries.insert(entry, (trial, action_of(&action)?));
        }
        Ok(suspects)
    }

    /// Takes entries that are no longer wanted out of their trials.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn acquit(&self, firewall: i64, entries: &[Entry]) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        reduce(&mut tx, firewall, entries).await?;
        clear_suspects(&mut tx, firewall, entries).await?;
        end_empty(&mut tx, firewall).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Ends the trials of which no entry is left.
pub(super) async fn end_empty(tx: &mut Tx, firewall: i64) -> Result<()> {
    let empty: Vec<i64> = sqlx::query_scalar(
        "SELECT id FROM trials WHERE firewall_id = ? AND role <> 'fork'
             AND NOT EXISTS (SELECT 1 FROM suspects WHERE trial_id = trials.id)",
    )
    .bind(firewall)
    .fetch_all(&mut **tx)
    .await?;
    for id in empty {
        // A rest without entries still hears its probes out; they end it. Another's end may have ended it.
        if let Some(trial) = find(tx, id).await?.filter(|trial| trial.waiting == 0) {
            end(tx, trial, End::Dropped).await?;
        }
    }
    Ok(())
}

/// A call under trial was applied.
pub(super) async fn accepted(
    tx: &mut Tx,
    trial: Option<i64>,
    entries: &[Entry],
    firewall: i64,
) -> Result<()> {
    let Some(id) = trial else { return Ok(()) };
    clear_suspects(tx, firewall, entries).await?;
    if let Some(trial) = find(tx, id).await?
        && !has_entries(tx, id).await?
    {
        // Of a batch that is no longer whole its acceptance says nothing.
        let how = match trial.reduced {
            true => End::Dropped,
            false => End::Accepted,
        };
        end(tx, trial, how).await?;
    }
    end_empty(tx, firewall).await
}

/// A call failed for no stated reason: together again, and after three times as if refused.
pub(super) async fn failed(
    tx: &mut Tx,
    refusal: &Refusal<'_>,
    entries: Vec<Entry>,
    not_before: UnixTime,
) -> Result<()> {
    let trial = find_any(tx, refusal.trial).await?;
    let tries = trial.as_ref().map_or(0, |trial| trial.tries) + 1;
    if tries >= trial::TRIES {
        return refused(tx, refusal, entries, false).await;
    }
    let id = match trial {
        Some(trial) => trial.id,
        None => open(tx, refusal, None, Role::Retry, &entries).await?,
    };
    put_off(tx, id, tries, not_before).await?;
    end_empty(tx, refusal.call.firewall).await
}

/// A call was refused for what it holds.
pub(super) async fn refused(
    tx: &mut Tx,
    refusal: &Refusal<'_>,
    entries: Vec<Entry>,
    too_large: bool,
) -> Result<()> {
    let trial = find_any(tx, refusal.trial).await?;
    let role = trial.as_ref().map(|trial| trial.role);
    let parent = trial.as_ref().and_then(|trial| trial.parent);
    match trial::refused(role, entries.clone(), too_large) {
        Refused::Probe { probes, rest } => {
            // A batch that failed before without a reason may have been applied all the same.
            let failed = trial.as_ref().map_or(0, |trial| trial.tries);
            discard(tx, trial).await?;
            let rest_id = open(tx, refusal, None, Role::Rest, &rest).await?;
            wait_for(tx, rest_id, probes.len()).await?;
            set_tries(tx, rest_id, failed).await?;
            for probe in probes {
                open(tx, refusal, Some(rest_id), Role::Probe, &[probe]).await?;
            }
        }
        Refused::Halve(first, second) => {
            discard(tx, trial).await?;
            halve(tx, refusal, parent, first, second).await?;
        }
        Refused::Report => {
            if let Some(trial) = trial {
                note(tx, trial.id, refusal).await?;
                // It has had its turn: with its entry it waits for what its parent decides.
                wait_for(tx, trial.id, 1).await?;
                end(tx, trial, End::Refused(refusal.code())).await?;
            }
        }
        Refused::Quarantine => {
            for entry in &entries {
                quarantine(tx, refusal, entry).await?;
            }
            ask_the_list(tx, refusal).await?;
            clear_suspects(tx, refusal.call.firewall, &entries).await?;
            if let Some(trial) = trial {
                end(tx, trial, End::Refused(refusal.code())).await?;
            }
        }
    }
    // Entries that are now under this trial may have been the last of another's.
    end_empty(tx, refusal.call.firewall).await
}

async fn find_any(tx: &mut Tx, trial: Option<i64>) -> Result<Option<Trial>> {
    match trial {
        Some(id) => find(tx, id).await,
        None => Ok(None),
    }
}

async fn halve(
    tx: &mut Tx,
    refusal: &Refusal<'_>,
    parent: Option<i64>,
    first: Vec<Entry>,
    second: Vec<Entry>,
) -> Result<()> {
    let fork = open(tx, refusal, parent, Role::Fork, &[]).await?;
    sqlx::query("UPDATE trials SET size = ?2 WHERE id = ?1")
        .bind(fork)
        .bind(i64::try_from(first.len().max(second.len())).unwrap_or(i64::MAX))
        .execute(&mut **tx)
        .await?;
    wait_for(tx, fork, 2).await?;
    for half in [first, second] {
        open(tx, refusal, Some(fork), Role::Half, &half).await?;
    }
    Ok(())
}

/// Ends a trial and reports to its parent, which may end or go on thereby.
async fn end(tx: &mut Tx, trial: Trial, how: End<'_>) -> Result<()> {
    // A refused probe stays, with its entry, until its parent knows what the three together mean.
    if !(trial.role == Role::Probe && matches!(how, End::Refused(_))) {
        remove(tx, trial.id).await?;
    }
    let Some(parent) = trial.parent else {
        return Ok(());
    };
    let refused = match how {
        End::Refused(code) => Some(code),
        End::Accepted | End::Dropped => None,
    };
    sqlx::query(
        "UPDATE trials SET waiting = waiting - 1, accepted = accepted + ?3,
             code = CASE WHEN ?2 IS NULL THEN code WHEN refused = 0 THEN ?2
                         WHEN code = ?2 THEN code ELSE NULL END,
             refused = refused + (?2 IS NOT NULL)
         WHERE id = ?1",
    )
    .bind(parent)
    .bind(refused)
    .bind(how == End::Accepted)
    .execute(&mut **tx)
    .await?;
    match find(tx, parent).await? {
        Some(parent) if parent.waiting == 0 => Box::pin(children_done(tx, parent)).await,
        _ => Ok(()),
    }
}

async fn children_done(tx: &mut Tx, parent: Trial) -> Result<()> {
    let decision = trial::children_done(&parent);
    match decision {
        Children::ClassRefused => hold_class(tx, &parent).await,
        Children::SendRest => {
            quarantine_probes(tx, parent.id).await?;
            set_tries(tx, parent.id, 0).await?;
            end_if_empty(tx, parent).await
        }
        // What failed without a reason may have passed by itself: then nothing is to be learned from it.
        Children::HalveRest if parent.tries > 0 => {
            set_tries(tx, parent.id, 0).await?;
            end_if_empty(tx, parent).await
        }
        Children::HalveRest => split_rest(tx, parent).await,
        Children::TooLarge => {
            learn_batch(tx, &parent).await?;
            // It was refused itself; only its halves were not.
            let code = parent.code.clone();
            let code = code.unwrap_or_else(|| "a batch that was too large".to_owned());
            end(tx, parent, End::Refused(&code)).await
        }
        Children::Done => {
            let code = parent.code.clone().unwrap_or_else(|| "refused".to_owned());
            end(tx, parent, End::Refused(&code)).await
        }
        // One half was taken and the other dropped: that is no word on the batch, which was refused.
        Children::Nothing if parent.role == Role::Fork => end(tx, parent, End::Dropped).await,
        Children::Nothing => dissolve(tx, &parent).await,
    }
}

/// The probes were all taken, so the bad entry is in the rest.
async fn split_rest(tx: &mut Tx, rest: Trial) -> Result<()> {
    let rows =
        sqlx::query("SELECT * FROM suspects WHERE trial_id = ? ORDER BY list, key, direction")
            .bind(rest.id)
            .fetch_all(&mut **tx)
            .await?;
    if rows.len() < 2 {
        return end_if_empty(tx, rest).await;
    }
    let firewall: i64 = rows[0].try_get("firewall_id")?;
    let action: String = rows[0].try_get("action")?;
    let mut entries = Vec::with_capacity(rows.len());
    for row in &rows {
        let key: Vec<u8> = row.try_get("key")?;
        entries.push(read_entry(
            row.try_get("list")?,
            &key,
            row.try_get("direction")?,
        )?);
    }
    let second = entries.split_off(entries.len() / 2);
    let fork = open_row(
        tx,
        firewall,
        rest.parent,
        Role::Fork,
        entries.len().max(second.len()),
    )
    .await?;
    wait_for(tx, fork, 2).await?;
    for half in [entries, second] {
        let id = open_row(tx, firewall, Some(fork), Role::Half, half.len()).await?;
        suspect(tx, firewall, &action, &half, id).await?;
    }
    remove(tx, rest.id).await
}

async fn end_if_empty(tx: &mut Tx, trial: Trial) -> Result<()> {
    match has_entries(tx, trial.id).await? {
        true => Ok(()),
        false => end(tx, trial, End::Accepted).await,
    }
}
