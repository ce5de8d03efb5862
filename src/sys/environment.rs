//! Environments as execve(2) takes them: pidone's own, and the ones built from it for children.

use std::ffi::{CStr, CString, c_char};

// SAFETY: declared as environ(7) does.
unsafe extern "C" {
    /// The environment as pidone got it (environ(7)); pidone never changes it.
    pub(super) static environ: *const *const c_char;
}

/// The variables of a child. Entries without the form `NAME=value`, which environ(7) does not
/// describe either, stay unchanged and in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    entries: Vec<CString>,
    listen_pid: bool,
}

impl Environment {
    /// pidone's own, byte for byte.
    #[must_use]
    pub fn own() -> Self {
        // SAFETY: the C library sets it before `main`, and nothing writes to it.
        let mut next = unsafe { environ };
        let mut entries = Vec::new();
        if next.is_null() {
            return Self::of(entries);
        }
        loop {
            // SAFETY: the list is null-terminated, and the loop ends there.
            let entry = unsafe { *next };
            if entry.is_null() {
                return Self::of(entries);
            }
            // SAFETY: each entry is a NUL-terminated string that stays as long as pidone.
            entries.push(unsafe { CStr::from_ptr(entry) }.to_owned());
            // SAFETY: the current entry is not the terminator, so another one follows.
            next = unsafe { next.add(1) };
        }
    }

    /// An environment of these entries.
    #[must_use]
    pub fn of(entries: Vec<CString>) -> Self {
        Self {
            entries,
            listen_pid: false,
        }
    }

    /// The value of a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        let mut variables = self.entries.iter().filter_map(|entry| split(entry));
        variables.find_map(|(its_name, value)| (its_name == name.as_bytes()).then_some(value))
    }

    /// Removes every entry of a variable.
    pub fn remove(&mut self, name: &str) {
        self.entries
            .retain(|entry| split(entry).is_none_or(|(its_name, _)| its_name != name.as_bytes()));
    }

    /// Sets a variable, replacing its entries. A value ends before its first NUL byte.
    pub fn set(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.remove(name);
        let entry = [name.as_bytes(), b"=", value.as_ref()].concat();
        let entry = entry.split(|byte| *byte == 0).next().unwrap_or_default();
        self.entries.extend(CString::new(entry));
    }

    /// Sets `LISTEN_PID` to the process id that the child will have.
    pub fn set_listen_pid(&mut self) {
        self.remove("LISTEN_PID");
        self.listen_pid = true;
    }

    /// The entries without `LISTEN_PID`, which only the child can write.
    #[must_use]
    pub fn entries(&self) -> &[CString] {
        &self.entries
    }

    /// Whether the child must add `LISTEN_PID`.
    #[must_use]
    pub fn has_listen_pid(&self) -> bool {
        self.listen_pid
    }
}

/// Name and value.
fn split(entry: &CStr) -> Option<(&[u8], &[u8])> {
    let bytes = entry.to_bytes();
    let end = bytes.iter().position(|byte| *byte == b'=')?;
    let (name, value) = bytes.split_at_checked(end)?;
    Some((name, value.get(1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(entries: &[&str]) -> Environment {
        let entries = entries.iter().map(|entry| CString::new(*entry).unwrap());
        Environment::of(entries.collect())
    }

    #[test]
    fn only_the_named_variable_changes() {
        let mut environment = of(&["A=1", "no variable", "B=2=3", "A=4", "", "=x", "AB=5"]);
        assert_eq!(environment.get("A"), Some(&b"1"[..]));
        assert_eq!(environment.get("B"), Some(&b"2=3"[..]));
        assert_eq!(environment.get("no variable"), None);
        environment.set("A", "new");
        assert_eq!(
            environment,
            of(&["no variable", "B=2=3", "", "=x", "AB=5", "A=new"])
        );
        environment.remove("B");
        assert_eq!(environment, of(&["no variable", "", "=x", "AB=5", "A=new"]));
    }

    #[test]
    fn a_value_ends_at_its_nul_byte() {
        let mut environment = of(&[]);
        environment.set("A", b"x\0y");
        assert_eq!(environment, of(&["A=x"]));
    }

    #[test]
    fn pidones_own_environment_is_complete() {
        let own = Environment::own();
        for (name, value) in std::env::vars_os() {
            let name = name.to_str().unwrap();
            assert_eq!(own.get(name), Some(value.as_encoded_bytes()), "{name}");
        }
    }
}
