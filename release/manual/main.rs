//! Writes the man pages and the shells' completions, from the table of options and the help pages:
//!
//!     cargo manual DIRECTORY DATE    DATE, as in 2026-01-31: of the man pages
//!
//! Not part of the binary, which stays as small as it is.

#![allow(clippy::print_stderr)]

mod complete;
mod help;
mod man;

use std::env;
use std::error::Error;
use std::fs;
use std::path::Path;

use help::Page;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<_> = env::args().skip(1).collect();
    let [directory, date] = args.as_slice() else {
        return Err("give a directory and a date".into());
    };
    let directory = Path::new(directory);
    fs::create_dir_all(directory)?;
    let (main, ctl) = (Page::of(&["--help"])?, Page::of(&["ctl", "--help"])?);
    for (name, text) in [
        ("pidone.1", man::pidone(&main, date)),
        ("pidone-ctl.1", man::ctl(&ctl, date)),
        ("pidone.bash", complete::bash(&ctl)),
        ("_pidone", complete::zsh(&ctl)),
        ("pidone.fish", complete::fish(&ctl)),
    ] {
        fs::write(directory.join(name), text)?;
    }
    Ok(())
}
