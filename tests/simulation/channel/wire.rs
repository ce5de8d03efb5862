//! A stream socket with descriptors, as the kernel delivers it (`unix_stream_read_generic`,
//! net/unix/af_unix.c): one read may return several writes, but nothing written after a descriptor
//! is read along with it.

use std::collections::VecDeque;

#[derive(Default)]
pub struct Wire {
    pieces: VecDeque<(Vec<u8>, Option<u32>)>,
}

impl Wire {
    pub fn write(&mut self, bytes: &[u8], handle: Option<u32>) {
        if !bytes.is_empty() {
            self.pieces.push_back((bytes.to_vec(), handle));
        }
    }

    /// At most this many bytes, and a descriptor if one came with them.
    pub fn read(&mut self, most: usize) -> (Vec<u8>, Option<u32>) {
        let mut bytes = Vec::new();
        while bytes.len() < most
            && let Some((piece, handle)) = self.pieces.front_mut()
        {
            let rest = piece.split_off(piece.len().min(most - bytes.len()));
            bytes.append(piece);
            let handle = handle.take();
            if rest.is_empty() {
                self.pieces.pop_front();
            } else {
                *piece = rest;
            }
            if handle.is_some() {
                return (bytes, handle);
            }
        }
        (bytes, None)
    }

    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// The number of bytes in it.
    pub fn len(&self) -> usize {
        self.pieces.iter().map(|(bytes, _)| bytes.len()).sum()
    }
}
