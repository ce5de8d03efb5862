//! `pidone ctl top`: the status once a second. A terminal shows it in place, with sparklines; elsewhere it is
//! plain text, one table after the other.
//!
//! | file | contents |
//! | --- | --- |
//! | `history` | the values of the last minute, and sparklines of them |
//! | `screen` | the lines that a terminal of some size shows |
//! | `style` | the characters and colours that a terminal has |

#![forbid(unsafe_code)]

mod history;
mod screen;
mod style;
#[cfg(test)]
mod tests;

use std::io::{IsTerminal, Read, stdin, stdout};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use super::conversation::Conversation;
use super::{CtlError, Woken, is_end, print, wait};
use crate::admin::control::AnswerLine;
use crate::admin::status::{Row, Status};
use crate::config::ControlCommand;
use crate::signal::Signal;
use crate::sys::signal::SignalQueue;
use crate::sys::terminal::{self, KeyMode};
use history::History;
use style::Style;

const PERIOD: Duration = Duration::from_secs(1);

// ECMA-48, and two private modes of xterm that every terminal supports: alternate screen and cursor.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
const HOME: &str = "\x1b[H";
const REST_OF_LINE: &str = "\x1b[K";
const REST_OF_SCREEN: &str = "\x1b[J";

/// Shows the status until the user quits or the count is reached, and returns the exit status.
pub(super) fn run(command: &ControlCommand, signals: SignalQueue) -> Result<u8, CtlError> {
    let is_terminal = stdout().is_terminal();
    let style = is_terminal.then(|| Style::of(|name| std::env::var_os(name)));
    let screen = style.flatten().map(Screen::enter).transpose()?;
    let mut top = Top {
        signals,
        screen,
        history: History::default(),
        shown: None,
    };
    let outcome = top.run(command);
    // An error must be printed on the original screen.
    drop(top);
    match outcome {
        Ok(()) => Ok(0),
        Err(TopEnd::Quit(status)) => Ok(status),
        Err(TopEnd::Failed(error)) => Err(error),
    }
}

struct Top {
    signals: SignalQueue,
    /// `None`: standard output is not a terminal that can be drawn on.
    screen: Option<Screen>,
    history: History,
    /// The last status, with its rows.
    shown: Option<(Status, Vec<Row>)>,
}

/// Why top ends.
enum TopEnd {
    Quit(u8),
    Failed(CtlError),
}

impl From<CtlError> for TopEnd {
    fn from(error: CtlError) -> Self {
        Self::Failed(error)
    }
}

impl Top {
    fn run(&mut self, command: &ControlCommand) -> Result<(), TopEnd> {
        let mut looks = 0;
        loop {
            let begun = Instant::now();
            let now = self.look(command)?;
            let before = self.shown.as_ref().map_or(&now, |(before, _)| before);
            if self.screen.is_some() {
                self.history.add(&now, before);
                let rows = now.rows_since(before);
                self.shown = Some((now, rows));
                self.draw()?;
            } else {
                print(&now.table_since(before), Some(&mut self.signals))?;
                self.shown = Some((now, Vec::new()));
            }
            looks += 1;
            if command.count == Some(looks) {
                return Ok(());
            }
            while let Some(left) = PERIOD.checked_sub(begun.elapsed()) {
                if left.is_zero() {
                    break;
                }
                self.wait(None, Some(left))?;
            }
        }
    }

    fn look(&mut self, command: &ControlCommand) -> Result<Status, TopEnd> {
        let mut conversation = Conversation::begin(&command.places, command.request)?;
        loop {
            if let Some(line) = conversation.line()? {
                return match AnswerLine::parse(&line) {
                    Some(AnswerLine::Done(text)) => {
                        Status::from_json(text).ok_or(TopEnd::Failed(CtlError::InvalidAnswer))
                    }
                    _ => Err(CtlError::InvalidAnswer.into()),
                };
            }
            if conversation.has_ended() {
                return Err(CtlError::Closed.into());
            }
            self.wait(Some(&conversation), None)?;
            conversation.read();
        }
    }

    /// Waits for a descriptor, and handles keys and signals.
    fn wait(
        &mut self,
        conversation: Option<&Conversation>,
        limit: Option<Duration>,
    ) -> Result<(), TopEnd> {
        let input = stdin();
        let reads_keys = self.screen.as_ref().is_some_and(Screen::has_keys);
        let mut descriptors = Vec::new();
        if reads_keys {
            descriptors.push(input.as_fd());
        }
        descriptors.extend(conversation.map(AsFd::as_fd));
        let Woken { ready, signal } = wait(&descriptors, &mut self.signals, limit)?;
        if reads_keys && ready.first() == Some(&true) {
            let mut keys = [0; 16];
            let length = input.lock().read(&mut keys).unwrap_or_default();
            let keys = keys.get(..length).unwrap_or_default();
            // End of input: the terminal was closed.
            if keys.is_empty() || keys.contains(&b'q') || keys.contains(&b'Q') {
                return Err(TopEnd::Quit(0));
            }
        }
        match signal {
            Some(Signal::INT) => Err(TopEnd::Quit(0)),
            Some(signal) if is_end(signal) => Err(TopEnd::Quit(signal.exit_code())),
            // Without a shell that could resume it, as in `docker exec -it`, pidone would stay stopped.
            Some(Signal::TSTP) if terminal::has_job_control() => {
                let style = self.screen.take().map(|screen| screen.style);
                terminal::stop_ourselves();
                self.screen = style.map(Screen::enter).transpose()?;
                Ok(self.draw()?)
            }
            Some(Signal::WINCH) => Ok(self.draw()?),
            _ => Ok(()),
        }
    }

    /// Draws the last status on the screen, in its present size.
    fn draw(&mut self) -> Result<(), CtlError> {
        let (Some(screen), Some((status, rows))) = (&self.screen, &self.shown) else {
            return Ok(());
        };
        let size = terminal::size();
        let lines = screen::lines(status, rows, &self.history, size, screen.style);
        let mut text = HOME.to_owned();
        for (index, line) in lines.iter().enumerate() {
            // No newline after the last line: it would scroll a full screen.
            if index > 0 {
                text.push_str("\r\n");
            }
            // Not after the line: in the last column, it would erase the last character (xterm).
            text.push_str(REST_OF_LINE);
            text.push_str(line);
        }
        if lines.len() < size.1 {
            text.push_str("\r\n");
            text.push_str(REST_OF_SCREEN);
        }
        print(&text, Some(&mut self.signals))
    }
}

/// The terminal's alternate screen, until this is dropped.
struct Screen {
    style: Style,
    /// `None`: there is no keyboard to read.
    keys: Option<KeyMode>,
}

impl Screen {
    fn enter(style: Style) -> Result<Self, CtlError> {
        let screen = Self {
            style,
            keys: KeyMode::enter(),
        };
        print(ENTER, None)?;
        Ok(screen)
    }

    fn has_keys(&self) -> bool {
        self.keys.is_some()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A closed terminal needs no restoring.
        let _ = print(LEAVE, None);
    }
}
