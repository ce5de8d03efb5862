//! stand-in
#[derive(Debug, Default)]
pub enum Mode {
    #[default]
    Single,
    Workers,
}
#[derive(Debug, Default)]
pub struct Status {
    pub version: &'static str,
    pub mode: Mode,
    pub pid: u32,
    pub uptime_ms: u64,
    pub ready: bool,
    pub stopping: bool,
    pub reloading: bool,
    pub target: usize,
    pub workers: Vec<WorkerStatus>,
    pub spares: Vec<WorkerStatus>,
    pub oom_kills: Option<u64>,
}
#[derive(Debug, Default)]
pub struct WorkerStatus {
    pub slot: Option<usize>,
    pub instance: usize,
    pub state: &'static str,
    pub pid: Option<i32>,
    pub uptime_ms: u64,
    pub restarts: u32,
    pub last_end: Option<String>,
    pub cpu_ms: Option<u64>,
    pub resident: Option<u64>,
    pub loop_delay_us: Option<u64>,
    pub queue: Option<u32>,
}
impl Status {
    pub fn table(&self) -> String {
        format!("{self:?}")
    }
    pub fn json(&self) -> String {
        format!("{self:?}")
    }
}
