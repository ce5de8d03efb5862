//! The setting of a run: pidone's configuration, how faulty the app is, and the requests.

use std::time::Duration;

use pidone::rules::{
    Balance, Boot, Instances, KillMode, MemoryLimit, PortEnv, Readiness, RestartPolicy,
    RestartRules, RunRules, SignalRules, StopMode, Surge, WorkerRules,
};
use pidone::signal::Signal;
use pidone::supervisor::{ContainerLimits, Moment, Request, ScaleTo};

use pidone_testkit::random::Random;

pub struct Scenario {
    pub config: RunRules,
    /// The container's limits in the beginning.
    pub limits: ContainerLimits,
    /// How they change.
    pub changes: Vec<(Moment, ContainerLimits)>,
    /// The percentage of workers with a fault.
    pub faults: u64,
    /// The signals sent to pidone, and when; the last ones tell it to stop.
    pub signals: Vec<(Moment, Signal)>,
    /// The control requests.
    pub requests: Vec<(Moment, Request)>,
    /// The interval of status requests.
    pub looks: Option<Duration>,
    /// Processes other than workers.
    pub others: u64,
    /// How often in 10,000 steps time jumps.
    pub jumps: u64,
}

/// The memory limit, if there is one.
pub const MEMORY: u64 = 300;

pub fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

impl Scenario {
    pub fn draw(random: &mut Random) -> Self {
        let workers = random.chance(85);
        let instances = match random.below(7) {
            0..3 => Instances::Auto,
            _ => Instances::Count(u16::try_from(1 + random.below(6)).unwrap()),
        };
        let config = config(random, workers.then_some(instances));
        let has_limit = config
            .workers
            .as_ref()
            .is_some_and(|it| it.max_memory.is_some());
        let limits = ContainerLimits {
            cpus: cpus(random),
            max_memory: has_limit.then_some(MEMORY),
        };
        Self {
            config,
            limits,
            changes: changes(random, workers, has_limit),
            faults: random.pick(&[0, 5, 20, 50, 100]),
            signals: signals(random),
            requests: requests(random),
            looks: random.maybe(20, |random| ms(random.pick(&[3000, 10_000, 60_000]))),
            others: random.pick(&[0, 0, 0, 1, 3]),
            jumps: random.pick(&[0, 0, 0, 10, 300]),
        }
    }
}

fn cpus(random: &mut Random) -> usize {
    usize::try_from(1 + random.below(5)).unwrap()
}

fn config(random: &mut Random, instances: Option<Instances>) -> RunRules {
    let policies = match instances {
        Some(_) => [
            RestartPolicy::Always,
            RestartPolicy::Always,
            RestartPolicy::OnFailure,
            RestartPolicy::Never,
        ],
        None => [
            RestartPolicy::Never,
            RestartPolicy::Never,
            RestartPolicy::OnFailure,
            RestartPolicy::Always,
        ],
    };
    // In a short window no crash loop is detected; then only the delay keeps a run from consisting
    // of crashes only.
    let restart = if random.chance(30) {
        RestartRules {
            policy: random.pick(&policies),
            min_delay: ms(random.pick(&[10, 100])),
            max_delay: ms(random.pick(&[1000, 30_000])),
            min_uptime: ms(10_000),
            max_restarts: random.pick(&[3, 10, 1000]),
            window: ms(100),
        }
    } else {
        RestartRules {
            policy: random.pick(&policies),
            min_delay: ms(random.pick(&[0, 1, 100])),
            max_delay: ms(random.pick(&[100, 1000, 30_000])),
            min_uptime: ms(random.pick(&[0, 100, 10_000])),
            max_restarts: random.pick(&[0, 1, 3, 10, 100]),
            window: ms(60_000),
        }
    };
    let grace = match instances {
        Some(_) => Some(ms(random.pick(&[0, 10, 1000, 10_000, 30_000]))),
        None => random.maybe(50, |random| ms(random.pick(&[0, 10, 10_000]))),
    };
    let listens = random.chance(30);
    let policy = restart.policy;
    RunRules {
        signals: SignalRules {
            to_group: random.chance(20),
            rewrites: rewrites(random),
            stop: random.pick(&[None, None, Some(Signal::QUIT), Some(Signal::ABRT)]),
        },
        grace,
        listens,
        restart,
        workers: instances.map(|instances| workers(random, instances, policy, grace)),
        expected: random.pick(&[&[][..], &[], &[1], &[137, 143]]).to_vec(),
    }
}

