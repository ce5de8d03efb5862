//! The manual's page of options, docs/options.md.

use pidone::cli::options::{CHAPTERS, Chapter, OptionSpec};

use crate::help::{self, INFORMATION, Page, Value};

/// Where it is kept.
pub const PLACE: &str = "docs/options.md";

/// Each chapter's page of the manual, which says when and why.
const PAGES: &[(&str, &str)] = &[
    (
        "Workers",
        "[Workers](workers.md) and [runtimes](runtimes.md) explain them.",
    ),
    (
        "Sockets",
        "[Share a port](workers.md#share-a-port) and [balance](workers.md#balance) explain them.",
    ),
    ("Restarts", "[Restarts](workers.md#restarts) explains them."),
    (
        "Stopping",
        "[Reload and stop](reload-and-stop.md) explains them, and how to [add up the times](reload-and-stop.md#add-up-the-times).",
    ),
    ("Limits", "[Limits](limits.md) explains them."),
    (
        "Signals",
        "[Exit codes and signals](exit-codes-and-signals.md) explains them.",
    ),
    (
        "Processes",
        "[Exit codes and signals](exit-codes-and-signals.md) and [security](security.md) explain them.",
    ),
    (
        "Control and health",
        "[pidone ctl](ctl.md) and [observability](observability.md) explain them.",
    ),
    ("Log", "[Logging](logging.md) explains them."),
];

const HEAD: &str = "\
<!-- Made by `cargo manual` from the table of options (src/cli/options). Do not edit this page: change the table. -->

# Options

All options of `pidone`, as in `pidone --help`, with their variables and defaults.

```text
@USAGE@
```

A worker for each CPU, with probes and metrics on port 9100, and a limit for event loops that hang:

<!-- test: serves 3000 -->
```sh
pidone -i auto --http 9100 --hang-timeout 30s -- node server.js
```

The same with variables, as for an image that starts `pidone -- node server.js`:

<!-- test: serves 3000 -->
```sh
export PIDONE_INSTANCES=auto PIDONE_HTTP=9100 PIDONE_HANG_TIMEOUT=30s
pidone -- node server.js
```

Options stand before the command. `--` ends them, and `--option=VALUE` is the same as `--option VALUE`. pidone checks
all values before it starts anything. If one is wrong, pidone says what would be right, and exits with 125.

";

const TAIL: &str = "\
## Variables

Each option except those under Information is a variable, too: `PIDONE_` and the option's name in upper case, with `_`
for `-`.

- An option on the command line wins over its variable. An empty variable counts as not set.
- Options without a value take `1` or `true`, and `0` or `false`: `PIDONE_GROUP=1`.
- An option that can be given more than once takes a list with commas: `PIDONE_EXPECT=143,130`.
- `PIDONE_LOG` sets the level of the log: `off`, `error`, `warn`, `info` (the default), `debug` or `trace`.
- An empty `PIDONE_INSTANCES` means no workers. Other variables that need `-i` then have no effect; without it, they are
  an error.
- The command does not get the variables of options that need `-i`, nor `PIDONE_INSTANCES`, `PIDONE_CONTROL`,
  `PIDONE_HTTP` and `PIDONE_USER`: another pidone below this one would take them for its own. It gets all others.

## Times and sizes

- A time is a number with a unit: `500ms`, `10s`, `2m` or `1h`.
- A size is a number of bytes with a unit: `300M` or `1G`. Units are powers of 1024; `300MB` and `300MiB` mean the same.

## pidone ctl

`pidone ctl` controls a pidone that runs, as in `pidone ctl status` and `pidone ctl reload`. [pidone ctl](ctl.md) has its
requests and their options.
";

/// The page.
pub fn page(main: &Page) -> String {
    let usage = main
        .usage()
        .into_iter()
        .map(|line| format!("pidone {line}"));
    let mut out = HEAD.replace("@USAGE@", &usage.collect::<Vec<_>>().join("\n"));
    out.push_str("| chapter | options |\n| --- | --- |\n");
    for chapter in CHAPTERS {
        let links = chapter
            .options
            .iter()
            .map(|option| link(option.short, option.long));
        row(&title(chapter).0, links, &mut out);
    }
    let links = INFORMATION
        .iter()
        .map(|(long, short, _)| link(Some(*short), long));
    row("Information", links, &mut out);
    for chapter in CHAPTERS {
        let (title, note) = title(chapter);
        out.push_str(&format!("\n## {title}\n\n"));
        let page = PAGES.iter().find(|(name, _)| *name == title);
        let page = page.map(|(_, text)| *text).unwrap_or_default();
        paragraph(format!("{note} {page}").trim(), &mut out);
        for option in chapter.options {
            describe(option, &mut out);
        }
    }
    out.push_str("\n## Information\n");
    for (long, short, text) in &INFORMATION {
        term(Some(*short), long, None, None, &mut out);
        let what = if *long == "help" {
            "the options, as on this page."
        } else {
            text
        };
        paragraph(&format!("Print {}", lower(what)), &mut out);
    }
    out.push('\n');
    out + TAIL
}

/// A chapter's title, and what the help has beside it in parentheses.
fn title(chapter: &Chapter) -> (String, &'static str) {
    let (title, note) = chapter
        .title
        .split_once(" (")
        .unwrap_or((chapter.title, ""));
    let note = match note {
        "" => "",
        "on standard error)" => "pidone logs to standard error.",
        _ => "All of these need `-i`.",
    };
    (title.to_owned(), note)
}

fn link(short: Option<char>, long: &str) -> String {
    let short = short
        .map(|short| format!("`-{short}`, "))
        .unwrap_or_default();
    format!("[{short}`--{long}`](#{long})")
}

