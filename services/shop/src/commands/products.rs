//! `shop products`: its arguments.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};
use shardcart_operator::client::products::{self, Find, StockChange};
use shardcart_operator::client::transfer::{self, Form};
use shardcart_operator::client::{Client, ClientError};

use super::api::ApiArgs;

/// Manage products over the API v1: list, show, create, update, archive, import, export
///
/// Ends with 0: done; 1: refused, or rows of an import were; 2: a setting is wrong; 3: there is no answer.
#[derive(Debug, Clone, Args)]
pub struct ProductsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Subcommand)]
enum Command {
    /// List products by name, or those that are searched for
    List(ListArgs),
    /// Show one product with its stock
    Show(ShowArgs),
    /// Create a product
    Create(CreateArgs),
    /// Change a product, or its stock
    Update(UpdateArgs),
    /// Archive a product: it is neither listed nor found any more
    Archive(ArchiveArgs),
    /// Create and change many products from CSV or NDJSON; the same rows may be imported again
    Import(ImportArgs),
    /// Write all products as the rows that an import takes
    Export(ExportArgs),
}

#[derive(Debug, Clone, Args)]
struct ListArgs {
    /// Beginnings of words of the name and the tags, all of which a product has
    #[arg(long, short)]
    q: Option<String>,
    /// A tag that they have
    #[arg(long)]
    tag: Option<String>,
    /// The newest first, instead of by name
    #[arg(long, conflicts_with = "q")]
    new: bool,
    /// How many at most
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// All of them
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Print a line of JSON a product
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    api: ApiArgs,
}

#[derive(Debug, Clone, Args)]
struct ShowArgs {
    /// Its id; with --handle, its handle
    product: String,
    /// Find it by its handle
    #[arg(long)]
    handle: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    api: ApiArgs,
}

/// What a product is.
#[derive(Debug, Clone, Args)]
struct Members {
    /// Its unique handle
    #[arg(long)]
    handle: Option<String>,
    /// More about it
    #[arg(long)]
    description: Option<String>,
    /// A tag; may be given several times
    #[arg(long = "tag")]
    tags: Vec<String>,
    /// An attribute: NAME=VALUE; may be given several times
    #[arg(long = "attribute", value_parser = attribute)]
    attributes: Vec<(String, String)>,
    /// The currency of the price
    #[arg(long, env = "CURRENCY", default_value = "EUR")]
    currency: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    api: ApiArgs,
}

#[derive(Debug, Clone, Args)]
struct CreateArgs {
    /// An id of yours, which nothing may have yet; without, one is made
    #[arg(long)]
    id: Option<String>,
    /// What it is called
    #[arg(long)]
    name: String,
    /// What one costs, in minor units: 1599 for 15.99
    #[arg(long)]
    price: u64,
    /// Units in stock
    #[arg(long)]
    stock: Option<u64>,
    #[command(flatten)]
    members: Members,
}

#[derive(Debug, Clone, Args)]
struct UpdateArgs {
    /// Its id
    id: String,
    /// What it is called
    #[arg(long)]
    name: Option<String>,
    /// What one costs, in minor units: 1599 for 15.99
    #[arg(long)]
    price: Option<u64>,
    /// Bring an archived product back
    #[arg(long)]
    activate: bool,
    /// Add so many units to the stock, or take them out where it is negative
    #[arg(long, allow_negative_numbers = true)]
    stock_by: Option<i64>,
    /// Set the stock to what was counted, with what checkouts hold
    #[arg(long, conflicts_with = "stock_by")]
    stock_count: Option<u64>,
    /// Why the stock changes: for the log
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    members: Members,
}

#[derive(Debug, Clone, Args)]
struct ArchiveArgs {
    /// Its id
    id: String,
    #[command(flatten)]
    api: ApiArgs,
}

/// A form of rows, as an argument.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Csv,
    Ndjson,
}

#[derive(Debug, Clone, Args)]
struct ImportArgs {
    /// The file; `-` is stdin
    file: PathBuf,
    /// The form of its rows; without, by the end of its name
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Say what would be done, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Print a line of JSON for each row, and a last one with the sums
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    api: ApiArgs,
}

