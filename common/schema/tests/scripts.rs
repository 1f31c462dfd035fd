//! Every script that reaches Redis: its text is known by its SHA-1, so that no change of it goes unseen.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use shardcart_schema::lua;

/// The scripts that are run with an idempotency key as well.
const WITH_A_KEY: [&str; 12] = [
    "order/add_item.lua",
    "order/create.lua",
    "order/remove.lua",
    "order/remove_item.lua",
    "order/replay.lua",
    "payment/add_funds.lua",
    "payment/cancel_payment.lua",
    "payment/create.lua",
    "payment/pay.lua",
    "stock/add.lua",
    "stock/create.lua",
    "stock/subtract.lua",
];

/// A file that ends in `.lua`.
struct File {
    path: PathBuf,
    text: String,
}

impl File {
    /// Whether Redis runs it; otherwise other files include it.
    fn is_script(&self) -> bool {
        self.text.starts_with("#!lua")
    }

    /// `order/begin.lua`, `common/identity.lua`: the service, and the file's name.
    fn name(&self) -> String {
        let mut folders = self.path.strip_prefix(root()).unwrap().iter().map(|folder| folder.to_str().unwrap());
        let owner = if folders.next() == Some("services") { folders.next().unwrap() } else { "common" };
        format!("{owner}/{}", self.path.file_name().unwrap().to_str().unwrap())
    }

    /// The text that reaches Redis. Files beside it may be included.
    fn expanded(&self) -> String {
        let beside: Vec<(String, String)> = files_in(self.path.parent().unwrap())
            .into_iter()
            .map(|file| (file.path.file_stem().unwrap().to_str().unwrap().to_owned(), file.text))
            .collect();
        let beside: Vec<(&str, &str)> = beside.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        lua::expand(&self.text, &beside).unwrap_or_else(|error| panic!("{}: {error}", self.path.display()))
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn files_in(folder: &Path) -> Vec<File> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let lua = paths.filter(|path| path.extension().is_some_and(|extension| extension == "lua"));
    lua.map(|path| File { text: fs::read_to_string(&path).unwrap(), path }).collect()
}

/// All `.lua` files of the shared crates and of the services.
fn files() -> Vec<File> {
    let (mut folders, mut files) = (vec![root().join("common"), root().join("services")], Vec::new());
    while let Some(folder) = folders.pop() {
        files.extend(files_in(&folder));
        folders.extend(fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()));
    }
    assert!(files.len() > 30, "the scripts are where this test looks for them");
    files
}

fn sha1(text: &str) -> String {
    sha1_smol::Sha1::from(text).digest().to_string()
}

#[test]
fn the_text_of_every_script_is_the_one_that_is_listed() {
    let mut digests = BTreeMap::new();
    for file in files().iter().filter(|file| file.is_script()) {
        let (name, text) = (file.name(), file.expanded());
        if WITH_A_KEY.contains(&name.as_str()) {
            digests.insert(format!("{name} with a key"), sha1(&lua::with_key(&text).unwrap()));
        }
        let other = digests.insert(name.clone(), sha1(&text));
        assert_eq!(other, None, "two scripts are called {name}");
    }
    let found: Vec<String> = digests.iter().map(|(name, digest)| format!("{name} {digest}")).collect();
    let mut listed: Vec<&str> = include_str!("script_digests.txt").lines().collect();
    listed.sort_by_key(|line| line.rsplit_once(' '));
    assert_eq!(found, listed, "what is found is not what script_digests.txt lists: is the change meant?");
}