fn row(title: &str, links: impl Iterator<Item = String>, out: &mut String) {
    let links: Vec<_> = links.collect();
    out.push_str(&format!(
        "| [{title}](#{}) | {} |\n",
        lower(title).replace(' ', "-"),
        links.join(", ")
    ));
}

fn lower(text: &str) -> String {
    text.to_lowercase()
}

fn term(
    short: Option<char>,
    long: &str,
    value: Option<&str>,
    variable: Option<&str>,
    out: &mut String,
) {
    let short = short
        .map(|short| format!("`-{short}`, "))
        .unwrap_or_default();
    let value = value.map(|value| format!(" {value}")).unwrap_or_default();
    let variable = variable
        .map(|name| format!(" (`{name}`)"))
        .unwrap_or_default();
    out.push_str(&format!(
        "\n<a id=\"{long}\"></a>\n**{short}`--{long}{value}`**{variable}\n\n"
    ));
}

fn describe(option: &'static OptionSpec, out: &mut String) {
    term(
        option.short,
        option.long,
        option.value,
        Some(&option.variable()),
        out,
    );
    paragraph(&explained(option), out);
}

/// In lines of at most 120.
fn paragraph(text: &str, out: &mut String) {
    let mut width = 0;
    for (index, word) in text.split(' ').enumerate() {
        let length = word.chars().count();
        if index > 0 {
            let fits = width + 1 + length <= 120;
            out.push(if fits { ' ' } else { '\n' });
            width = if fits { width + 1 } else { 0 };
        }
        out.push_str(word);
        width += length;
    }
    out.push('\n');
}

/// The help as one paragraph, with code where the help's page has bare words.
fn explained(option: &'static OptionSpec) -> String {
    let text = option.help.join(" ");
    // A pair that no option has; joined until the end.
    let text = text.replace("Connection: close", "Connection:\u{a0}close");
    let words: Vec<_> = text.split(' ').map(Word::new).collect();
    let mut out: Vec<String> = Vec::new();
    let mut rest = words.as_slice();
    let mut before = "";
    while let [word, after @ ..] = rest {
        rest = after;
        let Word {
            open, text, close, ..
        } = word;
        let next = after.first();
        // Two words that are one piece of code: an option and its value.
        if let Some(next) = next.filter(|next| close.is_empty() && is_value_of(text, next.text)) {
            out.push(format!("{open}`{text} {}`{}", next.text, next.close));
            rest = after.get(1..).unwrap_or_default();
            before = next.whole;
            continue;
        }
        let mark = if is_code(option, before, word, next) {
            "`"
        } else {
            ""
        };
        out.push(format!("{open}{mark}{text}{mark}{close}"));
        before = word.whole;
    }
    out.join(" ").replace('\u{a0}', " ")
}

/// A word, and the punctuation around it.
struct Word<'a> {
    whole: &'a str,
    open: &'a str,
    text: &'a str,
    close: &'a str,
}

impl<'a> Word<'a> {
    fn new(whole: &'a str) -> Self {
        let inside = whole.trim_start_matches('(');
        let (open, _) = whole.split_at(whole.len() - inside.len());
        let mut end = inside.len();
        while let Some(last) = inside[..end].chars().next_back() {
            // A parenthesis of its own stays: listen().
            let is_own = inside[..end].matches('(').count() == inside[..end].matches(')').count();
            if !".,;:)".contains(last) || (last == ')' && is_own) {
                break;
            }
            end -= last.len_utf8();
        }
        let (text, close) = inside.split_at(end);
        Self {
            whole,
            open,
            text,
            close,
        }
    }
}

fn is_value_of(name: &str, value: &str) -> bool {
    let mut options = help::options();
    let option = options.find(|option| {
        let is_short = |short: char| name == format!("-{short}");
        name == format!("--{}", option.long) || option.short.is_some_and(is_short)
    });
    option.is_some_and(|option| value == "P%" || is_choice_of(option, value))
}

fn is_choice_of(option: &'static OptionSpec, word: &str) -> bool {
    matches!(help::value_of(option), Some(Value::Words(words)) if words.contains(&word))
}

fn is_code(option: &'static OptionSpec, before: &str, word: &Word, next: Option<&Word>) -> bool {
    let (text, close) = (word.text, word.close);
    let is_default = before.ends_with("default:") || before == "else";
    // In a list of choices, at the head of what one means, or as the value in some case. Otherwise it is a word of the
    // sentence, such as `all`.
    let is_listed = close.starts_with([':', ',']) || before.ends_with(',') || is_default;
    let is_head = is_listed || next.is_some_and(|next| next.whole == "(default):");
    let is_case = before.ends_with(':') && *before != format!("{text}:");
    let is_choice = (is_head || is_case) && is_choice_of(option, text);
    let is_part = |c: char| c.is_ascii_uppercase() || c == '%';
    let placeholder = option.value.unwrap_or_default();
    let mut parts = placeholder.split(|c| !is_part(c)).chain(["NAME", "PORT"]);
    let is_placeholder = text.chars().all(is_part) && parts.any(|part| part == text);
    let is_number = text.chars().all(|c| c.is_ascii_digit());
    let is_value = text.starts_with(|c: char| c.is_ascii_digit())
        && option.takes(text)
        && (!is_number || is_default || close == ":");
    let is_syntax =
        text.starts_with(['/', '[', '@', '-']) && text.len() > usize::from(text.starts_with('-'));
    let is_call = text.ends_with("()") || text.contains("('");
    let is_compound = text.contains(['_', '=', ':']);
    is_choice
        || (!text.is_empty() && is_placeholder)
        || is_value
        || (is_default && text == "off")
        || is_syntax
        || is_call
        || is_compound
}
