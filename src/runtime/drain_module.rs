//! The module that `--http-drain` puts into workers (`drain.mjs`), as Node.js takes it: a `data:` URL.

#![forbid(unsafe_code)]

const SOURCE: &str = include_str!("drain.mjs");

/// The URL: without the comments and the indentation of the source. It needs no quotes, neither on a
/// command line nor in `NODE_OPTIONS`, which takes spaces, double quotes and backslashes for its own.
#[must_use]
pub fn url() -> String {
    let mut url = "data:text/javascript,".to_owned();
    let lines = SOURCE.lines().map(str::trim);
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with("//")) {
        for character in line.chars() {
            match character {
                ' ' | '"' | '#' | '%' | '?' | '\\' => {
                    url.push_str(&format!("%{:02X}", u32::from(character)));
                }
                plain => url.push(plain),
            }
        }
        // Not all statements need a semicolon at the end of their line.
        url.push_str("%0A");
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_needs_no_quotes() {
        let url = url();
        let special = [' ', '"', '?', '#', '\\', '\n', '\t'];
        assert!(url.is_ascii() && !url.contains(special), "{url}");
        assert!(!url.contains("//"), "{url}");
        assert!(url.ends_with("%0A"), "{url}");
    }
}
