//! What lies on a shard beside records and reservations: tombstones, and the records of idempotency keys.

use shardcart_schema::limit::{AMOUNT_MAX, IDEMPOTENCY_LASTS_MS, TOMBSTONES_LAST_MS};
use shardcart_schema::reply::Reply;
use shardcart_schema::{idempotency, key};
use shardcart_store::scan;
use shardcart_store::shard::Shard;
use shardcart_store::shard_error::ShardError;
use shardcart_types::ids::minted_shard;

use super::findings::{Findings, Kind};

/// Whether a text is a whole number from 0 to 2^53-1, as scripts write it.
pub fn is_whole(text: &str) -> bool {
    text.parse::<u64>().is_ok_and(|number| number <= AMOUNT_MAX && number.to_string() == text)
}

/// The tombstones of one second: each is the answer to an attempt, and all end together.
///
/// # Errors
/// The shard does not answer.
pub async fn check_tombstones(
    service: &str,
    shard: &Shard,
    second: u64,
    findings: &Findings,
) -> Result<(), ShardError> {
    let wrong = |id: &str, expected: String, found: &str| {
        let place = format!("tombstones of second {second} on {service} shard {}", shard.number());
        let detail = format!("{place}: {found}, expected {expected}");
        findings.add(Kind::InvalidField, id, expected, found, detail);
    };
    scan::tombstones(shard, second, |tx, answer| {
        if minted_shard(tx).is_none() {
            wrong(tx, "the id of an attempt".to_owned(), tx);
        }
        // One of a later release begins with a number.
        if answer.bytes().next().is_none_or(|first| first.is_ascii_digit()) {
            findings.add(Kind::NotUnderstood, tx, "an answer", answer, format!("tombstone at {service}: {answer:?}"));
        } else if !is_final_answer(service, answer) {
            wrong(tx, "an answer that is final".to_owned(), answer);
        }
    })
    .await?;
    let (ends, wanted) = (scan::tombstones_end(shard, second).await?, ends_ms(second));
    if ends != -2 && i64::try_from(wanted) != Ok(ends) {
        let key = key::ended(shard.tag(), second).to_string();
        wrong(&key, format!("an end at {wanted}"), &format!("end at {ends}"));
    }
    Ok(())
}

/// When the tombstones of a second end, Unix ms.
fn ends_ms(second: u64) -> u64 {
    second.saturating_add(1).saturating_mul(1_000).saturating_add(TOMBSTONES_LAST_MS)
}

/// Whether a participant gives this answer for good; a refusal of stock names the line.
fn is_final_answer(service: &str, answer: &str) -> bool {
    let (word, line) = answer.split_once(' ').map_or((answer, None), |(word, line)| (word, Some(line)));
    match Reply::parse(word) {
        Some(Reply::Confirmed | Reply::Cancelled) => line.is_none(),
        Some(Reply::Unknown | Reply::Insufficient) if service == "stock" => {
            line.is_some_and(|line| line != "0" && is_whole(line))
        }
        Some(Reply::Unknown | Reply::Insufficient | Reply::AlreadyPaid) => service == "payment" && line.is_none(),
        _ => false,
    }
}

/// The records of idempotency keys: of a version that is known, readable, and not for ever.
///
/// # Errors
/// The shard does not answer.
pub async fn check_idempotency(shard: &Shard, keys: &[String], findings: &Findings) -> Result<(), ShardError> {
    for (key, found) in keys.iter().zip(scan::timed(shard, keys).await?) {
        let Some((bytes, left_ms)) = found else { continue };
        let version = bytes.split(|byte| *byte == b' ').next().unwrap_or_default();
        match version {
            [] => findings.add(Kind::Unreadable, key, "a record", "none", format!("{key}: no record of a key")),
            version if version == idempotency::VERSION.as_bytes() => {}
            _ => {
                let detail = format!("{key}: another version");
                findings.add(Kind::NotUnderstood, key, idempotency::VERSION, "another version", detail);
            }
        }
        if !u64::try_from(left_ms).is_ok_and(|left| left <= IDEMPOTENCY_LASTS_MS) {
            let detail = format!("{key} lasts {left_ms} ms, expected {IDEMPOTENCY_LASTS_MS} at most");
            findings.add(Kind::InvalidField, key, format!("{IDEMPOTENCY_LASTS_MS} ms at most"), left_ms, detail);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_as_scripts_write_it() {
        assert!(is_whole("0") && is_whole("9007199254740991"));
        for other in ["", "-1", "+1", "01", "1.5", "1e3", "inf", "nan", "9007199254740992"] {
            assert!(!is_whole(other), "{other}");
        }
    }

    #[test]
    fn a_tombstone_is_an_answer_of_its_service() {
        for (service, answer) in [("stock", "CONFIRMED"), ("stock", "UNKNOWN 2"), ("payment", "UNKNOWN")] {
            assert!(is_final_answer(service, answer), "{service} {answer}");
        }
        for (service, answer) in [
            ("stock", "UNKNOWN"),
            ("stock", "ALREADY_PAID"),
            ("stock", "UNKNOWN 0"),
            ("payment", "INSUFFICIENT 1"),
            ("payment", "HELD"),
        ] {
            assert!(!is_final_answer(service, answer), "{service} {answer}");
        }
    }
}
