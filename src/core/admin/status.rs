//! The status as values; writes it as JSON for programs, and parses that.

mod ends;
mod table;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::time::Duration;

use crate::ended::Ended;
use crate::json::{Object, Quoted, Value};
use crate::supervisor::Progress;
pub use ends::{EndStatus, LastEnds};

/// The version of the JSON's format: it grows when a member is removed or changes its meaning. New
/// members can be added without that.
pub const FORMAT: u32 = 1;

pub use table::{COLUMNS, Row, headings, line, percent, width_of};

/// The status of pidone and its workers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// pidone's own version.
    pub version: String,
    /// Single mode, or workers.
    pub mode: Mode,
    /// pidone's own process.
    pub pid: u32,
    /// How long pidone has run.
    pub uptime_ms: u64,
    /// Whether pidone is ready to serve requests.
    pub ready: bool,
    /// Why it is not.
    pub reason: Option<String>,
    /// All workers are being stopped.
    pub stopping: bool,
    /// Workers are being replaced on request.
    pub reloading: bool,
    /// How far that is.
    pub progress: Option<Progress>,
    /// pidone is stopping because of a crash loop.
    pub crash_loop: bool,
    /// How many workers are being drained; those that have been replaced are in no slot any more.
    pub draining: usize,
    /// The target number of workers.
    pub target: usize,
    /// The slots in order; in single mode, the one child.
    pub workers: Vec<WorkerStatus>,
    /// The hot spares.
    pub spares: Vec<WorkerStatus>,
    /// Restarts of workers, by cause.
    pub restarts: Restarts,
    /// Processes the kernel killed for lack of memory; `None`: not available.
    pub oom_kills: Option<u64>,
    /// Connections taken from the queue of a busy worker and handed to another one.
    pub relieved: u64,
    /// The memory above which a worker is replaced, in bytes.
    pub max_memory: Option<u64>,
    /// pidone's control group.
    pub container: ContainerStatus,
    /// The last unplanned ends, oldest first.
    pub ends: LastEnds,
    /// Values for the metrics only, not part of the JSON.
    pub totals: Totals,
}

/// pidone's own process, and counters since its start. Times are Unix time in ms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// When pidone was started.
    pub start_time_ms: u64,
    /// The CPU time it has used.
    pub cpu_ms: Option<u64>,
    /// Its resident memory, in bytes.
    pub resident: Option<u64>,
    /// Successful reloads, and when the last one ended.
    pub reloads_done: (u64, u64),
    /// Failed reloads, and when the last one ended.
    pub reloads_failed: (u64, u64),
    /// Exits of workers, by exit code or signal.
    pub exits: Vec<(Ended, u64)>,
    /// Workers that became ready, and their boot times.
    pub boots: Times,
    /// Drained workers that have exited, and their drain times.
    pub drains: Times,
}

/// What pidone's control group uses, and may use. `None`: unknown, or no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ContainerStatus {
    /// The CPU time it has used.
    pub cpu_ms: Option<u64>,
    /// The CPUs that quota and affinity allow, in thousandths of a CPU.
    pub cpu_limit: Option<u64>,
    /// The memory it uses, without the files that the kernel can drop from its cache, in bytes.
    pub memory: Option<u64>,
    /// The memory it may use, in bytes.
    pub memory_limit: Option<u64>,
}

/// A count of operations, and their total time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    /// The count.
    pub count: u64,
    /// The total time, in ms.
    pub sum_ms: u64,
}

impl Times {
    /// Counts an operation that took this time.
    pub fn add(&mut self, took: Duration) {
        self.count += 1;
        let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.sum_ms = self.sum_ms.saturating_add(took);
    }
}

/// Single mode, or workers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// A transparent init with one child.
    #[default]
    Single,
    /// `-i`
    Workers,
}

/// Restarts of workers, by cause; requested ones do not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Restarts {
    /// They exited by themselves, or were killed by another process.
    pub exit: u64,
    /// Their event loops hung.
    pub hang: u64,
    /// They exceeded their memory limit.
    pub memory: u64,
    /// They exceeded their maximum age.
    pub age: u64,
}

