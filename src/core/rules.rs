//! What the user asked for, as far as decisions depend on it. Every value in here is valid.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::signal::Signal;

/// What the supervisor goes by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunRules {
    /// What becomes of a signal on its way to the child.
    pub signals: SignalRules,
    /// How long a stop may take before SIGKILL (`--grace`); `None`, in single mode only: the
    /// container runtime's own deadline rules.
    pub grace: Option<Duration>,
    /// What happens when a child ends by itself.
    pub restart: RestartRules,
    /// N workers (`--instances`); `None`: single mode, a transparent init.
    pub workers: Option<WorkerRules>,
    /// Exit statuses that are reported as 0 (`--expect`).
    pub expected: Vec<u8>,
    /// Sockets are bound before anything starts, and inherited by children (`--listen`).
    pub listens: bool,
}

/// What becomes of a signal on its way to the child.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SignalRules {
    /// Send to the child's process group (`--group`), not to the child alone.
    pub to_group: bool,
    /// `--rewrite FROM:TO`, at most one per FROM; `None`: the signal is dropped.
    pub rewrites: Vec<(Signal, Option<Signal>)>,
    /// What the child gets when TERM, INT or QUIT asks to stop (`--stop-signal`); `None`: the
    /// signal that was received.
    pub stop: Option<Signal>,
}

/// What happens when a child ends by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestartRules {
    /// Whether it is started again (`--restart`).
    pub policy: RestartPolicy,
    /// The delay before the second restart in a row; the first one is immediate (`--backoff`).
    pub min_delay: Duration,
    /// What the doubling of the delay ends at (`--backoff`).
    pub max_delay: Duration,
    /// A run this long is a good one, and resets the delay (`--min-uptime`).
    pub min_uptime: Duration,
    /// More restarts of one slot than this within `window` are a crash loop (`--max-restarts`).
    pub max_restarts: u32,
    /// See `max_restarts`.
    pub window: Duration,
}

impl Default for RestartRules {
    fn default() -> Self {
        Self {
            policy: RestartPolicy::Never,
            min_delay: Duration::from_millis(100),
            max_delay: Duration::from_secs(30),
            min_uptime: Duration::from_secs(10),
            max_restarts: 10,
            window: Duration::from_secs(60),
        }
    }
}

impl RestartRules {
    /// The delay before a restart, after so many others since the last good run.
    #[must_use]
    pub fn delay(&self, in_a_row: u32) -> Duration {
        in_a_row.checked_sub(1).map_or(Duration::ZERO, |doublings| {
            let factor = 2_u32.saturating_pow(doublings);
            self.min_delay.saturating_mul(factor).min(self.max_delay)
        })
    }

    /// The least time in which one slot can be restarted as often as is allowed: all delays, or
    /// good runs that reset them. If it is longer than the window, a worker that gets ready and then
    /// crashes is restarted for ever.
    #[must_use]
    pub fn least_time(&self) -> Duration {
        let mut delays = Duration::ZERO;
        let mut least = Duration::MAX;
        for in_a_row in 0..self.max_restarts {
            delays = delays.saturating_add(self.delay(in_a_row));
            let with_good_runs = delays
                .saturating_add(self.min_uptime)
                .saturating_mul(self.max_restarts)
                / (in_a_row + 1);
            least = least.min(with_good_runs);
        }
        least.min(delays)
    }
}

/// Whether a child that ends by itself is started again (`--restart`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestartPolicy {
    /// Whatever its status was. The default with `-i`.
    Always,
    /// If its status was none of 0 and the `--expect`ed ones.
    OnFailure,
    /// Not at all. The default in single mode.
    Never,
}

