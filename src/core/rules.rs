//! The options, as far as decisions depend on them. Every value in here is valid.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::signal::Signal;

/// The options that the supervisor depends on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunRules {
    /// How signals are passed on to the child.
    pub signals: SignalRules,
    /// How long a stop may take before SIGKILL (`--grace`); `None`, in single mode only: the
    /// container runtime's own deadline applies.
    pub grace: Option<Duration>,
    /// What happens when a child exits on its own.
    pub restart: RestartRules,
    /// N workers (`--instances`); `None`: single mode, a transparent init.
    pub workers: Option<WorkerRules>,
    /// Exit statuses that are reported as 0 (`--expect`).
    pub expected: Vec<u8>,
    /// Sockets are bound before anything starts, and inherited by children (`--listen`).
    pub listens: bool,
}

/// How signals are passed on to the child.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SignalRules {
    /// Send to the child's process group (`--group`), not to the child alone.
    pub to_group: bool,
    /// `--rewrite FROM:TO`, at most one per FROM; `None`: the signal is dropped.
    pub rewrites: Vec<(Signal, Option<Signal>)>,
    /// The signal that the child gets when TERM, INT or QUIT requests a stop (`--stop-signal`);
    /// `None`: the signal that pidone received.
    pub stop: Option<Signal>,
}

/// What happens when a child exits on its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestartRules {
    /// Whether it is restarted (`--restart`).
    pub policy: RestartPolicy,
    /// The delay before the second restart in a row; the first one is immediate (`--backoff`).
    pub min_delay: Duration,
    /// The upper limit of the doubling delay (`--backoff`).
    pub max_delay: Duration,
    /// A run of at least this length resets the delay (`--min-uptime`).
    pub min_uptime: Duration,
    /// More restarts of one slot than this within `window` are a crash loop (`--max-restarts`).
    pub max_restarts: u32,
    /// The period in which `max_restarts` are counted.
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
    /// The delay before a restart, after `in_a_row` restarts since the delay was last reset.
    #[must_use]
    pub fn delay(&self, in_a_row: u32) -> Duration {
        in_a_row.checked_sub(1).map_or(Duration::ZERO, |doublings| {
            let factor = 2_u32.saturating_pow(doublings);
            self.min_delay.saturating_mul(factor).min(self.max_delay)
        })
    }

    /// The least time in which one slot can reach `max_restarts`: all delays, or runs long enough
    /// to reset them. If it is longer than the window, a worker that becomes ready and then crashes
    /// is restarted without limit.
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

/// Whether a child that exits on its own is restarted (`--restart`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestartPolicy {
    /// With any status. The default with `-i`.
    Always,
    /// If its status is neither 0 nor one of `--expect`.
    OnFailure,
    /// Never. The default in single mode.
    Never,
}

/// How N workers are run (`--instances`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerRules {
    /// The number of workers (`--instances`).
    pub instances: Instances,
    /// Act as the primary of Node.js' `cluster` module (`--channel node`).
    pub channel: bool,
    /// A port for each worker instead of one for all (`--port-env`).
    pub port_env: Option<PortEnv>,
    /// Which worker gets a new connection (`--balance`).
    pub balance: Balance,
    /// How a worker shows that it serves (`--ready`).
    pub ready: Readiness,
    /// A worker that is not ready after this time has failed (`--ready-timeout`).
    pub ready_timeout: Duration,
    /// The inspectors that the command asks for.
    pub inspector: Option<Inspector>,
    /// How workers are started when none is ready (`--boot`).
    pub boot: Boot,
    /// How many workers are replaced at a time (`--surge`).
    pub surge: Surge,
    /// Workers that are booted and kept in reserve (`--spares`).
    pub spares: u16,
    /// How a worker is asked to exit (`--stop`).
    pub stop: StopMode,
    /// Which processes are stopped when a worker exits (`--kill-mode`).
    pub kill_mode: KillMode,
    /// Tell HTTP clients to close their connections, and wait this long (`--http-drain`).
    pub http_drain: Option<Duration>,
    /// Keep serving for this long after a stop request (`--drain-delay`).
    pub drain_delay: Duration,
    /// A worker that uses more memory is replaced (`--max-memory`).
    pub max_memory: Option<MemoryLimit>,
    /// A worker that has run for this long is replaced (`--max-age`). Each worker's age varies a
    /// little, so that they are not all replaced at once.
    pub max_age: Option<Duration>,
    /// A worker whose event loop is blocked for this long is killed (`--hang-timeout`).
    pub hang_timeout: Option<Duration>,
    /// pidone is not ready when no worker's event loop has answered a ping older than this
    /// (`--unresponsive-after`).
    pub unresponsive_after: Duration,
}

