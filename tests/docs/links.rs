//! Links and images.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use crate::harness::markdown::{Link, Page};
use crate::harness::root;
use crate::none_of;

/// `directory/../x` without the dots; `None`: it is outside of the repository.
fn normal(path: &Path) -> Option<String> {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => parts.push(name),
            Component::ParentDir => {
                if !parts.pop() {
                    return None;
                }
            }
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts.to_str().unwrap().to_owned())
}

/// The file that a relative link leads to, and the anchor there.
fn place<'a>(page: &Page, target: &'a str) -> (Option<String>, Option<&'a str>) {
    let (path, anchor) = match target.split_once('#') {
        Some((path, anchor)) => (path, Some(anchor)),
        None => (target, None),
    };
    let path = match path {
        "" => Some(page.name.clone()),
        path => normal(&page.directory().join(path)),
    };
    (path, anchor)
}

fn is_external(link: &Link) -> bool {
    link.target.contains("://") || link.target.starts_with("mailto:")
}

#[test]
fn every_link_leads_somewhere() {
    let pages = Page::all();
    let anchors: BTreeMap<_, _> = pages
        .iter()
        .map(|page| (page.name.as_str(), page.anchors()))
        .collect();
    let (mut dead, mut count) = (Vec::new(), 0);
    for page in &pages {
        for link in page.links() {
            count += 1;
            let here = format!("{}:{}: {}", page.name, link.line, link.target);
            if link.alt.as_ref().is_some_and(|alt| alt.trim().len() < 10) {
                dead.push(format!(
                    "{here}: an image without a text that says what it shows"
                ));
            }
            if is_external(&link) {
                if !link.target.starts_with("https://") {
                    dead.push(format!("{here}: not https"));
                }
                continue;
            }
            let (path, anchor) = place(page, &link.target);
            let Some(path) = path.filter(|path| root().join(path).exists()) else {
                dead.push(format!("{here}: no such file"));
                continue;
            };
            if let (Some(anchor), Some(known)) = (anchor, anchors.get(path.as_str()))
                && !known.iter().any(|one| one == anchor)
            {
                dead.push(format!(
                    "{here}: no such heading; there are {}",
                    known.join(" ")
                ));
            }
        }
    }
    assert!(count > 100, "{count} links");
    none_of(&dead);
}

#[test]
fn every_page_of_the_manual_can_be_reached() {
    let pages = Page::all();
    let pages: BTreeMap<_, _> = pages.iter().map(|page| (page.name.clone(), page)).collect();
    let mut reached = BTreeSet::new();
    let mut ahead = vec!["README.md".to_owned(), "docs/README.md".to_owned()];
    while let Some(name) = ahead.pop() {
        let Some(page) = pages.get(&name).filter(|_| reached.insert(name)) else {
            continue;
        };
        let links = page.links().into_iter().filter(|link| !is_external(link));
        ahead.extend(links.filter_map(|link| place(page, &link.target).0));
    }
    let lost = pages.keys().filter(|name| name.starts_with("docs/"));
    let lost = lost.filter(|name| !reached.contains(*name)).cloned();
    none_of(&lost.collect::<Vec<_>>());
}
