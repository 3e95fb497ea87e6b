//! Trials in the ledger: which entries are under suspicion together, and what came of it so far. What each
//! outcome means is decided in `plan::trial`.

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::model::{Action, Entry, Indicator, UnixTime};
use crate::plan::trial::{self, Children, Refused, Role, Suspects, Trial};

use super::bulk;
use super::calls::{CallRow, Settlement, action_of};
use super::leases::{direction_of, list_of};
use super::{LEARNED_FOR, Ledger, LedgerError, Result, Tx};

/// How long what a reading showed is taken to be still so, when it is asked why entries are refused.
const LATELY: std::time::Duration = std::time::Duration::from_secs(900);

/// A class whose edits or deletes were refused is left alone for so long: a lease runs on meanwhile.
const CALL_HELD_FOR: std::time::Duration = std::time::Duration::from_secs(3600);

/// An entry that the cloud refused alone.
#[derive(Clone, Debug)]
pub struct Quarantined {
    /// The entry.
    pub entry: Entry,
    /// What was tried.
    pub action: Action,
    /// The cloud's code.
    pub code: String,
    /// The cloud's message.
    pub message: String,
    /// The call that showed it.
    pub request_id: Option<String>,
    /// Since when.
    pub since: UnixTime,
}

/// A call that was not taken, and what the cloud said of it.
pub(super) struct Refusal<'a> {
    call: &'a CallRow,
    trial: Option<i64>,
    said: &'a Settlement,
    now: UnixTime,
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

    fn code(&self) -> &str {
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
        clear_suspects(&mut tx, firewall, entries).await?;
        end_empty(&mut tx, firewall).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The entries of a firewall that are quarantined.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn quarantine(&self, firewall: i64) -> Result<Vec<Quarantined>> {
        sqlx::query("SELECT * FROM quarantine WHERE firewall_id = ? ORDER BY list, key, direction")
            .bind(firewall)
            .fetch_all(&self.readers)
            .await?
            .iter()
            .map(read_quarantined)
            .collect()
    }

    /// Lets the quarantined entries of one indicator, or all of a firewall, be sent again. Returns how many.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn release_quarantine(
        &self,
        firewall: i64,
        indicator: Option<&Indicator>,
    ) -> Result<u64> {
        let mut tx = self.begin().await?;
        let released = sqlx::query(
            "DELETE FROM quarantine WHERE firewall_id = ?1 AND (?2 IS NULL OR key = ?2)",
        )
        .bind(firewall)
        .bind(indicator.map(Indicator::key))
        .execute(&mut *tx)
        .await?
        .rows_affected();
        tx.commit().await?;
        Ok(released)
    }

    /// Remembers for a day what a firewall turned out to refuse.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn learn(
        &self,
        firewall: i64,
        subject: &str,
        value: Option<i64>,
        reason: &str,
        now: UnixTime,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        learn(&mut tx, firewall, subject, value, reason, now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// What was learned about a firewall since `since`: subject, value and reason. Of a class whose edits or
    /// deletes are refused, only what was learned within the last hour of a day since then.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn learned(
        &self,
        firewall: i64,
        since: UnixTime,
    ) -> Result<Vec<(String, Option<i64>, String)>> {
        Ok(sqlx::query_as(
            "SELECT subject, value, reason FROM learned
             WHERE firewall_id = ?1 AND learned_at > iif(subject LIKE 'call %', ?3, ?2) ORDER BY subject",
        )
        .bind(firewall)
        .bind(since.seconds())
        .bind(since.plus(LEARNED_FOR).minus(CALL_HELD_FOR).seconds())
        .fetch_all(&self.readers)
        .await?)
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
    let Some(trial) = find(tx, id).await? else {
        return Ok(());
    };
    let left: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM suspects WHERE trial_id = ?)")
            .bind(id)
            .fetch_one(&mut **tx)
            .await?;
    if left {
        Ok(())
    } else {
        end(tx, trial, End::Accepted).await
    }
}