/// How much memory a worker may use (`--max-memory`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryLimit {
    /// This many bytes.
    Bytes(u64),
    /// This percentage of the control group's limit, from 1 to 100.
    Percent(u8),
}

/// How many workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instances {
    /// One for each available CPU; `WEB_CONCURRENCY` has been evaluated already.
    Auto,
    /// This many, at least 1.
    Count(u16),
}

impl Instances {
    /// The upper limit.
    pub const MAX: u16 = 1024;
}

/// The variable that tells a worker its port (`--port-env`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortEnv {
    /// Its name.
    pub name: String,
    /// The port of instance 0, which pidone read from the variable in its own environment; instance
    /// k gets `base + k`.
    pub base: u16,
}

impl PortEnv {
    /// The port of an instance; `None`: above 65535.
    #[must_use]
    pub fn port_of(&self, instance: usize) -> Option<u16> {
        self.base.checked_add(u16::try_from(instance).ok()?)
    }
}

/// Which worker gets a new connection (`--balance`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Balance {
    /// A socket for each slot, dealt by the client's source port; connections that wait behind a busy worker
    /// go to another one.
    Auto,
    /// A socket for each slot; the kernel distributes connections by hash.
    ReusePort,
    /// One socket for all slots.
    Shared,
    /// A socket for each slot, chosen by the client's address.
    SourceIp,
    /// pidone accepts connections and passes them to the workers in turn.
    RoundRobin,
}

/// How a worker shows that it serves (`--ready`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// Node.js reports a listener on the channel.
    Listen,
    /// It calls `process.send('ready')`.
    Message,
    /// It writes `READY=1` to `NOTIFY_SOCKET` (`sd_notify(3)`).
    Notify,
    /// Its TCP port accepts connections.
    Port,
    /// Its process runs.
    None,
}

/// How a worker is asked to exit (`--stop`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopMode {
    /// By the disconnect message of Node.js' `cluster`, which lets requests finish; then by the
    /// stop signal.
    Drain,
    /// By the stop signal, for apps that handle it themselves; then by the disconnect message.
    Signal,
}

/// How the first workers are started (`--boot`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boot {
    /// As many at the same time as there are CPUs.
    Together,
    /// All at the same time.
    All,
    /// While none is ready, one alone; the others when it is ready.
    First,
}

/// How many successors boot at the same time (`--surge`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surge {
    /// This many, at least 1.
    Count(u16),
    /// This percentage of the number of workers, from 1 to 100.
    Percent(u8),
}

impl Default for Surge {
    fn default() -> Self {
        Self::Count(1)
    }
}

impl Surge {
    /// The number for this many workers: a percentage is rounded up.
    #[must_use]
    pub fn of(self, workers: usize) -> usize {
        let number = match self {
            Self::Count(count) => usize::from(count),
            Self::Percent(percent) => (workers * usize::from(percent)).div_ceil(100),
        };
        number.max(1)
    }
}

/// Which processes are stopped when a worker exits (`--kill-mode`); the names are those of
/// systemd.kill(5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KillMode {
    /// Every process left in its process group.
    Group,
    /// No other process.
    Process,
}

/// What the `--inspect` options request, in the command or in `NODE_OPTIONS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inspector {
    /// The port of a single process; workers use the ports after it.
    pub base: u16,
    /// A worker waits for a debugger before it runs the app (`--inspect-brk`, `--inspect-wait`).
    pub waits: bool,
}
