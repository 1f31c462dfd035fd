//! Every link leads to a file, and to a heading of it.

use std::path::{Component, Path, PathBuf};

use crate::page::Page;
use crate::repository;

#[test]
fn every_link_leads_somewhere() {
    let mut complaints = Vec::new();
    for path in repository::documents() {
        let page = Page::read(&path);
        for (number, target) in page.links() {
            if let Err(why) = follow(&page, &target) {
                complaints.push(format!("{path}:{number}: ({target}): {why}"));
            }
        }
    }
    repository::none(&complaints);
}

#[test]
fn the_write_that_makes_an_order_paid_is_three_links_from_the_front_page() {
    let first = Page::read("README.md").links();
    assert!(
        first.iter().any(|(_, target)| target == "docs/understand/checkout.md"),
        "the README leads to the checkout"
    );
    let second = Page::read("docs/understand/checkout.md").links();
    let decide = "../../services/order/src/scripts/decide.lua";
    assert!(second.iter().any(|(_, target)| target == decide), "the checkout leads to the decision");
}

fn follow(page: &Page, target: &str) -> Result<(), String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return Ok(());
    }
    let (file, heading) = target.split_once('#').map_or((target, None), |(file, heading)| (file, Some(heading)));
    let path = if file.is_empty() {
        page.path.clone()
    } else {
        let directory = Path::new(&page.path).parent().unwrap_or(Path::new(""));
        resolve(&directory.join(file)).ok_or("it leads out of the repository")?
    };
    if !repository::root().join(&path).exists() {
        return Err(format!("there is no {path}"));
    }
    match heading {
        Some(heading) if repository::is_document(&path) => {
            if Page::read(&path).anchors().iter().any(|anchor| anchor == heading) {
                Ok(())
            } else {
                Err(format!("{path} has no heading #{heading}"))
            }
        }
        _ => Ok(()),
    }
}

/// The path without `.` and `..`; nothing if it leads above the root.
fn resolve(path: &Path) -> Option<String> {
    let mut resolved = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => resolved.push(name),
            Component::ParentDir if !resolved.pop() => return None,
            _ => {}
        }
    }
    Some(resolved.to_string_lossy().into_owned())
}
