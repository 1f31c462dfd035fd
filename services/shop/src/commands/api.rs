//! Whom the commands of the API ask, and with which key.

use std::path::{Path, PathBuf};

use clap::Args;
use reqwest::Url;
use shardcart_operator::client::{Client, ClientError};
use shardcart_types::parse::base_url;
use shardcart_types::secret::Secret;

use super::look::machine_url;
use crate::data_dir;

/// Where the API is asked for that no setting names.
const USUAL: &str = "http://localhost:8000";

/// Which shop is asked. Its key is in the environment, as SHOP_KEY, or in a file: whoever lists processes sees arguments.
#[derive(Debug, Clone, Args)]
pub struct ApiArgs {
    /// Ask the shop or gateway at http://host:port; without, the shop that runs on ./data, else port 8000 of this machine
    #[arg(long, env = "SHOP_URL", value_parser = machine_url)]
    pub url: Option<Url>,
    /// Read the API key from this file; without, it is in the environment variable SHOP_KEY, if one is needed
    #[arg(long)]
    pub key_file: Option<PathBuf>,
}

impl ApiArgs {
    /// A client of that shop.
    ///
    /// # Errors
    /// `Setting`: the key cannot be read, or cannot be one.
    pub fn client(&self) -> Result<Client, ClientError> {
        let noted = || data_dir::noted_url(Path::new("./data")).and_then(|url| base_url(&url).ok());
        let usual = || base_url(USUAL).map_err(ClientError::Setting);
        let url = self.url.clone().or_else(noted).map_or_else(usual, Ok)?;
        Client::new(url, self.key()?)
    }

    fn key(&self) -> Result<Option<Secret>, ClientError> {
        let text = match &self.key_file {
            Some(path) => std::fs::read_to_string(path)
                .map_err(|error| ClientError::Setting(format!("{} cannot be read: {error}", path.display())))?,
            None => std::env::var("SHOP_KEY").unwrap_or_default(),
        };
        let text = text.trim();
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ClientError::Setting("that is no API key (it is not shown): it has blanks in it".to_owned()));
        }
        Ok((!text.is_empty()).then(|| Secret::from(text)))
    }
}
