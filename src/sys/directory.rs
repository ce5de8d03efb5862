//! The directory in which children start, by the path under which pidone was started.

use std::env;
use std::ffi::{CStr, CString};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A path that may be a symbolic link, which a deployment points to another release; and what it named last.
#[derive(Debug)]
pub struct StartDirectory {
    path: PathBuf,
    /// Without symbolic links.
    directory: CString,
}

impl StartDirectory {
    /// `PWD`, if it is an absolute path of the current directory, which shells check as well (`pwd -L`, POSIX).
    #[must_use]
    pub fn find() -> Option<Self> {
        let path = PathBuf::from(env::var_os("PWD")?);
        let (named, own) = (path.metadata().ok()?, Path::new(".").metadata().ok()?);
        let is_same = named.dev() == own.dev() && named.ino() == own.ino();
        let directory = resolve(&path).ok()?;
        (path.is_absolute() && is_same).then_some(Self { path, directory })
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the path named last, for chdir(2).
    #[must_use]
    pub fn directory(&self) -> &CStr {
        &self.directory
    }

    /// Follows the path again. If that fails, the directory stays what it was.
    ///
    /// # Errors
    /// Those of stat(2) and readlink(2).
    pub fn follow(&mut self) -> io::Result<()> {
        self.directory = resolve(&self.path)?;
        Ok(())
    }
}

/// Takes no descriptor, since there may be none left.
fn resolve(path: &Path) -> io::Result<CString> {
    // The dot: fails here if the directory may not be entered, and not in the child.
    path.join(".").metadata()?;
    let directory = path.canonicalize()?.into_os_string().into_vec();
    Ok(CString::new(directory)?)
}
