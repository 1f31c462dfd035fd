//! Rows of an import: a line of NDJSON, or a record of CSV.

use serde::Deserialize;
use serde_json::{Map, Value};
use shardcart_schema::product::Status;
use shardcart_types::amount::Amount;
use shardcart_types::ids::ItemId;

use crate::products::content::{Content, Invalid};

/// What a row says; what it does not say stays as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row {
    /// The product; otherwise the handle tells.
    pub id: Option<ItemId>,
    /// Its handle.
    pub handle: Option<String>,
    /// What it is called.
    pub name: Option<String>,
    /// What it costs.
    pub price: Option<Amount>,
    /// More about it.
    pub description: Option<String>,
    /// Its tags.
    pub tags: Option<Vec<String>>,
    /// What its shop knows of it besides.
    pub attributes: Option<Map<String, Value>>,
    /// Whether it is listed.
    pub status: Option<Status>,
}

/// A row as JSON tells it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: Option<String>,
    handle: Option<String>,
    name: Option<String>,
    price: Option<Money>,
    description: Option<String>,
    tags: Option<Vec<String>>,
    attributes: Option<Map<String, Value>>,
    status: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Money {
    amount: u64,
    currency: String,
}

fn one(pointer: &str, detail: impl Into<String>) -> Vec<Invalid> {
    vec![Invalid { pointer: pointer.to_owned(), detail: detail.into() }]
}

fn id(text: &str) -> Result<ItemId, Vec<Invalid>> {
    ItemId::parse(text).map_err(|error| one("/id", error.to_string()))
}

fn amount(pointer: &str, text: &str) -> Result<Amount, Vec<Invalid>> {
    Amount::parse(text).map_err(|error| one(pointer, error.to_string()))
}

/// Prices are in the currency of the data set.
fn in_currency(pointer: &str, given: &str, currency: &str) -> Result<(), Vec<Invalid>> {
    if given == currency { Ok(()) } else { Err(one(pointer, format!("prices are in {currency} here"))) }
}

fn status(text: &str) -> Result<Status, Vec<Invalid>> {
    Status::parse(text).ok_or_else(|| one("/status", "a status is active or archived"))
}

impl Row {
    /// Reads a line of NDJSON: a product, as the API tells it, with the members that are to be changed.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn of_json(line: &[u8], currency: &str) -> Result<Self, Vec<Invalid>> {
        let line: Line = serde_json::from_slice(line).map_err(|error| one("", error.to_string()))?;
        let price = match line.price {
            None => None,
            Some(price) => {
                in_currency("/price/currency", &price.currency, currency)?;
                Some(amount("/price/amount", &price.amount.to_string())?)
            }
        };
        Row {
            id: line.id.as_deref().map(id).transpose()?,
            handle: line.handle,
            name: line.name,
            price,
            description: line.description,
            tags: line.tags,
            attributes: line.attributes,
            status: line.status.as_deref().map(status).transpose()?,
        }
        .named()
    }

    /// A row names its product.
    fn named(self) -> Result<Self, Vec<Invalid>> {
        if self.id.is_none() && self.handle.is_none() {
            return Err(one("", "a row names its product by id or by handle"));
        }
        Ok(self)
    }

    /// A description with what the row says put over it.
    pub(crate) fn over(&self, old: Content) -> Content {
        Content {
            status: self.status.unwrap_or(old.status),
            name: self.name.clone().unwrap_or(old.name),
            handle: self.handle.clone().or(old.handle),
            description: self.description.clone().or(old.description),
            tags: self.tags.clone().unwrap_or(old.tags),
            attributes: self.attributes.clone().unwrap_or(old.attributes),
        }
    }
}

/// What the columns of a CSV file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Id,
    Handle,
    Name,
    Price,
    Currency,
    Description,
    Tags,
    Attributes,
    Status,
}

const COLUMNS: [(&str, Column); 9] = [
    ("id", Column::Id),
    ("handle", Column::Handle),
    ("name", Column::Name),
    ("price", Column::Price),
    ("currency", Column::Currency),
    ("description", Column::Description),
    ("tags", Column::Tags),
    ("attributes", Column::Attributes),
    ("status", Column::Status),
];

/// The columns of a CSV file, by its first line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns(Vec<Column>);

