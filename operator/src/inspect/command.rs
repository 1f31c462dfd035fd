//! `shop inspect`: what lies under an id.

use std::fmt::Write;
use std::process::ExitCode;

use shardcart_types::ids::now_ms;

use super::found::{Inspected, Thing};
use crate::asked::{Asked, LookError};
use crate::inspect;
use crate::terminal::{self, age, grouped};

/// Looks up all that is known under an id.
///
/// # Errors
/// `Setting`: it cannot be an id. `Failed`: there is nobody to ask.
pub async fn look(asked: &Asked, id: &str) -> Result<Inspected, LookError> {
    match asked {
        Asked::Machine(machine) => machine.ask(&format!("console/inspect/{id}")).await,
        Asked::Shards(opened) => {
            inspect::inspect(&opened.sources, id).await.map_err(|refused| LookError::Setting(refused.to_string()))
        }
    }
}

/// Prints what was found, and says how the command ends: 0: found; 1: nothing has this id; 3: not everyone who may
/// know it answered.
///
/// # Errors
/// `Failed`: it cannot be written.
pub fn show(found: &Inspected, as_json: bool) -> Result<ExitCode, LookError> {
    let text = if as_json {
        serde_json::to_string_pretty(found).map_err(|error| LookError::Failed(error.to_string()))?
    } else {
        told(found)
    };
    terminal::print(&text).map_err(|error| LookError::Failed(error.to_string()))?;
    for words in &found.unanswered {
        eprintln!("error: not everyone was asked: {words}");
    }
    Ok(match (found.unanswered.is_empty(), found.things.is_empty()) {
        (true, false) => ExitCode::SUCCESS,
        (true, true) => ExitCode::from(1),
        (false, _) => ExitCode::from(3),
    })
}

fn told(found: &Inspected) -> String {
    if found.things.is_empty() {
        return format!("{}: nothing is known under this id", found.id);
    }
    let things: Vec<String> = found.things.iter().map(|thing| thing_told(found, thing)).collect();
    things.join("\n\n")
}

fn thing_told(found: &Inspected, thing: &Thing) -> String {
    let mut text = String::new();
    line(&mut text, format_args!("{} {}: {}", thing.kind, found.id, thing.state));
    let how = if found.minted { "its id says so" } else { "by the hash of its id" };
    let place = &thing.place;
    line(&mut text, format_args!("  on {} shard {} ({how})", place.service, place.shard));
    for words in &thing.story {
        line(&mut text, format_args!("  {words}"));
    }
    if let Some(user) = &thing.user {
        line(&mut text, format_args!("  user   {user}"));
        line(&mut text, format_args!("  total  {}", grouped(thing.amount.unwrap_or_default())));
    }
    if !thing.lines.is_empty() {
        line(
            &mut text,
            format_args!("  {:<36}  {:>9}  {:>12}  {:>12}  shard", "item", "units", "quoted", "in stock now"),
        );
    }
    for one in &thing.lines {
        let stock = one.stock.map_or_else(|| "-".to_owned(), grouped);
        let shard = one.shard.map_or_else(|| "-".to_owned(), |shard| shard.to_string());
        let (units, sum) = (grouped(one.units), grouped(one.sum));
        line(&mut text, format_args!("  {:<36}  {units:>9}  {sum:>12}  {stock:>12}  {shard}", one.item));
    }
    if !thing.attempts.is_empty() {
        line(&mut text, format_args!("  last attempts"));
    }
    for one in &thing.attempts {
        let ago = age(now_ms().saturating_sub(one.began_ms));
        line(&mut text, format_args!("  {}  {ago} ago: {}", one.tx, one.told));
    }
    text.truncate(text.trim_end().len());
    text
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail. A record could hold anything, and a terminal obeys control characters.
    let _ = writeln!(text, "{}", line.to_string().replace(char::is_control, "?").trim_end());
}
