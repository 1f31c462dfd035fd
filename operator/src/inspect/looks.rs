//! Asking the services for one look, and keeping who did not answer.

use std::cell::RefCell;

use shardcart_protocol::insight::{Found, Seen, Wanted};

use crate::sources::Sources;

/// Collects the answers of one look, and who did not give any.
pub struct Looks<'a> {
    /// Who is asked.
    pub sources: &'a Sources,
    unanswered: RefCell<Vec<String>>,
}

impl<'a> Looks<'a> {
    /// A look that has not asked anyone yet.
    pub fn new(sources: &'a Sources) -> Self {
        Looks { sources, unanswered: RefCell::default() }
    }

    /// Who did not answer, in words.
    pub fn into_unanswered(self) -> Vec<String> {
        self.unanswered.into_inner()
    }

    /// Asks one service; in place of each answer that it does not give stands `Silent`.
    pub async fn ask(&self, service: &str, wanted: Vec<Wanted>) -> Vec<Seen> {
        let source = match service {
            "order" => &self.sources.order,
            "stock" => &self.sources.stock,
            _ => &self.sources.payment,
        };
        let count = wanted.len();
        if count == 0 {
            return Vec::new();
        }
        match source.look_up(wanted).await {
            Ok(seen) if seen.len() == count => {
                seen.iter().for_each(|seen| self.note(service, seen));
                seen
            }
            _ => {
                self.note_words(format!("the {service} service does not answer"));
                vec![Seen { shard: 0, found: Found::Silent }; count]
            }
        }
    }

    /// Asks one service for one thing.
    pub async fn ask_one(&self, service: &str, wanted: Wanted) -> Seen {
        let mut seen = self.ask(service, vec![wanted]).await;
        seen.pop().unwrap_or(Seen { shard: 0, found: Found::Silent })
    }

    fn note(&self, service: &str, seen: &Seen) {
        let shard = seen.shard;
        match &seen.found {
            Found::Silent => self.note_words(format!("{service} shard {shard} does not answer")),
            Found::BeyondList => self.note_words(format!("{service} shard {shard} is not known here")),
            Found::TooMany => self.note_words(format!(
                "{service} shard {shard} has too many orders to go through for an attempt; look up its order instead"
            )),
            Found::Newer => self.note_words(format!("{service} shard {shard} has a record of another release")),
            Found::Unreadable => self.note_words(format!("{service} shard {shard} has a record that cannot be read")),
            Found::Reservations { silent, .. } => {
                silent.iter().for_each(|shard| self.note_words(format!("{service} shard {shard} does not answer")));
            }
            _ => {}
        }
    }

    fn note_words(&self, words: String) {
        let mut unanswered = self.unanswered.borrow_mut();
        if !unanswered.contains(&words) {
            unanswered.push(words);
        }
    }
}