impl Restarts {
    /// Each count with the name of its cause.
    #[must_use]
    pub(crate) fn by_cause(&self) -> [(&'static str, u64); 4] {
        [
            ("exit", self.exit),
            ("hang", self.hang),
            ("memory", self.memory),
            ("age", self.age),
        ]
    }
}

/// The states of a worker: it boots; it serves; a signal has stopped it; it drains; it has exited and
/// will be restarted; there is none.
pub const STATES: [&str; 6] = [
    "starting", "ready", "stopped", "draining", "waiting", "empty",
];

/// One worker, or an empty slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerStatus {
    /// Its slot; `None`: it is a spare, or the only child.
    pub slot: Option<usize>,
    /// Its `NODE_APP_INSTANCE`.
    pub instance: usize,
    /// One of [`STATES`].
    pub state: &'static str,
    /// Its process.
    pub pid: Option<i32>,
    /// How long it has run; 0 without a process.
    pub uptime_ms: u64,
    /// When it was started, as Unix time in ms.
    pub start_time_ms: Option<u64>,
    /// Restarts in this slot.
    pub restarts: u32,
    /// How the last lost worker exited.
    pub last_end: Option<String>,
    /// The CPU time it has used.
    pub cpu_ms: Option<u64>,
    /// Its resident memory, in bytes.
    pub resident: Option<u64>,
    /// How long its event loop took to answer.
    pub loop_delay_us: Option<u64>,
    /// The length of its accept queue.
    pub queue: Option<u32>,
    /// Connections taken from its accept queue and handed to another worker.
    pub relieved: Option<u64>,
    /// The port its inspector listens on, or will when it is opened.
    pub inspect_port: Option<u16>,
    /// Messages of it that other workers got, and messages from or to it that were dropped, for the metrics only; `None`: no
    /// worker has sent any.
    pub relayed: Option<(u64, u64)>,
}

impl Status {
    /// One JSON object on one line. Unknown values are null.
    #[must_use]
    pub fn json(&self) -> String {
        let mut out = String::new();
        // Writing to memory cannot fail.
        let _ = self.write_json(&mut out);
        out
    }

    fn write_json(&self, out: &mut String) -> fmt::Result {
        let version = Quoted(&self.version);
        write!(out, "{{\"format\":{FORMAT},\"version\":{version}")?;
        let mode = match self.mode {
            Mode::Single => "single",
            Mode::Workers => "workers",
        };
        let (pid, uptime) = (self.pid, self.uptime_ms);
        write!(
            out,
            ",\"mode\":\"{mode}\",\"pid\":{pid},\"uptime_ms\":{uptime}"
        )?;
        for (name, flag) in [
            ("ready", self.ready),
            ("stopping", self.stopping),
            ("reloading", self.reloading),
            ("crash_loop", self.crash_loop),
        ] {
            write!(out, ",\"{name}\":{flag}")?;
        }
        out.write_str(",\"reason\":")?;
        text_or_null(out, self.reason.as_deref())?;
        out.write_str(",\"progress\":")?;
        match self.progress {
            Some(Progress { replaced, of }) => {
                write!(out, "{{\"replaced\":{replaced},\"of\":{of}}}")?;
            }
            None => out.write_str("null")?,
        }
        let (container, wide) = (&self.container, |count| Some(wide(count)));
        for (name, number) in [
            ("target", wide(self.target)),
            ("draining", wide(self.draining)),
            ("oom_kills", self.oom_kills),
            ("relieved", Some(self.relieved)),
            ("max_memory_bytes", self.max_memory),
            ("container_cpu_ms", container.cpu_ms),
            ("container_cpu_limit_millicores", container.cpu_limit),
            ("container_memory_bytes", container.memory),
            ("container_memory_limit_bytes", container.memory_limit),
        ] {
            member(out, name, number)?;
        }
        out.write_str(",\"restarts\":{")?;
        for (index, (cause, count)) in self.restarts.by_cause().iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(out, "{comma}\"{cause}\":{count}")?;
        }
        for (begin, workers) in [
            ("},\"workers\":[", &self.workers),
            ("],\"spares\":[", &self.spares),
        ] {
            out.write_str(begin)?;
            for (index, worker) in workers.iter().enumerate() {
                out.write_str(if index == 0 { "{" } else { ",{" })?;
                worker.write_members(out)?;
                out.write_str("}")?;
            }
        }
        out.write_str("],\"ends\":[")?;
        self.ends.write_items(out)?;
        out.write_str("]}")
    }

    /// Parses the output of [`Self::json`]; `None`: it is something else.
    #[must_use]
    pub fn from_json(text: &str) -> Option<Self> {
        let object = Object::parse(text.as_bytes())?;
        let workers = |name| {
            let items = object.get(name)?.items();
            items.map(WorkerStatus::from_json).collect::<Option<_>>()
        };
        let flag = |name| object.get(name)?.boolean();
        let restarts = object.get("restarts")?.object()?;
        Some(Self {
            version: object.get("version")?.string()?,
            mode: if object.get("mode")?.is_string("single") {
                Mode::Single
            } else {
                Mode::Workers
            },
            pid: number(object, "pid")?,
            uptime_ms: number(object, "uptime_ms")?,
            ready: flag("ready")?,
            reason: object.get("reason")?.string(),
            stopping: flag("stopping")?,
            reloading: flag("reloading")?,
            progress: object.get("progress")?.object().and_then(|progress| {
                Some(Progress {
                    replaced: number(progress, "replaced")?,
                    of: number(progress, "of")?,
                })
            }),
            crash_loop: flag("crash_loop")?,
            draining: number(object, "draining")?,
            target: number(object, "target")?,
            workers: workers("workers")?,
            spares: workers("spares")?,
            restarts: Restarts {
                exit: number(restarts, "exit")?,
                hang: number(restarts, "hang")?,
                memory: number(restarts, "memory")?,
                age: number(restarts, "age")?,
            },
            oom_kills: number(object, "oom_kills"),
            relieved: number(object, "relieved")?,
            max_memory: number(object, "max_memory_bytes"),
            container: ContainerStatus {
                cpu_ms: number(object, "container_cpu_ms"),
                cpu_limit: number(object, "container_cpu_limit_millicores"),
                memory: number(object, "container_memory_bytes"),
                memory_limit: number(object, "container_memory_limit_bytes"),
            },
            ends: LastEnds::from_json(object)?,
            totals: Totals::default(),
        })
    }
}

