//! stand-in
use super::status::Status;
pub fn text(status: &Status) -> String {
    format!(
        "# HELP pidone_workers Workers wanted.\n# TYPE pidone_workers gauge\npidone_workers {}\n# EOF\n",
        status.target
    )
}