impl Columns {
    /// Reads the first line.
    ///
    /// # Errors
    /// A column that is not known, or is there twice.
    pub fn of(header: &csv::StringRecord) -> Result<Self, Vec<Invalid>> {
        let mut columns = Vec::with_capacity(header.len());
        for name in header {
            let known = COLUMNS.iter().find(|(known, _)| *known == name.trim().trim_start_matches('\u{feff}'));
            match known {
                Some((_, column)) if !columns.contains(column) => columns.push(*column),
                Some(_) => return Err(one("", format!("the column {name} is there twice"))),
                None => {
                    let all: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
                    return Err(one("", format!("{name:?} is no column; these are: {}", all.join(", "))));
                }
            }
        }
        Ok(Columns(columns))
    }

    /// Reads a record. An empty cell says nothing.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn row(&self, record: &csv::StringRecord, currency: &str) -> Result<Row, Vec<Invalid>> {
        if record.len() != self.0.len() {
            return Err(one("", format!("{} cells, but {} columns", record.len(), self.0.len())));
        }
        let mut row = Row::default();
        for (column, cell) in self.0.iter().zip(record).filter(|(_, cell)| !cell.is_empty()) {
            match column {
                Column::Id => row.id = Some(id(cell)?),
                Column::Handle => row.handle = Some(cell.to_owned()),
                Column::Name => row.name = Some(cell.to_owned()),
                Column::Price => row.price = Some(amount("/price", cell)?),
                Column::Currency => in_currency("/currency", cell, currency)?,
                Column::Description => row.description = Some(cell.to_owned()),
                Column::Tags => {
                    let tags = cell.split([' ', ',', ';']).filter(|tag| !tag.is_empty());
                    row.tags = Some(tags.map(str::to_owned).collect());
                }
                Column::Attributes => {
                    let attributes = serde_json::from_str(cell);
                    row.attributes = Some(attributes.map_err(|error| one("/attributes", error.to_string()))?);
                }
                Column::Status => row.status = Some(status(cell)?),
            }
        }
        row.named()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(header: &[&str]) -> Columns {
        Columns::of(&csv::StringRecord::from(header.to_vec())).unwrap()
    }

    #[test]
    fn a_line_of_json_and_a_record_of_csv_say_the_same() {
        let json = br#"{"id":"tux","name":"Tux","price":{"amount":1599,"currency":"EUR"},"tags":["toy","bird"],"status":"active"}"#;
        let columns = columns(&["id", "name", "price", "currency", "tags", "description", "status"]);
        let record = csv::StringRecord::from(vec!["tux", "Tux", "1599", "EUR", "toy, bird", "", "active"]);
        let row = Row::of_json(json, "EUR").unwrap();
        assert_eq!(columns.row(&record, "EUR"), Ok(row.clone()));
        assert_eq!((row.description, row.price.map(Amount::get)), (None, Some(1599)));
    }

    #[test]
    fn what_is_wrong_with_a_row_is_told() {
        for (line, pointer) in [
            (&b"{"[..], ""),
            (br#"{"id":"a","colour":"red"}"#, ""),
            (br#"{"id":"a","id":"b"}"#, ""),
            (br#"{"name":"nobody"}"#, ""),
            (br#"{"id":"a b"}"#, "/id"),
            (br#"{"id":"a","status":"gone"}"#, "/status"),
            (br#"{"id":"a","price":{"amount":1,"currency":"USD"}}"#, "/price/currency"),
            (br#"{"id":"a","price":{"amount":9007199254740992,"currency":"EUR"}}"#, "/price/amount"),
            (b"{\"id\":\"\xff\"}", ""),
        ] {
            let wrong = Row::of_json(line, "EUR").unwrap_err();
            assert_eq!(wrong[0].pointer, pointer, "{wrong:?}");
        }
        let columns = columns(&["handle", "price"]);
        for cells in [vec!["tux"], vec!["tux", "-1"], vec!["", "1"]] {
            assert!(columns.row(&csv::StringRecord::from(cells), "EUR").is_err());
        }
        for header in [vec!["id", "id"], vec!["id", "weight"]] {
            assert!(Columns::of(&csv::StringRecord::from(header)).is_err());
        }
    }
}
