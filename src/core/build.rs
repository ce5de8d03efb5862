//! Makes the live page small: without indentation and lines that are only a comment, and compressed.

use std::io::{self, Write};
use std::path::Path;
use std::{env, fs};

use flate2::{Compression, GzBuilder};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=admin/page.html");
    let source = fs::read_to_string("admin/page.html")?;
    let is_code = |line: &&str| !line.is_empty() && !line.starts_with("//");
    let lines: Vec<_> = source.lines().map(str::trim).filter(is_code).collect();
    let directory = env::var_os("OUT_DIR").unwrap_or_default();
    let file = fs::File::create(Path::new(&directory).join("page.html.gz"))?;
    // Without a time or a name, the same page gives the same bytes.
    let mut gzip = GzBuilder::new().write(file, Compression::best());
    gzip.write_all(lines.join("\n").as_bytes())?;
    gzip.finish()?;
    Ok(())
}