#[derive(Debug, Clone, Args)]
struct ExportArgs {
    /// Write to this file instead of stdout; it is there only when it is whole
    #[arg(long, short)]
    output: Option<PathBuf>,
    /// The form of the rows; without, by the end of the file's name, else NDJSON
    #[arg(long, value_enum)]
    format: Option<Format>,
    #[command(flatten)]
    api: ApiArgs,
}

impl From<Format> for Form {
    fn from(format: Format) -> Self {
        match format {
            Format::Csv => Form::Csv,
            Format::Ndjson => Form::Ndjson,
        }
    }
}

impl ListArgs {
    fn find(&self) -> Find {
        let mut query = Vec::new();
        query.extend(self.q.clone().map(|q| ("q", q)));
        query.extend(self.tag.clone().map(|tag| ("tag", tag)));
        if self.new {
            query.push(("sort", "new".to_owned()));
        }
        Find { query, limit: (!self.all).then_some(usize::try_from(self.limit).unwrap_or(usize::MAX)) }
    }
}

impl Members {
    /// What is said of a product, as the API takes it.
    fn body(&self, name: Option<&str>, price: Option<u64>) -> Value {
        let mut body = Map::new();
        let texts = [("name", name), ("handle", self.handle.as_deref()), ("description", self.description.as_deref())];
        body.extend(texts.iter().filter_map(|(key, text)| text.map(|text| ((*key).to_owned(), text.into()))));
        if let Some(amount) = price {
            body.insert("price".to_owned(), json!({ "amount": amount, "currency": self.currency }));
        }
        if !self.tags.is_empty() {
            body.insert("tags".to_owned(), json!(self.tags));
        }
        if !self.attributes.is_empty() {
            let attributes: Map<String, Value> =
                self.attributes.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
            body.insert("attributes".to_owned(), Value::Object(attributes));
        }
        Value::Object(body)
    }

    fn client(&self) -> Result<Client, ClientError> {
        self.api.client()
    }
}

fn attribute(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Runs the command.
pub async fn run(args: ProductsArgs) -> ExitCode {
    carry_out(&args.command).await.unwrap_or_else(|error| error.exit())
}

async fn carry_out(command: &Command) -> Result<ExitCode, ClientError> {
    match command {
        Command::List(args) => products::list(&args.api.client()?, &args.find(), args.json).await,
        Command::Show(args) => products::show(&args.api.client()?, &args.product, args.handle, args.json).await,
        Command::Create(args) => {
            let body = args.members.body(Some(&args.name), Some(args.price));
            let client = args.members.client()?;
            products::create(&client, args.id.as_deref(), &body, args.stock, args.members.json).await
        }
        Command::Update(args) => update(args).await,
        Command::Archive(args) => products::archive(&args.api.client()?, &args.id).await,
        Command::Import(args) => {
            let form = args.format.map(Form::from).or_else(|| Form::of(&args.file));
            let form = form.ok_or_else(|| ClientError::Setting("say the form of its rows: --format".to_owned()))?;
            transfer::import(&args.api.client()?, &args.file, form, args.dry_run, args.json).await
        }
        Command::Export(args) => {
            let by_name = || args.output.as_deref().and_then(Form::of).unwrap_or(Form::Ndjson);
            let form = args.format.map_or_else(by_name, Form::from);
            transfer::export(&args.api.client()?, args.output.as_deref(), form).await
        }
    }
}

async fn update(args: &UpdateArgs) -> Result<ExitCode, ClientError> {
    let mut body = args.members.body(args.name.as_deref(), args.price);
    if args.activate {
        body["status"] = "active".into();
    }
    let change = args.stock_by.map(StockChange::Delta).or(args.stock_count.map(StockChange::Count));
    let change = change.map(|change| (change, args.reason.as_deref()));
    products::update(&args.members.client()?, &args.id, &body, change, args.members.json).await
}
