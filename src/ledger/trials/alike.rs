//! Three entries alone were refused alike: what that says, and whether the lists are read before it is believed.

use sqlx::Row as _;

use crate::model::{Action, Entry, UnixTime};
use crate::plan::trial::Trial;

use super::Refusal;
use super::rows::{dissolve, firewall_of, latest_settlement, read_entry};
use crate::ledger::calls::action_of;
use crate::ledger::learned::learn;
use crate::ledger::{LEARNED_FOR, Result, Tx};

/// How long what a reading showed is taken to be still so, when it is asked why entries are refused.
const LATELY: std::time::Duration = std::time::Duration::from_secs(900);

/// A lone edit or delete may have been refused because the entry is not there: the list itself knows. What an add
/// was refused for can wait for the next reading.
pub(super) async fn ask_the_list(tx: &mut Tx, refusal: &Refusal<'_>) -> Result<()> {
    if refusal.call.action == Action::Add {
        return Ok(());
    }
    let why = format!("an entry alone was refused ({})", refusal.code());
    want_read(tx, refusal.call.firewall, &why).await
}

/// All three probes refused alike: nothing is quarantined. They may be refused because they are there already (an
/// add that failed before) or because they are not (edits and deletes, where the list was cleared behind our back):
/// then the list is read first. If that does not help, the class is held, or the call for it.
pub(super) async fn hold_class(tx: &mut Tx, rest: &Trial) -> Result<()> {
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
        let may_be_there = action == Action::Add && held.is_some_and(|end| end > now);
        if !clear && !was_read_for(tx, firewall, &call, now).await? {
            match may_be_there {
                true => believe_held(tx, rest, now).await?,
                false => want_read(tx, firewall, reason.trim()).await?,
            }
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

async fn want_read(tx: &mut Tx, firewall: i64, why: &str) -> Result<()> {
    sqlx::query("UPDATE firewalls SET read_wanted = ?2 WHERE id = ?1")
        .bind(firewall)
        .bind(why)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// A reading did not show these, and to add them again is refused: the reading was too early. They are held until the
/// next one, which is due for this, says otherwise; then it was not too early, and the same refusal means the class.
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
