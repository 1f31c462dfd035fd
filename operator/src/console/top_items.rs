//! Which items are bought most, from a sample of the attempts of each second.

use std::cmp::Ordering;
use std::collections::HashMap;

use serde::Serialize;
use shardcart_order::recent::RecentAttempts;

/// Attempts of one second whose items are counted.
const COUNTED_MAX: usize = 256;
/// How many items are counted, and how many are shown.
const ITEMS_MAX: usize = 512;
const ITEMS_SHOWN: usize = 6;
/// What remains of a count after a second: half after ten.
const FADE: f64 = 0.933;

/// One of the items that are bought most.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TopItem {
    /// The item.
    pub item: String,
    /// Units a second, lately.
    pub units_per_second: f64,
}

/// What is bought, in units a second, lately.
#[derive(Debug, Default)]
pub struct TopItems {
    rates: HashMap<String, f64>,
    /// How many attempts had come in when they were counted last.
    seen: u64,
}

impl TopItems {
    /// Counts what has come in since the last time, a second ago.
    pub fn count(&mut self, recent: &RecentAttempts) {
        let mut counted = HashMap::<String, u64>::new();
        let came = recent.lines_since(self.seen, COUNTED_MAX, |item, units| match counted.get_mut(item) {
            Some(sum) => *sum = sum.saturating_add(units),
            None => {
                counted.insert(item.to_owned(), units);
            }
        });
        self.fade_in(counted, came - self.seen);
        self.seen = came;
    }

    /// Lets old counts fade, and adds those of a sample of `count` attempts.
    fn fade_in(&mut self, counted: HashMap<String, u64>, count: u64) {
        let weight = (count as f64 / COUNTED_MAX as f64).max(1.0) * (1.0 - FADE);
        self.rates.values_mut().for_each(|rate| *rate *= FADE);
        for (item, units) in counted {
            *self.rates.entry(item).or_default() += units as f64 * weight;
        }
        self.rates.retain(|_, rate| *rate > 0.01);
        if self.rates.len() > ITEMS_MAX {
            let mut all: Vec<(String, f64)> = self.rates.drain().collect();
            all.sort_unstable_by(by_rate);
            all.truncate(ITEMS_MAX / 2);
            self.rates.extend(all);
        }
    }

    /// The items that are bought most.
    pub fn top(&self) -> Vec<TopItem> {
        let mut all: Vec<(&String, f64)> = self.rates.iter().map(|(item, rate)| (item, *rate)).collect();
        all.sort_unstable_by(by_rate);
        let told = |(item, rate): (&String, f64)| TopItem { item: item.clone(), units_per_second: rate };
        all.into_iter().take(ITEMS_SHOWN).map(told).collect()
    }
}

/// What is bought more comes first; of what is bought as much, the lesser id, so that it is the same every time.
fn by_rate<I: Ord>(one: &(I, f64), other: &(I, f64)) -> Ordering {
    other.1.total_cmp(&one.1).then_with(|| one.0.cmp(&other.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(items: &[(&str, u64)]) -> HashMap<String, u64> {
        items.iter().map(|(item, units)| ((*item).to_owned(), *units)).collect()
    }

    #[test]
    fn an_item_that_is_bought_steadily_comes_to_its_rate() {
        let mut items = TopItems::default();
        for _ in 0..100 {
            items.fade_in(counted(&[("a", 30), ("b", 3)]), 33);
        }
        let shown = items.top();
        assert_eq!((shown[0].item.as_str(), shown[1].item.as_str()), ("a", "b"));
        assert!((29.0..31.0).contains(&shown[0].units_per_second), "{shown:?}");
        for _ in 0..200 {
            items.fade_in(HashMap::new(), 0);
        }
        assert!(items.rates.is_empty());
    }

    #[test]
    fn a_sample_stands_for_all() {
        let mut items = TopItems::default();
        for _ in 0..100 {
            items.fade_in(counted(&[("a", COUNTED_MAX as u64)]), 4 * COUNTED_MAX as u64);
        }
        assert!((1_000.0..1_050.0).contains(&items.top()[0].units_per_second));
    }

    #[test]
    fn counts_are_bounded() {
        let mut items = TopItems::default();
        for round in 0..10 {
            let many = (0..COUNTED_MAX).map(|item| (format!("{round}-{item}"), 5)).collect();
            items.fade_in(many, 1);
            assert!(items.rates.len() <= ITEMS_MAX);
        }
        // Also where all are bought alike, some are kept.
        let alike: HashMap<String, u64> = (0..=ITEMS_MAX).map(|item| (format!("{item:04}"), 5)).collect();
        let mut items = TopItems::default();
        items.fade_in(alike, 1);
        let shown: Vec<String> = items.top().into_iter().map(|top| top.item).collect();
        assert_eq!((items.rates.len(), shown.len(), shown[0].as_str()), (ITEMS_MAX / 2, ITEMS_SHOWN, "0000"));
    }
}
