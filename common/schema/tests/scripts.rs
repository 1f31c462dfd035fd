//! Every script that reaches Redis: its text is known by its SHA-1, so that no change of it goes unseen.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use shardcart_schema::{constants, lua};

/// The scripts that are run with an idempotency key as well.
const WITH_A_KEY: [&str; 15] = [
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
    "stock/count.lua",
    "stock/create.lua",
    "stock/product_put.lua",
    "stock/product_replay.lua",
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
        let path = self.path.strip_prefix(root()).unwrap_or(&self.path);
        let mut folders = path.iter().map(|folder| folder.to_string_lossy());
        let service = folders.next().filter(|folder| folder == "services").and_then(|_| folders.next());
        let owner = service.unwrap_or("common".into());
        format!("{owner}/{}", self.path.file_name().expect("a file has a name").to_string_lossy())
    }

    /// What other files include it by.
    fn stem(&self) -> String {
        self.path.file_stem().expect("a file has a name").to_string_lossy().into_owned()
    }

    /// The text that reaches Redis. Files beside it may be included.
    fn expanded(&self) -> String {
        let beside: Vec<(String, String)> = files_in(self.path.parent().expect("a file is in a folder"))
            .into_iter()
            .map(|file| (file.stem(), file.text))
            .collect();
        let beside: Vec<(&str, &str)> = beside.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        lua::expand(&self.text, &beside).unwrap_or_else(|error| panic!("{}: {error}", self.path.display()))
    }
}

fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().expect("the repository is there")
}

fn paths_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder can be read");
    entries.map(|entry| entry.expect("the folder can be read").path()).collect()
}

fn files_in(folder: &Path) -> Vec<File> {
    let lua = paths_in(folder).into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "lua"));
    lua.map(|path| File { text: fs::read_to_string(&path).expect("the file can be read"), path }).collect()
}

/// All `.lua` files of the shared crates and of the services.
fn files() -> Vec<File> {
    let (mut folders, mut files) = (vec![root().join("common"), root().join("services")], Vec::new());
    while let Some(folder) = folders.pop() {
        files.extend(files_in(&folder));
        folders.extend(paths_in(&folder).into_iter().filter(|path| path.is_dir()));
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

/// The lines of a file without its comments.
fn code(file: &File) -> impl Iterator<Item = &str> {
    file.text.lines().filter(|line| !line.trim_start().starts_with("--") && !line.starts_with("#!"))
}

/// What stands in single quotes, and what is left of the line without it.
fn quoted(line: &str) -> (Vec<&str>, String) {
    let parts: Vec<&str> = line.split('\'').collect();
    (
        parts.iter().copied().skip(1).step_by(2).collect(),
        parts.iter().copied().step_by(2).collect::<Vec<_>>().join("''"),
    )
}

/// The numbers in code that has no texts any more.
fn numbers(code: &str) -> Vec<u64> {
    let names = code.split(|at: char| !at.is_ascii_alphanumeric() && at != '_');
    names.filter_map(|name| name.parse().ok()).collect()
}

/// The arguments of each call of these functions.
fn arguments<'a>(code: &'a str, functions: &[&str]) -> Vec<&'a str> {
    let is_of_name = |at: char| at.is_ascii_alphanumeric() || at == '_';
    let mut found = Vec::new();
    for (start, _) in code.match_indices('(') {
        let name = code[..start].rsplit(|at| !is_of_name(at)).next().unwrap_or_default();
        let mut depth = 0;
        let end = code[start..].find(|at| {
            depth += i32::from(at == '(') - i32::from(at == ')');
            depth == 0
        });
        if functions.contains(&name) {
            found.extend(code[start + 1..start + end.unwrap_or(code.len() - start)].split(',').map(str::trim));
        }
    }
    found
}

#[test]
fn no_script_spells_a_word_that_is_a_constant() {
    let all = constants::all().values().filter_map(|value| value.strip_prefix('\'')?.strip_suffix('\''));
    // How a script reads some of the fields is its own.
    let words: Vec<&str> = all.filter(|word| !word.starts_with('<')).collect();
    for file in files() {
        for line in code(&file) {
            let (texts, _) = quoted(line);
            let spelled: Vec<&&str> = texts.iter().filter(|text| words.contains(text)).collect();
            assert!(spelled.is_empty(), "{}: {spelled:?} has a constant: {line}", file.path.display());
        }
    }
}

#[test]
fn no_script_spells_a_size_or_a_limit() {
    let is_distinct = |name: &str, value: u64| {
        let is_size =
            ["LIMIT.", "TOMBSTONE.", ".SIZE", ".BEHIND_", ".MS_LOW_VALUES"].iter().any(|part| name.contains(part));
        // Smaller places count other things in scripts as well.
        is_size || (name.ends_with("_AT") || name.ends_with("_END")) && value > 18
    };
    let numeric = constants::all().iter().filter_map(|(name, value)| Some((name, value.parse().ok()?)));
    let values: Vec<u64> = numeric.filter(|(name, value)| is_distinct(name, *value)).map(|(_, value)| value).collect();
    for file in files() {
        for line in code(&file) {
            let spelled: Vec<u64> = numbers(&quoted(line).1).into_iter().filter(|it| values.contains(it)).collect();
            assert!(spelled.is_empty(), "{}: {spelled:?} has a constant: {line}", file.path.display());
        }
    }
}

#[test]
fn no_script_spells_a_place_in_a_record() {
    for file in files() {
        for line in code(&file) {
            let (texts, code) = quoted(line);
            let reads: &[&str] = if code.contains("struct.unpack") {
                &["sub", "byte", "read", "unpack"]
            } else {
                &["sub", "byte", "read"]
            };
            // Where a text begins needs no name.
            let is_place = |argument: &&&str| argument.parse::<u64>().is_ok_and(|place| place > 1);
            let places = arguments(&code, reads);
            let bare: Vec<&&str> = places.iter().filter(is_place).collect();
            assert!(bare.is_empty(), "{}: the place {bare:?} has no name: {line}", file.path.display());
            let is_named = !texts.contains(&"SETRANGE") || code.contains("_OFFSET,");
            assert!(is_named, "{}: the place has no name: {line}", file.path.display());
        }
    }
}
