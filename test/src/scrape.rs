//! What a machine tells at `/metrics`, read line by line.

use std::collections::{BTreeMap, BTreeSet};

use hyper::Method;
use shardcart_harness::http::HttpClient;

/// All series of one scrape: name with labels, as written, and value.
#[derive(Debug, Clone)]
pub struct Scrape {
    /// The text as it came.
    pub text: String,
}

impl Scrape {
    /// Scrapes what listens on a port.
    ///
    /// # Panics
    /// When there is no answer, or another than 200 in the text format.
    pub async fn of(port: u16) -> Scrape {
        let url = format!("http://127.0.0.1:{port}/metrics");
        let answer = HttpClient::default().request(Method::GET, &url).await.unwrap_or_else(|no| panic!("{}", no.0));
        assert_eq!((answer.status, answer.media_type()), (200, Some("text/plain")), "{}", answer.text);
        Scrape { text: answer.text }
    }

    /// The value of the one series that begins with this text: a name, and as many labels as it takes.
    pub fn value(&self, series: &str) -> Option<f64> {
        let mut found = self.text.lines().filter(|line| line.starts_with(series));
        let line = found.next()?;
        assert!(found.next().is_none(), "{series} is not one series");
        line.rsplit_once(' ')?.1.parse().ok()
    }

    /// The kind of each metric, and the names of its labels.
    pub fn metrics(&self) -> BTreeMap<String, (String, BTreeSet<String>)> {
        let mut metrics = BTreeMap::new();
        for line in self.text.lines() {
            if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
                metrics.insert(name.to_owned(), (kind.to_owned(), BTreeSet::new()));
            }
        }
        for line in self.text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let (name, labels) = line.split_once('{').unwrap_or((line.split(' ').next().unwrap_or(line), ""));
            let of_histogram = ["_bucket", "_sum", "_count"].iter().find_map(|ending| name.strip_suffix(ending));
            let name = of_histogram.filter(|name| metrics.contains_key(*name)).unwrap_or(name);
            let (_, known) = metrics.get_mut(name).unwrap_or_else(|| panic!("{name} has no TYPE"));
            let names = labels.split("\",").filter_map(|label| Some(label.split_once("=\"")?.0.to_owned()));
            known.extend(names.filter(|label| label != "le"));
        }
        metrics
    }
}
