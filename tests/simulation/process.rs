//! A simulated process: what it does by itself, and how it reacts.

use std::time::Duration;

use pidone::ended::Ended;
use pidone::signal::{Signal, SignalSet};

use pidone::supervisor::Moment;

use crate::scenario::MEMORY;
use pidone_testkit::random::Random;

/// Fixed at its start.
pub struct Process {
    /// The exit status, if it cannot be started.
    pub cannot_start: Option<u8>,
    /// How long until it serves, or waits for its slot; `None`: never.
    pub boots_in: Option<Duration>,
    /// It exits by itself.
    pub crashes: Option<(Duration, Ended)>,
    /// It exits by itself, this long after it has begun to serve.
    pub disconnects_in: Option<Duration>,
    /// It closes its channel, and continues to run.
    pub hangs_up_in: Option<Duration>,
    /// It closes all its ports, this long after it has begun to serve.
    pub silent_in: Option<Duration>,
    pub on_stop: OnStop,
    /// How long after the stop signal its handler closes its listeners; `None`: it does not.
    pub closes_in: Option<Duration>,
    /// How long after the disconnect message its last connection ends.
    pub drains_in: Option<Duration>,
    /// How long after its channel is closed it exits; `None`: something keeps its event loop alive.
    pub lingers: Option<Duration>,
    /// It leaves child processes in its group, which exit this long after SIGTERM; `None` within:
    /// they ignore it.
    pub leaves_behind: Option<Option<Duration>>,
    /// It does not empty its accept queue.
    pub hangs: bool,
    /// Its event loop blocks, this long after it has begun to serve.
    pub stuck_in: Option<Duration>,
    pub stuck: bool,
    /// A signal stops it: how long after it has begun to serve, and for how long.
    pub halts: Option<(Duration, Duration)>,
    pub halted: bool,
    /// The signals and messages it was sent meanwhile.
    pub pending: Vec<Signal>,
    /// It was pinged meanwhile.
    pub asked: bool,
    /// Its memory, and its growth per second.
    pub bytes: u64,
    pub growth: u64,
    pub started: Moment,
    pub dies_in: Duration,
    pub alive: bool,
    pub channel_open: bool,
    /// It has asked for a listener over the channel, and not closed it.
    pub listens: bool,
    /// It was told to disconnect: the listeners that it closes then are not reported.
    pub disconnected: bool,
    pub booted: bool,
    pub admitted: bool,
}

/// Its reaction to a stop signal.
#[derive(Clone, Copy)]
pub enum OnStop {
    Dies,
    /// It has a handler, which exits.
    Exits(Duration, u8),
    /// It has a handler, which closes its listeners; the channel keeps it alive.
    WaitsForChannel,
    Ignores,
}

impl Process {
    pub fn handles(&self) -> SignalSet {
        let all = [Signal::TERM, Signal::INT, Signal::QUIT, Signal::ABRT];
        let has_handler = !matches!(self.on_stop, OnStop::Dies);
        all.into_iter().filter(|_| has_handler).collect()
    }

    pub fn draw(random: &mut Random, faults: u64, admitted: bool) -> Self {
        let faulty = random.chance(faults);
        let fault = |random: &mut Random, percent| faulty && random.chance(percent);
        let ended = |random: &mut Random| match random.below(4) {
            0 => Ended::Code(0),
            1 => Ended::Killed(Signal::KILL),
            _ => Ended::Code(u8::try_from(random.below(3)).unwrap()),
        };
        Self {
            cannot_start: fault(random, 3).then(|| random.pick(&[125, 126, 127])),
            boots_in: (!fault(random, 15)).then(|| random.up_to(2000)),
            crashes: fault(random, 50).then(|| {
                let longest = random.pick(&[0, 1000, 20_000, 100_000]);
                (random.up_to(longest), ended(random))
            }),
            disconnects_in: fault(random, 20).then(|| random.up_to(30_000)),
            silent_in: fault(random, 10).then(|| random.up_to(30_000)),
            hangs_up_in: fault(random, 10).then(|| random.up_to(30_000)),
            on_stop: match random.below(8) {
                0..3 => OnStop::Dies,
                3 => OnStop::Ignores,
                4 => OnStop::WaitsForChannel,
                _ => OnStop::Exits(random.up_to(5000), random.pick(&[0, 0, 1])),
            },
            closes_in: (!random.chance(20)).then(|| random.up_to(5000)),
            drains_in: (!fault(random, 30)).then(|| random.up_to(10_000)),
            lingers: (!fault(random, 30)).then(|| random.up_to(1000)),
            leaves_behind: random
                .chance(20)
                .then(|| random.chance(70).then(|| random.up_to(3000))),
            hangs: fault(random, 20),
            stuck_in: fault(random, 20).then(|| random.up_to(60_000)),
            stuck: false,
            halts: fault(random, 20).then(|| (random.up_to(60_000), random.up_to(60_000))),
            halted: false,
            pending: Vec::new(),
            asked: false,
            bytes: if fault(random, 20) { MEMORY + 1 } else { 0 },
            growth: random.pick(&[0, 0, 1, 10]),
            started: Moment::ZERO,
            dies_in: random.up_to(50),
            alive: false,
            channel_open: true,
            listens: false,
            disconnected: false,
            booted: false,
            admitted,
        }
    }
}
