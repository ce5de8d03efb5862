//! The man pages.

use pidone::cli::options::CHAPTERS;

use crate::help::{Definition, INFORMATION, Page};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The help's paragraphs that are a section of the man page, by how they begin.
const SECTIONS: &[(&str, &str)] = &[
    ("ENVIRONMENT", "Each option with a long name"),
    ("SIGNALS", "Signals with -i"),
    ("EXIT STATUS", "Exit status"),
];

pub fn pidone(page: &Page, date: &str) -> String {
    let mut out = head("PIDONE", date);
    out.push_str(".SH NAME\npidone \\- the init for Node.js containers\n");
    synopsis(page, &mut out);
    description(page, &mut out);
    out.push_str(".SH OPTIONS\n");
    for chapter in CHAPTERS {
        out.push_str(&format!(".SS {}\n", escaped(chapter.title)));
        for option in chapter.options {
            let value = option
                .value
                .map(|value| format!(" \\fI{}\\fR", escaped(value)));
            let value = value.unwrap_or_default();
            tagged(
                option.short,
                option.long,
                &value,
                &option.help.join(" "),
                &mut out,
            );
        }
    }
    out.push_str(".SS Information\n");
    for (long, short, text) in INFORMATION {
        tagged(Some(short), long, "", text, &mut out);
    }
    sections(page, &mut out);
    out.push_str(".SH SEE ALSO\n.BR pidone\\-ctl (1)\n");
    out
}

pub fn ctl(page: &Page, date: &str) -> String {
    let mut out = head("PIDONE\\-CTL", date);
    out.push_str(".SH NAME\npidone\\-ctl \\- controls a pidone that runs in the same container\n");
    synopsis(page, &mut out);
    let (options, requests): (Vec<_>, Vec<_>) = page
        .definitions()
        .partition(|one| one.term.starts_with('-'));
    for (title, all) in [("REQUESTS", requests), ("OPTIONS", options)] {
        out.push_str(&format!(".SH {title}\n"));
        for one in all {
            definition(one, &mut out);
        }
    }
    sections(page, &mut out);
    out.push_str(".SH SEE ALSO\n.BR pidone (1)\n");
    out
}

fn head(name: &str, date: &str) -> String {
    let origin = "release/manual, from the table of options";
    format!(
        ".\\\" Made by {origin}.\n.TH {name} 1 {date} \"pidone {VERSION}\" \"User Commands\"\n.nh\n"
    )
}

fn synopsis(page: &Page, out: &mut String) {
    let lines = page.usage().into_iter();
    let lines = lines.map(|line| format!("\\fBpidone\\fR {}\n", escaped(line)));
    out.push_str(".SH SYNOPSIS\n");
    out.push_str(&lines.collect::<Vec<_>>().join(".br\n"));
}

fn description(page: &Page, out: &mut String) {
    let text = page.paragraphs().next().unwrap_or_default();
    out.push_str(&format!(".SH DESCRIPTION\n{}", filled(text)));
}

/// What follows the options: the paragraphs under their titles, the others as notes, and the examples.
fn sections(page: &Page, out: &mut String) {
    let mut notes = Vec::new();
    for text in page
        .paragraphs()
        .skip(1)
        .filter(|text| !text.starts_with("Usage: "))
    {
        match SECTIONS.iter().find(|(_, begin)| text.starts_with(begin)) {
            Some((title, _)) => {
                let text = text.strip_prefix("Exit status: ").unwrap_or(text);
                out.push_str(&format!(".SH \"{title}\"\n{}", filled(text)));
            }
            None => notes.push(text),
        }
    }
    let mut begin = ".SH NOTES";
    for text in notes {
        out.push_str(&format!("{begin}\n{}", filled(text)));
        begin = ".PP";
    }
    out.push_str(".SH EXAMPLES\n.nf\n");
    for line in page.examples() {
        out.push_str(&format!("{}\n", escaped(line)));
    }
    out.push_str(".fi\n");
}

fn tagged(short: Option<char>, long: &str, value: &str, text: &str, out: &mut String) {
    let short = short.map(|short| format!("\\fB\\-{short}\\fR, "));
    let (short, long) = (short.unwrap_or_default(), escaped(long));
    out.push_str(&format!(
        ".TP\n{short}\\fB\\-\\-{long}\\fR{value}\n{}",
        filled(text)
    ));
}

fn definition(one: &Definition, out: &mut String) {
    let (name, value) = one.term.split_once(' ').unwrap_or((&one.term, ""));
    let value = match value {
        "" => String::new(),
        value => format!(" \\fI{}\\fR", escaped(value)),
    };
    out.push_str(&format!(
        ".TP\n\\fB{}\\fR{value}\n{}",
        escaped(name),
        filled(&one.text)
    ));
}

/// A paragraph in lines of at most 80 bytes.
fn filled(text: &str) -> String {
    let (mut out, mut line) = (String::new(), String::new());
    for word in text.split_whitespace().map(escaped) {
        if !line.is_empty() && line.len() + 1 + word.len() > 80 {
            out.push_str(&line);
            out.push('\n');
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    out + &line + "\n"
}

/// Text in which roff sees nothing of its own (groff_char(7)).
fn escaped(text: &str) -> String {
    let mut out = String::new();
    // At the beginning of a line these are requests.
    if text.starts_with(['.', '\'']) {
        out.push_str("\\&");
    }
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\e"),
            '-' => out.push_str("\\-"),
            '\'' => out.push_str("\\(aq"),
            '`' => out.push_str("\\(ga"),
            '^' => out.push_str("\\(ha"),
            '~' => out.push_str("\\(ti"),
            '"' => out.push_str("\\(dq"),
            c => out.push(c),
        }
    }
    out
}
