//! Who uses whom, and whether that goes in a circle.

use std::collections::{BTreeMap, BTreeSet};

/// Nodes by name, and for each one those that it uses, with an example of the use.
#[derive(Debug, Default)]
pub struct Graph(BTreeMap<String, BTreeMap<String, String>>);

impl Graph {
    /// Notes that `from` uses `to`; the first example is kept.
    pub fn add(&mut self, from: &str, to: &str, example: &str) {
        self.0.entry(from.to_owned()).or_default().entry(to.to_owned()).or_insert_with(|| example.to_owned());
    }

    /// The uses of one circle, each with its example, if there is a circle.
    pub fn cycle(&self) -> Option<Vec<String>> {
        let mut done = BTreeSet::new();
        self.0.keys().find_map(|node| self.cycle_from(node, &mut Vec::new(), &mut done))
    }

    fn cycle_from<'a>(
        &'a self,
        node: &'a str,
        way: &mut Vec<&'a str>,
        done: &mut BTreeSet<&'a str>,
    ) -> Option<Vec<String>> {
        if let Some(start) = way.iter().position(|passed| *passed == node) {
            let circle = [&way[start..], &[node]].concat();
            return Some(circle.windows(2).map(|pair| self.describe(pair[0], pair[1])).collect());
        }
        if !done.insert(node) {
            return None;
        }
        way.push(node);
        let found = self.0.get(node).into_iter().flatten().find_map(|(next, _)| self.cycle_from(next, way, done));
        way.pop();
        found
    }

    fn describe(&self, from: &str, to: &str) -> String {
        format!("{from} uses {to}: {}", self.0[from][to])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(uses: &[(&str, &str)]) -> Graph {
        let mut graph = Graph::default();
        uses.iter().for_each(|(from, to)| graph.add(from, to, "somewhere"));
        graph
    }

    #[test]
    fn two_ways_to_one_node_are_no_circle() {
        assert_eq!(graph(&[("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")]).cycle(), None);
    }

    #[test]
    fn a_circle_is_found_wherever_it_begins_and_told_use_by_use() {
        let found = graph(&[("a", "b"), ("b", "c"), ("c", "d"), ("d", "b")]).cycle();
        let expected = ["b uses c: somewhere", "c uses d: somewhere", "d uses b: somewhere"];
        assert_eq!(found.unwrap(), expected);
    }
}