/// A call failed for no stated reason: together again, and after three times as if refused.
pub(super) async fn failed(
    tx: &mut Tx,
    refusal: Refusal<'_>,
    entries: Vec<Entry>,
    not_before: UnixTime,
) -> Result<()> {
    let trial = match refusal.trial {
        Some(id) => find(tx, id).await?,
        None => None,
    };
    let tries = trial.as_ref().map_or(0, |trial| trial.tries) + 1;
    if tries >= trial::TRIES {
        return refused(tx, refusal, entries, false).await;
    }
    let id = match trial {
        Some(trial) => trial.id,
        None => open(tx, &refusal, None, Role::Retry, &entries).await?,
    };
    sqlx::query("UPDATE trials SET tries = ?2, not_before = ?3 WHERE id = ?1")
        .bind(id)
        .bind(tries)
        .bind(not_before.seconds())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// A call was refused for what it holds.
pub(super) async fn refused(
    tx: &mut Tx,
    refusal: Refusal<'_>,
    entries: Vec<Entry>,
    too_large: bool,
) -> Result<()> {
    let trial = match refusal.trial {
        Some(id) => find(tx, id).await?,
        None => None,
    };
    let role = trial.as_ref().map(|trial| trial.role);
    let parent = trial.as_ref().and_then(|trial| trial.parent);
    match trial::refused(role, entries.clone(), too_large) {
        Refused::Probe { probes, rest } => {
            // A batch that failed before without a reason may have been applied all the same.
            let failed = trial.as_ref().map_or(0, |trial| trial.tries);
            discard(tx, trial).await?;
            let rest_id = open(tx, &refusal, None, Role::Rest, &rest).await?;
            wait_for(tx, rest_id, probes.len()).await?;
            set_tries(tx, rest_id, failed).await?;
            for probe in probes {
                open(tx, &refusal, Some(rest_id), Role::Probe, &[probe]).await?;
            }
            Ok(())
        }
        Refused::Halve(first, second) => {
            discard(tx, trial).await?;
            halve(tx, &refusal, parent, first, second).await
        }
        Refused::Report => match trial {
            Some(trial) => {
                note(tx, trial.id, &refusal).await?;
                // It has had its turn: with its entry it waits for what its parent decides.
                wait_for(tx, trial.id, 1).await?;
                end(tx, trial, End::Refused(refusal.code())).await
            }
            None => Ok(()),
        },
        Refused::Quarantine => {
            for entry in &entries {
                quarantine(tx, &refusal, entry).await?;
            }
            ask_the_list(tx, &refusal).await?;
            clear_suspects(tx, refusal.call.firewall, &entries).await?;
            match trial {
                Some(trial) => end(tx, trial, End::Refused(refusal.code())).await,
                None => Ok(()),
            }
        }
    }
}

/// A lone edit or delete may have been refused because the entry is not there: the list itself knows. What an add
/// was refused for can wait for the next reading.
async fn ask_the_list(tx: &mut Tx, refusal: &Refusal<'_>) -> Result<()> {
    if refusal.call.action == Action::Add {
        return Ok(());
    }
    let why = format!("an entry alone was refused ({})", refusal.code());
    want_read(tx, refusal.call.firewall, &why).await
}

async fn want_read(tx: &mut Tx, firewall: i64, why: &str) -> Result<()> {
    sqlx::query("UPDATE firewalls SET read_wanted = ?2 WHERE id = ?1")
        .bind(firewall)
        .bind(why)
        .execute(&mut **tx)
        .await?;
    Ok(())
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
        Children::Nothing if parent.role == Role::Fork => {
            let taken = parent.accepted > 0;
            let how = if taken { End::Accepted } else { End::Dropped };
            end(tx, parent, how).await
        }
        Children::Nothing => dissolve(tx, &parent).await,
    }
}

