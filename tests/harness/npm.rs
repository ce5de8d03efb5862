//! The npm packages (release/npm), made of the binary under test.

use std::env::consts::ARCH;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::{binary, is_installed, keep, root};

/// Where ELF has `e_machine` (elf(5)), and its values for x86-64 and arm64.
const MACHINE: usize = 18;
const MACHINES: [(&str, &str, u8); 2] = [("x86_64", "x64", 62), ("aarch64", "arm64", 183)];

/// The packages.
pub struct Tarballs {
    pub pidone: PathBuf,
    pub from_pm2: PathBuf,
}

/// This machine's architecture, as Node.js calls it.
pub fn arch() -> &'static str {
    let found = MACHINES.iter().find(|(name, ..)| *name == ARCH);
    found.expect("x86-64 or arm64").1
}

/// The binary under test as one for x86-64 and one for arm64: one of the two has only the header of its architecture.
pub fn binaries(directory: &Path) -> [PathBuf; 2] {
    // A debug build is many times larger than what is released.
    let stripped = directory.join("stripped");
    let mut strip = Command::new("strip");
    strip.arg("-o").arg(&stripped).arg(binary());
    assert!(strip.status().expect("strip, of binutils").success());
    let bytes = fs::read(&stripped).unwrap();
    MACHINES.map(|(_, name, machine)| {
        let mut bytes = bytes.clone();
        bytes[MACHINE] = machine;
        let path = directory.join(name);
        fs::write(&path, bytes).unwrap();
        path
    })
}

/// `release/npm/pack` with these binaries for x86-64 and arm64.
pub fn pack(binaries: &[PathBuf; 2], directory: &Path) -> Command {
    let mut command = Command::new(root().join("release/npm/pack"));
    command.args(binaries).arg(directory).stdin(Stdio::null());
    command
}

/// The packages, made once; `None`: this machine has no npm, and the test is reported as skipped.
pub fn tarballs(test: &str) -> Option<&'static Tarballs> {
    static MADE: OnceLock<Tarballs> = OnceLock::new();
    if !is_installed(test, "npm", "npm") || !is_installed(test, "strip", "binutils") {
        return None;
    }
    Some(MADE.get_or_init(|| {
        // One for each test program: two of them may run at a time.
        let program = std::env::current_exe().unwrap();
        let name = program.file_stem().unwrap().to_string_lossy().into_owned();
        let directory = keep().join("npm-packages").join(name);
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        let output = pack(&binaries(&directory), &directory).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let paths = String::from_utf8(output.stdout).unwrap();
        let mut paths = paths.lines().map(PathBuf::from);
        Tarballs {
            pidone: paths.next().unwrap(),
            from_pm2: paths.next().unwrap(),
        }
    }))
}
