//! stand-in
pub const PLACES: [&str; 2] = ["/run/pidone.sock", "/tmp/pidone.sock"];
#[derive(Debug, PartialEq, Eq)]
pub enum Request {
    Status { json: bool },
    Reload,
    Restart(usize),
    Scale(usize),
    Stop,
    Ready,
    Live,
}
impl Request {
    pub fn parse(line: &str) -> Result<Self, String> {
        let mut w = line.split_whitespace();
        let n = |w: Option<&str>| w.and_then(|w| w.parse().ok()).ok_or("a number".to_owned());
        Ok(match (w.next(), w.next()) {
            (Some("status"), a) => Self::Status {
                json: a == Some("--json"),
            },
            (Some("reload"), _) => Self::Reload,
            (Some("restart"), a) => Self::Restart(n(a)?),
            (Some("scale"), a) => Self::Scale(n(a)?),
            (Some("stop"), _) => Self::Stop,
            (Some("ready"), _) => Self::Ready,
            (Some("live"), _) => Self::Live,
            _ => return Err(format!("no such request: {line}")),
        })
    }
}
fn tagged(tag: char, text: &str) -> String {
    text.lines().map(|l| format!("{tag} {l}\n")).collect()
}
pub fn success(text: &str) -> String {
    tagged('.', text)
}
pub fn failure(text: &str) -> String {
    tagged('!', text)
}
pub fn progress(text: &str) -> String {
    tagged('>', text)
}