/// Whether a larger call was applied within the day: then it was not the size, but a failure that has passed.
async fn took_more(tx: &mut Tx, firewall: i64, size: i64, now: UnixTime) -> Result<bool> {
    let since = now.minus(LEARNED_FOR).seconds().saturating_mul(1000);
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM calls WHERE firewall_id = ? AND settled_ms > ?
             AND count > ? AND verdict = 'applied')",
    )
    .bind(firewall)
    .bind(since)
    .bind(size)
    .fetch_one(&mut **tx)
    .await?)
}

/// All three probes refused alike: nothing is quarantined. They may be refused because they are there already (an
/// add that failed before) or because they are not (edits and deletes, where the list was cleared behind our back):
/// then the list is read first. If that does not help, the class is held, or the call for it.
async fn hold_class(tx: &mut Tx, rest: &Trial) -> Result<()> {
    let firewall = firewall_of(tx, rest.id).await?;
    let row = sqlx::query(
        "SELECT suspects.list, suspects.key, suspects.direction, suspects.action,
                trials.code, trials.message
         FROM suspects JOIN trials ON trials.id = trial_id
         WHERE trials.parent_id = ? AND trials.role = 'probe' LIMIT 1",
    )
    .bind(rest.id)
    .fetch_optional(&mut **tx)
    .await?;
    if let Some(row) = row {
        let key: Vec<u8> = row.try_get("key")?;
        let entry = read_entry(row.try_get("list")?, &key, row.try_get("direction")?)?;
        let code: Option<String> = row.try_get("code")?;
        let message: Option<String> = row.try_get("message")?;
        let reason = format!(
            "three entries alone were refused alike: {} {}",
            code.unwrap_or_default(),
            message.unwrap_or_default()
        );
        let action: String = row.try_get("action")?;
        let action = action_of(&action)?;
        let now = UnixTime::from_seconds(latest_settlement(tx, firewall).await?);
        let kind = format!("{} {}", entry.list, entry.class());
        let call = format!("{action} {kind}");
        let held = lease_end(tx, firewall, &entry).await?;
        // What was never sent before, and was not there a moment ago, is refused for what it is.
        let clear = action == Action::Add
            && rest.tries == 0
            && held.is_none()
            && read_since(tx, firewall, now.minus(LATELY)).await?;
        if action == Action::Add && held.is_some_and(|end| end > now) {
            believe_held(tx, rest, now).await?;
        } else if !clear && !was_read_for(tx, firewall, &call, now).await? {
            want_read(tx, firewall, reason.trim()).await?;
        } else if action == Action::Add {
            let subject = format!("class {kind}");
            learn(tx, firewall, &subject, None, reason.trim(), now).await?;
        } else {
            let subject = format!("call {action} {kind}");
            learn(tx, firewall, &subject, None, reason.trim(), now).await?;
        }
    }
    dissolve(tx, rest).await
}

