//! What a reader pastes prints what the page says. Ids and white space aside: ids differ each time, and a page breaks
//! long lines.

use std::process::Command;

use shardcart_harness::Shop;

use crate::page::{Fence, Page};
use crate::repository;

/// What a page marks as not to be pasted here: it starts or stops something, or needs what a test does not have.
const PASTED: &str = "sh";
const PRINTED: &str = "text";

#[tokio::test(flavor = "multi_thread")]
async fn the_readme_prints_what_it_says() {
    pasted("README.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tutorial_prints_what_it_says() {
    pasted("docs/tutorial.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_storefront_prints_what_it_says() {
    pasted("docs/use/storefront.md").await;
}

/// Pastes all blocks of a page into one shell, beside a shop.
async fn pasted(path: &str) {
    let page = Page::read(path);
    let blocks: Vec<&Fence> = page.fences().iter().filter(|fence| fence.info == PASTED).collect();
    assert!(!blocks.is_empty(), "{path} has something to paste");

    let shop = Shop::start().await;
    let printed = run(&blocks, &format!("http://localhost:{}", shop.port()));

    let mut complaints = Vec::new();
    for (block, printed) in blocks.iter().zip(&printed) {
        let Some(said) = said_after(&page, block) else { continue };
        if plain(said) != plain(printed) {
            complaints.push(format!("{path}:{}: the page says:\n{said}the shell printed:\n{printed}", block.number));
        }
    }
    assert_eq!(printed.len(), blocks.len(), "{path}: the shell got to the end: {printed:#?}");
    repository::none(&complaints);
}

/// What each of the blocks printed, one after the other in the same shell.
fn run(blocks: &[&Fence], url: &str) -> Vec<String> {
    const MARK: &str = "@@ a block begins @@\n";
    let mut script = String::new();
    for block in blocks {
        script.push_str(&format!("printf '{}'\n{}", MARK.escape_default(), block.text));
    }
    let mut shell = Command::new("sh");
    shell.args(["-euc", &script]).env("SHOP", url).current_dir(repository::root());
    let ran = shell.output().expect("there is a shell");
    let printed = String::from_utf8_lossy(&ran.stdout).into_owned();
    let failed = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "the shell ended with {}: {failed}{printed}", ran.status);
    printed.split(MARK).skip(1).map(str::to_owned).collect()
}

/// The block that a page shows as printed by another: the next one, if it is of that kind.
fn said_after<'a>(page: &'a Page, block: &Fence) -> Option<&'a str> {
    let next = page.fences().iter().find(|fence| fence.number > block.number)?;
    (next.info == PRINTED).then_some(next.text.as_str())
}

/// Without white space, and with the same text for every id.
fn plain(text: &str) -> String {
    let dense: String = text.split_whitespace().collect();
    let mut plain = String::new();
    let mut rest = dense.as_str();
    while let Some(letter) = rest.chars().next() {
        let length = if is_id(rest) { ID } else { letter.len_utf8() };
        plain.push_str(if length == ID { "<id>" } else { &rest[..length] });
        rest = &rest[length..];
    }
    plain
}

/// How long a minted id is.
const ID: usize = 36;

fn is_id(text: &str) -> bool {
    let Some(id) = text.get(..ID) else { return false };
    id.char_indices().all(|(place, letter)| match place {
        8 | 13 | 18 | 23 => letter == '-',
        _ => letter.is_ascii_hexdigit(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_white_space_do_not_count() {
        let said = "{\"user_id\": \"01a1f86e-0fc0-8000-9674-5434d592d15c\",\n \"credit\":85}\n";
        let printed = "{\"user_id\":\"02b2f86e-0fc0-8000-9674-5434d592d15c\",\"credit\":85}";
        assert_eq!(plain(said), plain(printed));
        assert_ne!(plain(said), plain("{\"user_id\":\"7\",\"credit\":85}"));
    }
}
