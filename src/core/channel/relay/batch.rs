//! What one read of a channel holds for other workers.

use alloc::rc::Rc;
use alloc::vec::Vec;

use super::NotRelayed;
use crate::supervisor::WorkerId;

/// Messages to pass on.
#[derive(Debug, Default)]
pub struct Batch {
    pieces: Vec<Piece>,
    /// How many messages are not passed on, and why the last one is not.
    pub not_relayed: Option<(NotRelayed, u64)>,
    /// There are messages that are not for other workers, and that pidone does not know.
    pub has_unknown: bool,
}

/// Consecutive messages to the same workers.
#[derive(Debug)]
struct Piece {
    /// `None`: all others.
    to: Option<WorkerId>,
    text: Rc<Vec<u8>>,
    messages: u64,
}

impl Batch {
    /// Whether nothing is passed on.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// How many messages are passed on.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.messages).sum()
    }

    /// What one of the other workers gets, as whole lines, and how many they are.
    #[must_use]
    pub fn of(&self, worker: WorkerId) -> Option<(Rc<Vec<u8>>, u64)> {
        let is_for_it = |piece: &&Piece| piece.to.is_none_or(|to| to == worker);
        let mut pieces = self.pieces.iter().filter(is_for_it);
        let first = pieces.next()?;
        let (mut text, mut messages) = (Rc::clone(&first.text), first.messages);
        for piece in pieces {
            Rc::make_mut(&mut text).extend_from_slice(&piece.text);
            messages += piece.messages;
        }
        Some((text, messages))
    }

    pub(super) fn push(&mut self, to: Option<WorkerId>, line: &[u8]) {
        if self.pieces.last().is_none_or(|last| last.to != to) {
            self.pieces.push(Piece {
                to,
                text: Rc::default(),
                messages: 0,
            });
        }
        if let Some(piece) = self.pieces.last_mut() {
            let text = Rc::make_mut(&mut piece.text);
            text.reserve(line.len() + 1);
            text.extend_from_slice(line);
            text.push(b'\n');
            piece.messages += 1;
        }
    }

    pub(super) fn refuse(&mut self, why: NotRelayed) {
        let count = self.not_relayed.map_or(0, |(_, count)| count);
        self.not_relayed = Some((why, count + 1));
    }
}