/// A reading did not show these, and to add them again is refused: the reading was too early. They are held until a
/// later one says otherwise.
async fn believe_held(tx: &mut Tx, rest: &Trial, now: UnixTime) -> Result<()> {
    sqlx::query(
        "UPDATE leases SET doubt = NULL, set_at = ?2
         FROM suspects JOIN trials ON trials.id = suspects.trial_id
         WHERE (trials.id = ?1 OR trials.parent_id = ?1)
             AND leases.firewall_id = suspects.firewall_id AND leases.list = suspects.list
             AND leases.key = suspects.key AND leases.direction = suspects.direction",
    )
    .bind(rest.id)
    .bind(now.seconds())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Lets a batch and its probes go as if nothing had been.
async fn dissolve(tx: &mut Tx, rest: &Trial) -> Result<()> {
    let family = "SELECT id FROM trials WHERE id = ?1 OR parent_id = ?1";
    let sql = format!("DELETE FROM suspects WHERE trial_id IN ({family})");
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(rest.id)
        .execute(&mut **tx)
        .await?;
    sqlx::query("DELETE FROM trials WHERE parent_id = ?")
        .bind(rest.id)
        .execute(&mut **tx)
        .await?;
    remove(tx, rest.id).await
}

/// Both halves of a refused batch were accepted. Of several such the smallest counts: once a size is known, larger
/// halves go in several calls, and their acceptance says nothing.
async fn learn_batch(tx: &mut Tx, fork: &Trial) -> Result<()> {
    let firewall = firewall_of(tx, fork.id).await?;
    let size = i64::try_from(fork.size).unwrap_or(i64::MAX);
    let now = UnixTime::from_seconds(latest_settlement(tx, firewall).await?);
    let known: Option<i64> = sqlx::query_scalar(
        "SELECT value FROM learned WHERE firewall_id = ? AND subject = 'batch' AND learned_at > ?",
    )
    .bind(firewall)
    .bind(now.minus(LEARNED_FOR).seconds())
    .fetch_optional(&mut **tx)
    .await?;
    let size = known.map_or(size, |known| known.min(size));
    if took_more(tx, firewall, size, now).await? {
        return Ok(());
    }
    let reason = format!(
        "a batch was refused whole, and both its halves of up to {size} entries were taken"
    );
    learn(tx, firewall, "batch", Some(size), &reason, now).await
}

/// Whether the lists were read since calls of this kind were first refused alike; notes that they are, if not.
async fn was_read_for(tx: &mut Tx, firewall: i64, kind: &str, now: UnixTime) -> Result<bool> {
    let subject = format!("alike {kind}");
    let noted: Option<(bool, bool)> = sqlx::query_as(
        "SELECT read_at >= learned_at AND read_wanted IS NULL, learned_at > ?3
         FROM learned JOIN firewalls ON firewalls.id = firewall_id
         WHERE firewall_id = ?1 AND subject = ?2",
    )
    .bind(firewall)
    .bind(&subject)
    .bind(now.minus(LEARNED_FOR).seconds())
    .fetch_optional(&mut **tx)
    .await?;
    match noted {
        Some((read, true)) => Ok(read),
        _ => {
            let reason = "three entries alone were refused alike; the lists are read";
            learn(tx, firewall, &subject, None, reason, now).await?;
            Ok(false)
        }
    }
}

/// The EndTime of the lease that we hold on an entry, or held until lately.
async fn lease_end(tx: &mut Tx, firewall: i64, entry: &Entry) -> Result<Option<UnixTime>> {
    let end: Option<i64> = sqlx::query_scalar(
        "SELECT end_time FROM leases
         WHERE firewall_id = ? AND list = ? AND key = ? AND direction = ?",
    )
    .bind(firewall)
    .bind(entry.list as i64)
    .bind(entry.indicator.key())
    .bind(entry.direction as i64)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(end.map(UnixTime::from_seconds))
}

async fn read_since(tx: &mut Tx, firewall: i64, since: UnixTime) -> Result<bool> {
    let read_at: Option<i64> = sqlx::query_scalar("SELECT read_at FROM firewalls WHERE id = ?")
        .bind(firewall)
        .fetch_one(&mut **tx)
        .await?;
    Ok(read_at.is_some_and(|at| at >= since.seconds()))
}

async fn set_tries(tx: &mut Tx, trial: i64, tries: u32) -> Result<()> {
    sqlx::query("UPDATE trials SET tries = ?2 WHERE id = ?1")
        .bind(trial)
        .bind(tries)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

async fn quarantine_probes(tx: &mut Tx, rest: i64) -> Result<()> {
    sqlx::query(
        "INSERT INTO quarantine (firewall_id, list, key, direction, action, code, message, request_id, since)
         SELECT suspects.firewall_id, list, key, direction, action, coalesce(code, 'no code'),
                coalesce(message, ''), request_id,
                (SELECT max(settled_ms) / 1000 FROM calls WHERE firewall_id = suspects.firewall_id)
         FROM suspects JOIN trials ON trials.id = trial_id
         WHERE trials.parent_id = ? AND trials.role = 'probe'
         ON CONFLICT DO NOTHING",
    )
    .bind(rest)
    .execute(&mut **tx)
    .await?;
    sqlx::query(
        "DELETE FROM suspects WHERE trial_id IN (SELECT id FROM trials WHERE parent_id = ?)",
    )
    .bind(rest)
    .execute(&mut **tx)
    .await?;
    sqlx::query("DELETE FROM trials WHERE parent_id = ? AND role = 'probe'")
        .bind(rest)
        .execute(&mut **tx)
        .await?;
    Ok(())
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
    let left: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM suspects WHERE trial_id = ?)")
            .bind(trial.id)
            .fetch_one(&mut **tx)
            .await?;
    if left {
        Ok(())
    } else {
        end(tx, trial, End::Accepted).await
    }
}

async fn open(
    tx: &mut Tx,
    refusal: &Refusal<'_>,
    parent: Option<i64>,
    role: Role,
    entries: &[Entry],
) -> Result<i64> {
    let firewall = refusal.call.firewall;
    let id = open_row(tx, firewall, parent, role, entries.len()).await?;
    note(tx, id, refusal).await?;
    suspect(tx, firewall, refusal.call.action.as_str(), entries, id).await?;
    Ok(id)
}

async fn open_row(
    tx: &mut Tx,
    firewall: i64,
    parent: Option<i64>,
    role: Role,
    size: usize,
) -> Result<i64> {
    Ok(sqlx::query_scalar(
        "INSERT INTO trials (firewall_id, parent_id, role, size) VALUES (?, ?, ?, ?) RETURNING id",
    )
    .bind(firewall)
    .bind(parent)
    .bind(role.as_str())
    .bind(i64::try_from(size).unwrap_or(i64::MAX))
    .fetch_one(&mut **tx)
    .await?)
}

async fn suspect(
    tx: &mut Tx,
    firewall: i64,
    action: &str,
    entries: &[Entry],
    trial: i64,
) -> Result<()> {
    for group in bulk::groups(entries) {
        sqlx::query(
            "INSERT OR REPLACE INTO suspects (firewall_id, list, direction, key, action, trial_id)
             SELECT ?1, ?2, ?3, unhex(value), ?5, ?6 FROM json_each(?4)",
        )
        .bind(firewall)
        .bind(group.list)
        .bind(group.direction)
        .bind(group.keys)
        .bind(action)
        .bind(trial)
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

/// Keeps what the cloud said with the trial that it was said of.
async fn note(tx: &mut Tx, trial: i64, refusal: &Refusal<'_>) -> Result<()> {
    // A trial that waits for children counts their codes, and says nothing of its own.
    sqlx::query(
        "UPDATE trials SET message = ?2, request_id = ?3,
             code = iif(role IN ('probe', 'retry'), ?4, code)
         WHERE id = ?1",
    )
    .bind(trial)
    .bind(refusal.said.message.as_deref())
    .bind(refusal.said.request_id.as_deref())
    .bind(refusal.code())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn quarantine(tx: &mut Tx, refusal: &Refusal<'_>, entry: &Entry) -> Result<()> {
    sqlx::query(
        "INSERT OR REPLACE INTO quarantine
             (firewall_id, list, key, direction, action, code, message, request_id, since)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(refusal.call.firewall)
    .bind(entry.list as i64)
    .bind(entry.indicator.key())
    .bind(entry.direction as i64)
    .bind(refusal.call.action.as_str())
    .bind(refusal.code())
    .bind(refusal.said.message.as_deref().unwrap_or_default())
    .bind(refusal.said.request_id.as_deref())
    .bind(refusal.now.seconds())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn learn(
    tx: &mut Tx,
    firewall: i64,
    subject: &str,
    value: Option<i64>,
    reason: &str,
    now: UnixTime,
) -> Result<()> {
    sqlx::query(
        "INSERT OR REPLACE INTO learned (firewall_id, subject, value, reason, learned_at)
         VALUES (?, ?, ?, ?, ?)",
    )
    .bind(firewall)
    .bind(subject)
    .bind(value)
    .bind(reason)
    .bind(now.seconds())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn clear_suspects(tx: &mut Tx, firewall: i64, entries: &[Entry]) -> Result<()> {
    for group in bulk::groups(entries) {
        sqlx::query(
            "DELETE FROM suspects WHERE firewall_id = ?1 AND list = ?2 AND direction = ?3
                 AND key IN (SELECT unhex(value) FROM json_each(?4))",
        )
        .bind(firewall)
        .bind(group.list)
        .bind(group.direction)
        .bind(group.keys)
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

async fn wait_for(tx: &mut Tx, trial: i64, children: usize) -> Result<()> {
    sqlx::query("UPDATE trials SET waiting = ?2 WHERE id = ?1")
        .bind(trial)
        .bind(i64::try_from(children).unwrap_or(i64::MAX))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Removes a trial whose entries have gone over to its successors.
async fn discard(tx: &mut Tx, trial: Option<Trial>) -> Result<()> {
    match trial {
        Some(trial) => remove(tx, trial.id).await,
        None => Ok(()),
    }
}

async fn remove(tx: &mut Tx, trial: i64) -> Result<()> {
    sqlx::query("DELETE FROM suspects WHERE trial_id = ?")
        .bind(trial)
        .execute(&mut **tx)
        .await?;
    sqlx::query("DELETE FROM trials WHERE id = ?")
        .bind(trial)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

async fn find(tx: &mut Tx, id: i64) -> Result<Option<Trial>> {
    sqlx::query("SELECT * FROM trials WHERE id = ?")
        .bind(id)
        .fetch_optional(&mut **tx)
        .await?
        .as_ref()
        .map(read_trial)
        .transpose()
}

async fn firewall_of(tx: &mut Tx, trial: i64) -> Result<i64> {
    Ok(
        sqlx::query_scalar("SELECT firewall_id FROM trials WHERE id = ?")
            .bind(trial)
            .fetch_one(&mut **tx)
            .await?,
    )
}

async fn latest_settlement(tx: &mut Tx, firewall: i64) -> Result<i64> {
    Ok(sqlx::query_scalar(
        "SELECT coalesce(max(settled_ms), 0) / 1000 FROM calls WHERE firewall_id = ?",
    )
    .bind(firewall)
    .fetch_one(&mut **tx)
    .await?)
}

fn read_trial(row: &SqliteRow) -> Result<Trial> {
    let role: String = row.try_get("role")?;
    let size: i64 = row.try_get("size")?;
    Ok(Trial {
        id: row.try_get("id")?,
        parent: row.try_get("parent_id")?,
        role: Role::from_word(&role)
            .ok_or_else(|| LedgerError::Row(format!("trial role `{role}`")))?,
        size: usize::try_from(size).unwrap_or(0),
        tries: row.try_get("tries")?,
        waiting: row.try_get("waiting")?,
        accepted: row.try_get("accepted")?,
        refused: row.try_get("refused")?,
        code: row.try_get("code")?,
    })
}

fn read_quarantined(row: &SqliteRow) -> Result<Quarantined> {
    let key: Vec<u8> = row.try_get("key")?;
    let action: String = row.try_get("action")?;
    Ok(Quarantined {
        entry: read_entry(row.try_get("list")?, &key, row.try_get("direction")?)?,
        action: action_of(&action)?,
        code: row.try_get("code")?,
        message: row.try_get("message")?,
        request_id: row.try_get("request_id")?,
        since: UnixTime::from_seconds(row.try_get("since")?),
    })
}

fn read_entry(list: i64, key: &[u8], direction: i64) -> Result<Entry> {
    Ok(Entry {
        list: list_of(list)?,
        indicator: Indicator::from_key(key)?,
        direction: direction_of(direction)?,
    })
}
