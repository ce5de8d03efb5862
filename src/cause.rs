//! System errors, formatted for people.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;

/// The system's error message, without the "(os error 2)" that Rust appends.
#[derive(Debug, Clone, Copy)]
pub struct Cause<'a>(pub &'a io::Error);

impl fmt::Display for Cause<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        let number = self.0.raw_os_error();
        let added = number.map(|number| format!(" (os error {number})"));
        let plain = added.and_then(|added| text.strip_suffix(added.as_str()));
        out.write_str(plain.unwrap_or(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_an_error_is_left_out() {
        let error = io::Error::from_raw_os_error(2);
        assert_eq!(Cause(&error).to_string(), "No such file or directory");
        let error = io::Error::other("nothing (os error 2)");
        assert_eq!(Cause(&error).to_string(), "nothing (os error 2)");
    }
}
