//! What may be in flight to one worker.

#![forbid(unsafe_code)]