/// How N workers are run (`--instances`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerRules {
    /// How many (`--instances`).
    pub instances: Instances,
    /// Play the primary of Node.js' `cluster` for them (`--channel node`).
    pub channel: bool,
    /// A port for each instead of one for all (`--port-env`).
    pub port_env: Option<PortEnv>,
    /// Who gets a new connection (`--balance`).
    pub balance: Balance,
    /// How a worker shows that it serves (`--ready`).
    pub ready: Readiness,
    /// A start that takes longer has failed (`--ready-timeout`).
    pub ready_timeout: Duration,
    /// The inspectors that the command asks for.
    pub inspector: Option<Inspector>,
    /// How they are started when none serves (`--boot`).
    pub boot: Boot,
    /// Workers that are booted and held back (`--spares`).
    pub spares: u16,
    /// How a worker is asked to leave (`--stop`).
    pub stop: StopMode,
    /// What ends with a worker (`--kill-mode`).
    pub kill_mode: KillMode,
    /// Announce the end to HTTP clients, and wait this long (`--http-drain`).
    pub http_drain: Option<Duration>,
    /// Keep serving for so long after a request to stop (`--drain-delay`).
    pub drain_delay: Duration,
    /// A worker that has more in memory is replaced (`--max-memory`).
    pub max_memory: Option<MemoryLimit>,
    /// A worker that has run for so long is replaced (`--max-age`); for each one a little more or
    /// less, so that they do not all go at once.
    pub max_age: Option<Duration>,
    /// A worker whose event loop does not turn for so long is killed (`--hang-timeout`).
    pub hang_timeout: Option<Duration>,
    /// Where no worker's event loop has answered a question older than this, pidone is not ready
    /// (`--unresponsive-after`).
    pub unresponsive_after: Duration,
}

/// How much memory a worker may have (`--max-memory`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryLimit {
    /// So many bytes.
    Bytes(u64),
    /// So much of what the control group allows, from 1 to 100.
    Percent(u8),
}

/// How many workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instances {
    /// As many as there are CPUs to be had; `WEB_CONCURRENCY` has been looked at already.
    Auto,
    /// So many, at least 1.
    Count(u16),
}

impl Instances {
    /// The most there can be.
    pub const MAX: u16 = 1024;
}

/// The variable that tells a worker its port (`--port-env`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortEnv {
    /// Its name.
    pub name: String,
    /// The port of instance 0, which the variable named in pidone's own environment; instance k
    /// gets `base + k`.
    pub base: u16,
}

impl PortEnv {
    /// The port of an instance; `None`: there is no such port.
    #[must_use]
    pub fn port_of(&self, instance: usize) -> Option<u16> {
        self.base.checked_add(u16::try_from(instance).ok()?)
    }
}

/// Who gets a new connection (`--balance`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Balance {
    /// A socket for each slot, and the kernel spreads by hash.
    ReusePort,
    /// One socket for all slots.
    Shared,
    /// A socket for each slot; the client's address chooses.
    SourceIp,
    /// pidone accepts, and hands over in turn.
    RoundRobin,
}

/// How a worker shows that it serves (`--ready`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// It listens, as Node.js says on the channel.
    Listen,
    /// It calls `process.send('ready')`.
    Message,
    /// It writes `READY=1` to `NOTIFY_SOCKET` (`sd_notify(3)`).
    Notify,
    /// Its TCP port accepts connections.
    Port,
    /// It runs.
    None,
}

/// How a worker is asked to leave (`--stop`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopMode {
    /// By the disconnect of Node.js' `cluster`, which lets requests finish; then the stop signal.
    Drain,
    /// By the stop signal, for apps that handle it themselves; then the disconnect.
    Signal,
}

/// How the first workers are started (`--boot`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boot {
    /// All at the same time.
    Together,
    /// While none serves one alone, and the others when it is ready.
    First,
}

/// What ends with a worker (`--kill-mode`), in the words of systemd.kill(5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KillMode {
    /// All that is left in its process group.
    Group,
    /// Nothing else.
    Process,
}

/// What `--inspect` and its like ask of Node.js, in the command or in `NODE_OPTIONS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inspector {
    /// The port that a process alone would listen on; workers have those after it.
    pub base: u16,
    /// A worker waits for a debugger before it runs the app (`--inspect-brk`, `--inspect-wait`).
    pub waits: bool,
}
