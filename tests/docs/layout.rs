//! How pages are written.

use crate::harness::markdown::{Mark, Page};
use crate::none_of;

/// Of the languages, those that a test knows what to do with.
const LANGUAGES: &[&str] = &[
    "sh",
    "console",
    "text",
    "dockerfile",
    "yaml",
    "json",
    "js",
    "ts",
    "ini",
    "promql",
    "python",
    "diff",
    "mermaid",
];

#[test]
fn lines_of_the_manual_are_at_most_120_wide() {
    let mut wide = Vec::new();
    for page in Page::manual()
        .iter()
        .filter(|page| page.name.starts_with("docs/"))
    {
        for (index, line) in page.prose.lines().enumerate() {
            let may = line.trim_start().starts_with('|') || line.contains("](");
            if !may && line.chars().count() > 120 {
                wide.push(format!("{}:{}: {line}", page.name, index + 1));
            }
        }
    }
    none_of(&wide);
}

/// A test can only run what has fences and a language.
#[test]
fn blocks_of_the_manual_have_fences_and_a_language() {
    let mut bare = Vec::new();
    for page in Page::manual()
        .iter()
        .filter(|page| page.name.starts_with("docs/"))
    {
        let mut before = "";
        let mut in_list = false;
        for (index, line) in page.prose.lines().enumerate() {
            let text = line.trim_start();
            let is_indented = line.starts_with("    ") || line.starts_with('\t');
            if before.trim().is_empty() && is_indented && !in_list {
                bare.push(format!("{}:{}: indented: {text}", page.name, index + 1));
            }
            if !text.is_empty() && !is_indented {
                let item = text.trim_start_matches(|c: char| c.is_ascii_digit());
                in_list = ["- ", "* ", ". "]
                    .iter()
                    .any(|begin| item.starts_with(begin))
                    || (in_list && line.starts_with(' '));
            }
            before = line;
        }
        for block in &page.blocks {
            let language = block.language.as_str();
            if !LANGUAGES.contains(&language) {
                bare.push(format!(
                    "{}:{}: language {language:?}",
                    page.name, block.line
                ));
            }
            let is_file = matches!(block.mark, Mark::File(_) | Mark::Docker(_) | Mark::Skip(_));
            if block.mark != Mark::Plain && !is_file && block.commands().is_none() {
                bare.push(format!("{}:{}: no commands", page.name, block.line));
            }
        }
    }
    none_of(&bare);
}

/// A page for a reader with ten minutes.
#[test]
fn pages_of_the_manual_are_short() {
    let mut long = Vec::new();
    for page in Page::manual() {
        let lines = page.text.lines().count();
        let most = match page.name.as_str() {
            "README.md" => 200,
            // To look things up in.
            "docs/options.md" => 400,
            _ => 250,
        };
        if lines > most {
            long.push(format!("{}: {lines} lines of at most {most}", page.name));
        }
    }
    none_of(&long);
}

/// Of `Page::parse`, which all the others stand on.
#[test]
fn blocks_links_and_anchors_are_found() {
    let page = Page::parse(
        "docs/x.md",
        "# A `b` [c](d.md), e\n\n<!-- test: serves 3000 -->\n```sh\n[no](link)\n```\n\n## Twice\n## Twice\n\
         `[no](link)` ![alt\ntext](image.svg) [![in](one)](other) <https://example.com/>\n\n- x\n\n  ```console\n  $ one \\\n  > two\n  out\n  ```\n",
    );
    assert_eq!(page.anchors(), ["a-b-c-e", "twice", "twice-1"]);
    let links: Vec<_> = page
        .links()
        .into_iter()
        .map(|link| (link.line, link.target, link.alt))
        .collect();
    let link = |line, target: &str| (line, target.to_owned(), None);
    let image = |line, target: &str, alt: &str| (line, target.to_owned(), Some(alt.to_owned()));
    let mut wanted = vec![
        link(1, "d.md"),
        image(10, "image.svg", "alt\ntext"),
        image(11, "one", "in"),
        link(11, "other"),
        link(11, "https://example.com/"),
    ];
    wanted.sort_by_key(|(line, ..)| *line);
    assert_eq!(links, wanted);
    let [first, second] = &page.blocks[..] else {
        panic!("{:?}", page.blocks);
    };
    assert_eq!((first.line, &first.mark), (4, &Mark::Serves(3000)));
    assert_eq!(first.commands().as_deref(), Some("[no](link)\n"));
    assert_eq!((second.line, &second.mark), (15, &Mark::Plain));
    assert_eq!(second.commands().as_deref(), Some("one \\\ntwo\n"));
    let code = [(1, "b".to_owned()), (10, "[no](link)".to_owned())];
    assert_eq!(page.code(), code);
}
