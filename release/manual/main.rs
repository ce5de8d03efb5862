//! Writes what comes from the table of options and the help pages:
//!
//!     cargo manual                   the manual's page of options, docs/options.md
//!     cargo manual DIRECTORY DATE    the man pages and the shells' completions; DATE, as in 2026-01-31: of the man pages
//!
//! Not part of the binary, which stays as small as it is.

#![allow(clippy::print_stderr)]

mod complete;
mod help;
mod man;
mod options;

use std::env;
use std::error::Error;
use std::fs;
use std::path::Path;

use help::Page;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<_> = env::args().skip(1).collect();
    let (main, ctl) = (Page::of(&["--help"])?, Page::of(&["ctl", "--help"])?);
    let (directory, date) = match args.as_slice() {
        [] => {
            let place = Path::new(env!("CARGO_MANIFEST_DIR")).join(options::PLACE);
            return Ok(fs::write(place, options::page(&main))?);
        }
        [directory, date] => (Path::new(directory), date),
        _ => return Err("give nothing, or a directory and a date".into()),
    };
    fs::create_dir_all(directory)?;
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
