//! The user and groups of a child: looked up in /etc/passwd and /etc/group, as a static binary has
//! no NSS.
//!
//! The rules are those of `docker run --user` (`GetExecUser` of the OCI runtimes), so that an image
//! gets the same identity either way.

use std::fmt;
use std::fs;
use std::io;

use nix::errno::Errno;

use crate::cause::Cause;
use crate::config::UserSpec;

/// A user id, a group id, and the supplementary groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user id.
    pub uid: u32,
    /// The group id.
    pub gid: u32,
    /// The ids of the supplementary groups.
    pub groups: Vec<u32>,
}

/// Why an identity cannot be used.
#[derive(Debug)]
pub enum IdentityError {
    /// /etc/passwd has no such user.
    NoUser(String),
    /// /etc/group has no such group.
    NoGroup(String),
    /// The file exists and cannot be read.
    Unreadable(&'static str, io::Error),
}

impl fmt::Display for IdentityError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoUser(user) => {
                write!(
                    out,
                    "--user: no user \"{user}\" in /etc/passwd; use one that is listed there, or a number"
                )
            }
            Self::NoGroup(group) => {
                write!(
                    out,
                    "--user: no group \"{group}\" in /etc/group; use one that is listed there, or a number"
                )
            }
            Self::Unreadable(file, cause) => {
                write!(out, "--user: cannot read {file}: {}", Cause(cause))
            }
        }
    }
}

/// pidone's own user.
#[must_use]
pub fn own_user() -> u32 {
    nix::unistd::geteuid().as_raw()
}

impl Identity {
    /// Looks a user up in this system's files. A file that does not exist is read as empty, as in
    /// an image made `FROM scratch`.
    ///
    /// # Errors
    /// See [`IdentityError`].
    pub fn look_up(spec: &UserSpec) -> Result<Self, IdentityError> {
        let passwd = read("/etc/passwd")?;
        let group = read("/etc/group")?;
        Self::resolve(spec, &passwd, &group)
    }

    /// The same, from the text of both files.
    ///
    /// # Errors
    /// [`IdentityError::NoUser`] and [`IdentityError::NoGroup`].
    pub fn resolve(spec: &UserSpec, passwd: &str, group: &str) -> Result<Self, IdentityError> {
        let number = id(&spec.user);
        let entry = passwd
            .lines()
            .filter_map(PasswdEntry::parse)
            .find(|user| user.name == spec.user || Some(user.uid) == number);
        let (uid, own_gid, name) = match (entry, number) {
            (Some(user), _) => (user.uid, user.gid, Some(user.name)),
            // A number without an entry is valid; its group is Docker's default, 0.
            (None, Some(uid)) => (uid, 0, None),
            (None, None) => return Err(IdentityError::NoUser(spec.user.clone())),
        };
        let mut all = group.lines().filter_map(GroupEntry::parse);
        // Supplementary groups come with the user; with a named group there are none.
        let (gid, groups) = match &spec.group {
            Some(wanted) => {
                let number = id(wanted);
                let entry = all.find(|group| group.name == *wanted || Some(group.gid) == number);
                let gid = entry.map(|group| group.gid).or(number);
                (
                    gid.ok_or_else(|| IdentityError::NoGroup(wanted.clone()))?,
                    Vec::new(),
                )
            }
            None => {
                let member =
                    |group: &GroupEntry<'_>| name.is_some_and(|name| group.has_member(name));
                (own_gid, all.filter(member).map(|group| group.gid).collect())
            }
        };
        Ok(Self { uid, gid, groups })
    }