/// As `cli` would accept it.
fn workers(
    random: &mut Random,
    instances: Instances,
    policy: RestartPolicy,
    grace: Option<Duration>,
) -> WorkerRules {
    let channel = random.chance(75);
    let port_env = random.maybe(if channel { 10 } else { 60 }, |_| PortEnv {
        name: "PORT".into(),
        base: 3000,
    });
    let readiness: &[_] = match (channel, port_env.is_some()) {
        (true, false) => &[
            Readiness::Listen,
            Readiness::Listen,
            Readiness::Message,
            Readiness::Notify,
            Readiness::None,
        ],
        (true, true) => &[Readiness::Listen, Readiness::Port],
        (false, true) => &[Readiness::Port, Readiness::Notify, Readiness::None],
        (false, false) => &[Readiness::Notify, Readiness::None],
    };
    let ready = random.pick(readiness);
    let may_spare = channel && port_env.is_none() && policy != RestartPolicy::Never;
    let before_signal = grace.unwrap_or_default() / 5 * 4;
    WorkerRules {
        instances,
        channel,
        ready,
        boot: match random.below(10) {
            0..3 if ready != Readiness::None => Boot::First,
            3 => Boot::All,
            _ => Boot::Together,
        },
        surge: random.pick(&[
            Surge::Count(1),
            Surge::Count(1),
            Surge::Count(2),
            Surge::Count(5),
            Surge::Percent(30),
            Surge::Percent(100),
        ]),
        port_env,
        balance: Balance::ReusePort,
        ready_timeout: ms(random.pick(&[50, 1000, 30_000])),
        inspector: None,
        spares: if may_spare {
            random.pick(&[0, 0, 1, 2])
        } else {
            0
        },
        stop: if channel && random.chance(70) {
            StopMode::Drain
        } else {
            StopMode::Signal
        },
        kill_mode: KillMode::Group,
        http_drain: random
            .maybe(40, |random| ms(random.pick(&[1, 300, 5000])))
            .filter(|time| channel && *time < before_signal),
        drain_delay: ms(random.pick(&[0, 0, 100, 5000])),
        max_memory: random.maybe(25, |_| MemoryLimit::Bytes(MEMORY)),
        max_age: random.maybe(25, |random| ms(random.pick(&[1000, 20_000, 100_000]))),
        hang_timeout: random
            .maybe(25, |random| ms(random.pick(&[100, 2000, 8000, 60_000])))
            .filter(|_| channel),
        unresponsive_after: ms(random.pick(&[1000, 5000, 60_000])),
    }
}

/// 10 is SIGUSR1 (signal(7)).
fn usr1() -> Signal {
    Signal::from_number(10).unwrap()
}

fn rewrites(random: &mut Random) -> Vec<(Signal, Option<Signal>)> {
    match random.below(8) {
        0 => vec![(usr1(), Some(Signal::HUP))],
        1 => vec![(usr1(), Some(Signal::TTIN)), (Signal::TTIN, None)],
        2 => vec![(Signal::TERM, Some(Signal::QUIT))],
        _ => Vec::new(),
    }
}

fn signals(random: &mut Random) -> Vec<(Moment, Signal)> {
    let life = random.pick(&[0, 1000, 60_000, 600_000]);
    let many = random.pick(&[0, 3, 10, 40]);
    let wishes = [
        Signal::HUP,
        Signal::HUP,
        Signal::HUP,
        Signal::TTIN,
        Signal::TTOU,
        Signal::TTOU,
        Signal::CONT,
        usr1(),
    ];
    let mut signals = Vec::new();
    for _ in 0..many {
        let at = random.up_to(life);
        signals.push((at, random.pick(&wishes)));
        // Some users signal again very soon.
        if random.chance(30) {
            signals.push((at + random.up_to(20), random.pick(&wishes)));
        }
    }
    let stop = [Signal::TERM, Signal::TERM, Signal::INT, Signal::QUIT];
    let mut at = ms(life);
    signals.push((at, random.pick(&stop)));
    // Both of a pair may arrive in one batch.
    while random.chance(40) {
        let longest = random.pick(&[0, 3, 900, 10_000]);
        at += random.up_to(longest);
        signals.push((at, random.pick(&stop)));
        signals.push((at + random.up_to(10), random.pick(&wishes)));
    }
    if random.chance(10) {
        signals.push((random.up_to(life + 1000), Signal::ABRT));
    }
    signals
}

fn requests(random: &mut Random) -> Vec<(Moment, Request)> {
    let life = random.pick(&[1000, 60_000, 600_000]);
    let many = random.pick(&[0, 0, 3, 10]);
    let number = |random: &mut Random| usize::try_from(random.below(7)).unwrap();
    let mut requests = Vec::new();
    for _ in 0..many {
        let request = match random.below(21) {
            0..5 => Request::Reload,
            5 => Request::BeginReload,
            6..13 => Request::Restart {
                slot: number(random),
            },
            13..20 => Request::Scale {
                to: match random.below(6) {
                    0..2 => ScaleTo::Number(number(random)),
                    2 => ScaleTo::More(number(random)),
                    3 => ScaleTo::Fewer(number(random)),
                    4 => ScaleTo::Auto,
                    _ => ScaleTo::Percent(random.pick(&[0, 10, 50, 150])),
                },
            },
            _ => Request::Stop,
        };
        requests.push((random.up_to(life), request));
    }
    requests
}

/// Some are undone or repeated within the time in which they settle.
fn changes(random: &mut Random, workers: bool, has_limit: bool) -> Vec<(Moment, ContainerLimits)> {
    let life = random.pick(&[1000, 60_000, 600_000]);
    let many = random.pick(&[0, 0, 2, 10]);
    let mut changes = Vec::new();
    for _ in 0..if workers { many } else { 0 } {
        let mut at = random.up_to(life);
        for _ in 0..random.pick(&[1, 1, 3]) {
            let limits = ContainerLimits {
                cpus: cpus(random),
                max_memory: random
                    .pick(&[None, Some(MEMORY), Some(MEMORY / 2), Some(2 * MEMORY)])
                    .filter(|_| has_limit),
            };
            changes.push((at, limits));
            at += random.up_to(3000);
        }
    }
    changes
}
