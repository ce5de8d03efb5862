//! What the terminal can show: characters and colours.

#![forbid(unsafe_code)]

use std::ffi::OsString;

/// The characters and colours that a terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Style {
    /// Whether it shows UTF-8.
    pub(super) is_utf8: bool,
    /// Whether it has colours, and the user wants them.
    pub(super) has_colors: bool,
}

/// What a cell means. The numbers are ECMA-48's (SGR).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paint {
    Plain = 0,
    Heading = 1,
    Bad = 31,
    Good = 32,
    Warning = 33,
    Sparkline = 36,
}

impl Style {
    /// From the environment; `None`: the terminal can do nothing but print lines (`TERM=dumb`).
    pub(super) fn of(variable: impl Fn(&str) -> Option<OsString>) -> Option<Self> {
        // An empty variable counts as none: locale(7), no-color.org.
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let term = variable("TERM");
        if term.as_ref().is_some_and(|term| term == "dumb") {
            return None;
        }
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter();
        let locale = locale.copied().find_map(variable);
        Some(Self {
            // A container has no locale, and its user has a terminal with UTF-8.
            is_utf8: locale.is_none_or(|name| {
                let name = name.to_string_lossy().to_ascii_lowercase();
                name.contains("utf-8") || name.contains("utf8")
            }),
            has_colors: term.is_some() && variable("NO_COLOR").is_none(),
        })
    }

    /// A sparkline of these levels.
    pub(super) fn sparkline(self, levels: &[Option<u64>]) -> String {
        let marks = if self.is_utf8 {
            ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']
        } else {
            ['_', '.', '-', '~', '=', '+', '*', '#']
        };
        let mark = |level: &Option<u64>| {
            let place = level.and_then(|level| usize::try_from(level).ok());
            place.and_then(|place| marks.get(place)).unwrap_or(&' ')
        };
        levels.iter().map(mark).collect()
    }

    /// A text in at most `width` characters; the last one of a text that is longer says so.
    pub(super) fn cut(self, text: &str, width: usize) -> String {
        let mut cut = String::new();
        for (index, letter) in text.chars().enumerate() {
            if index == width {
                if cut.pop().is_some() {
                    cut.push(if self.is_utf8 { '…' } else { '~' });
                }
                break;
            }
            cut.push(letter);
        }
        cut
    }

    /// A text in its colour.
    pub(super) fn painted(self, text: &str, paint: Paint) -> String {
        if !self.has_colors || paint == Paint::Plain || text.trim().is_empty() {
            return text.to_owned();
        }
        let number = paint as u8;
        format!("\x1b[{number}m{text}\x1b[m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Option<Style> {
        Style::of(|name| {
            let known = variables.iter().find(|(known, _)| *known == name);
            known.map(|(_, value)| value.into())
        })
    }

    #[test]
    fn colours_need_a_terminal_that_has_them() {
        let colors = |variables: &[_]| of(variables).map(|style| style.has_colors);
        assert_eq!(colors(&[("TERM", "xterm")]), Some(true));
        assert_eq!(colors(&[("TERM", "xterm"), ("NO_COLOR", "")]), Some(true));
        assert_eq!(colors(&[("TERM", "xterm"), ("NO_COLOR", "0")]), Some(false));
        for unknown in [&[][..], &[("TERM", "")]] {
            assert_eq!(colors(unknown), Some(false), "{unknown:?}");
        }
        assert_eq!(colors(&[("TERM", "dumb")]), None);
    }

    #[test]
    fn the_first_locale_that_is_set_decides() {
        for (variables, is_utf8) in [
            (&[][..], true),
            (&[("LANG", "C.UTF-8")], true),
            (&[("LANG", "de_DE.utf8")], true),
            (&[("LANG", "POSIX")], false),
            (&[("LANG", "en_US.UTF-8"), ("LC_ALL", "C")], false),
            (&[("LANG", "C"), ("LC_CTYPE", "C.UTF-8")], true),
            (&[("LANG", "C"), ("LC_ALL", "")], false),
        ] {
            let style = of(variables).unwrap();
            assert_eq!(style.is_utf8, is_utf8, "{variables:?}");
        }
    }

    #[test]
    fn a_long_text_is_cut() {
        let style = |is_utf8| Style {
            is_utf8,
            has_colors: false,
        };
        for (text, width, wanted, ascii) in [
            ("ready", 5, "ready", "ready"),
            ("killed", 5, "kill…", "kill~"),
            ("käse", 4, "käse", "käse"),
            ("killed", 1, "…", "~"),
            ("killed", 0, "", ""),
        ] {
            assert_eq!(style(true).cut(text, width), wanted);
            assert_eq!(style(false).cut(text, width), ascii);
        }
    }
}