impl WorkerStatus {
    fn write_members(&self, out: &mut String) -> fmt::Result {
        write!(out, "\"state\":\"{}\"", self.state)?;
        member(out, "slot", self.slot.map(wide))?;
        member(out, "instance", Some(wide(self.instance)))?;
        member(out, "pid", self.pid.and_then(|pid| pid.try_into().ok()))?;
        member(out, "uptime_ms", Some(self.uptime_ms))?;
        member(out, "start_time_ms", self.start_time_ms)?;
        member(out, "restarts", Some(self.restarts.into()))?;
        member(out, "cpu_ms", self.cpu_ms)?;
        member(out, "resident_bytes", self.resident)?;
        member(out, "loop_delay_us", self.loop_delay_us)?;
        member(out, "queue", self.queue.map(u64::from))?;
        member(out, "relieved", self.relieved)?;
        member(out, "inspect_port", self.inspect_port.map(u64::from))?;
        out.write_str(",\"last_end\":")?;
        text_or_null(out, self.last_end.as_deref())
    }

    fn from_json(value: Value<'_>) -> Option<Self> {
        let object = value.object()?;
        let state = object.get("state")?;
        Some(Self {
            slot: number(object, "slot"),
            instance: number(object, "instance")?,
            state: STATES.into_iter().find(|known| state.is_string(known))?,
            pid: number(object, "pid"),
            uptime_ms: number(object, "uptime_ms")?,
            start_time_ms: number(object, "start_time_ms"),
            restarts: number(object, "restarts")?,
            last_end: object.get("last_end")?.string(),
            cpu_ms: number(object, "cpu_ms"),
            resident: number(object, "resident_bytes"),
            loop_delay_us: number(object, "loop_delay_us"),
            queue: number(object, "queue"),
            relieved: number(object, "relieved"),
            inspect_port: number(object, "inspect_port"),
            relayed: None,
        })
    }
}

fn wide(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn text_or_null(out: &mut String, text: Option<&str>) -> fmt::Result {
    match text {
        Some(text) => write!(out, "{}", Quoted(text)),
        None => out.write_str("null"),
    }
}

/// Writes a member that is not the first one.
fn member(out: &mut String, name: &str, number: Option<u64>) -> fmt::Result {
    match number {
        Some(number) => write!(out, ",\"{name}\":{number}"),
        None => write!(out, ",\"{name}\":null"),
    }
}

fn number<T: TryFrom<i64>>(object: Object<'_>, name: &str) -> Option<T> {
    object.get(name)?.integer()?.try_into().ok()
}

#[cfg(test)]
pub(super) mod tests;