    /// Switches to this identity permanently: no program that this one starts can have more
    /// privileges (`PR_SET_NO_NEW_PRIVS`, prctl(2)). Async-signal-safe, for a child between clone
    /// and exec.
    ///
    /// The system calls are made directly: the C library's functions would signal the threads of a
    /// process that this child shares its memory with (nptl(7), "NPTL and ID changes").
    pub(super) fn assume(&self) -> Result<(), Errno> {
        if !self.is_current() {
            // SAFETY: the kernel reads `len` ids from the vector.
            Errno::result(unsafe {
                libc::syscall(libc::SYS_setgroups, self.groups.len(), self.groups.as_ptr())
            })?;
            // SAFETY: takes numbers only.
            Errno::result(unsafe {
                libc::syscall(libc::SYS_setresgid, self.gid, self.gid, self.gid)
            })?;
            // SAFETY: takes numbers only.
            Errno::result(unsafe {
                libc::syscall(libc::SYS_setresuid, self.uid, self.uid, self.uid)
            })?;
        }
        // SAFETY: takes numbers only.
        Errno::result(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }).map(drop)
    }

    /// Whether pidone already runs as this user and group (`docker run --user`). Then there is
    /// nothing to change, and without privileges it could not.
    fn is_current(&self) -> bool {
        // SAFETY: cannot fail, and takes nothing.
        let uid = unsafe { libc::geteuid() };
        // SAFETY: cannot fail, and takes nothing.
        let gid = unsafe { libc::getegid() };
        uid != 0 && uid == self.uid && gid == self.gid
    }
}

fn read(file: &'static str) -> Result<String, IdentityError> {
    match fs::read(file) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(IdentityError::Unreadable(file, error)),
    }
}

/// A user or group id. The highest number is invalid: to the kernel it means "no change"
/// (setresuid(2)), which would be root.
fn id(text: &str) -> Option<u32> {
    text.parse().ok().filter(|id| *id != u32::MAX)
}

/// A line of passwd(5).
struct PasswdEntry<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
}

impl<'a> PasswdEntry<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let uid = id(fields.nth(1)?)?;
        let gid = id(fields.next()?)?;
        Some(Self { name, uid, gid })
    }
}

/// A line of group(5).
struct GroupEntry<'a> {
    name: &'a str,
    gid: u32,
    members: &'a str,
}

impl<'a> GroupEntry<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let gid = id(fields.nth(1)?)?;
        let members = fields.next().unwrap_or_default();
        Some(Self { name, gid, members })
    }

    fn has_member(&self, user: &str) -> bool {
        self.members.split(',').any(|member| member.trim() == user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\nbroken\n:x:y:z\n";
    const GROUP: &str = "root:x:0:\nnode:x:1000:\nvideo:x:44:node,other\naudio:x:29:other\nlast:x:50:other, node\nbroken\n";

    fn resolve(user: &str, group: Option<&str>) -> Result<Identity, String> {
        let spec = UserSpec {
            user: user.into(),
            group: group.map(Into::into),
        };
        Identity::resolve(&spec, PASSWD, GROUP).map_err(|error| error.to_string())
    }

    #[test]
    fn a_user_brings_its_groups_by_name_and_by_number() {
        let node = Identity {
            uid: 1000,
            gid: 1000,
            groups: vec![44, 50],
        };
        assert_eq!(resolve("node", None), Ok(node.clone()));
        assert_eq!(resolve("1000", None), Ok(node));
    }

    #[test]
    fn a_named_group_is_the_only_group() {
        let node = Identity {
            uid: 1000,
            gid: 29,
            groups: vec![],
        };
        assert_eq!(resolve("node", Some("audio")), Ok(node.clone()));
        assert_eq!(resolve("node", Some("29")), Ok(node));
    }

    #[test]
    fn numbers_need_no_entry() {
        assert_eq!(
            resolve("4242", None),
            Ok(Identity {
                uid: 4242,
                gid: 0,
                groups: vec![]
            })
        );
        assert_eq!(
            resolve("4242", Some("77")),
            Ok(Identity {
                uid: 4242,
                gid: 77,
                groups: vec![]
            })
        );
    }

    #[test]
    fn unknown_users_and_groups_are_named_in_the_error() {
        assert!(
            resolve("nobody-here", None)
                .unwrap_err()
                .contains("\"nobody-here\"")
        );
        assert!(
            resolve("node", Some("no-group"))
                .unwrap_err()
                .contains("\"no-group\"")
        );
        assert!(resolve("99999999999", None).is_err());
        // -1 to the kernel: no change, and so still root.
        assert!(resolve("4294967295", None).is_err());
        assert!(resolve("node", Some("4294967295")).is_err());
        assert!(resolve("4294967294", None).is_ok());
    }
}
