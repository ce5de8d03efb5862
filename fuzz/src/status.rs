//! The status: as JSON and back, as a table, and as metrics. The input is either its JSON, or bytes from which a status is
//! made.

use pidone::admin::http::Format;
use pidone::admin::metrics;
use pidone::admin::status::{
    ContainerStatus, LastEnds, Mode, Restarts, STATES, Status, Totals, WorkerStatus,
};
use pidone::supervisor::Progress;

use super::choices::Choices;
use super::openmetrics;

pub fn check(data: &[u8]) {
    let (status, before) = match std::str::from_utf8(data).ok().and_then(Status::from_json) {
        Some(status) => (status, Status::default()),
        None => {
            let mut choices = Choices(data);
            (status(&mut choices), status(&mut choices))
        }
    };
    let json = status.json();
    assert!(!json.contains('\n'));
    assert_eq!(Status::from_json(&json).as_ref(), Some(&status), "{json}");
    let rows = 2 + status.workers.len() + status.spares.len();
    for table in [status.table(), status.table_since(&before)] {
        let is_bare = |letter: char| letter.is_control() && letter != '\n';
        assert!(!table.contains(is_bare), "{table:?}");
        assert_eq!(table.lines().count(), rows, "{table}");
    }
    // Metrics are made by pidone only, from its own status.
    let own = Status {
        version: env!("CARGO_PKG_VERSION").into(),
        ..made_by_pidone(status)
    };
    let states = STATES.len() * (own.workers.len() + own.spares.len());
    assert!(openmetrics::samples(&metrics::text(&own, Format::OpenMetrics, None)) > states);
}

/// Every slot and every spare has a number of its own.
fn made_by_pidone(mut status: Status) -> Status {
    for (slot, worker) in status.workers.iter_mut().enumerate() {
        worker.slot = Some(slot);
    }
    for (instance, spare) in status.spares.iter_mut().enumerate() {
        (spare.slot, spare.instance) = (None, instance);
    }
    status
}

/// pidone's JSON reader takes numbers up to `i64::MAX`.
fn number(choices: &mut Choices<'_>) -> u64 {
    choices.number() & i64::MAX.unsigned_abs()
}

fn maybe(choices: &mut Choices<'_>) -> Option<u64> {
    choices.flag().then(|| number(choices))
}

#[allow(clippy::cast_possible_truncation)]
fn status(choices: &mut Choices<'_>) -> Status {
    let workers = |choices: &mut Choices<'_>| {
        let count = choices.byte() % 4;
        (0..count).map(|_| worker(choices)).collect()
    };
    Status {
        version: choices.text(),
        mode: if choices.flag() {
            Mode::Workers
        } else {
            Mode::Single
        },
        pid: number(choices) as u32,
        uptime_ms: number(choices),
        ready: choices.flag(),
        reason: choices.flag().then(|| choices.text()),
        stopping: choices.flag(),
        reloading: choices.flag(),
        progress: choices.flag().then(|| Progress {
            replaced: usize::from(choices.byte()),
            of: usize::from(choices.byte()),
        }),
        crash_loop: choices.flag(),
        draining: usize::from(choices.byte()),
        target: number(choices) as u16 as usize,
        workers: workers(choices),
        spares: workers(choices),
        restarts: Restarts {
            exit: number(choices),
            hang: number(choices),
            memory: number(choices),
            age: number(choices),
        },
        oom_kills: maybe(choices),
        relieved: number(choices),
        max_memory: maybe(choices),
        container: ContainerStatus {
            cpu_ms: maybe(choices),
            cpu_limit: maybe(choices),
            memory: maybe(choices),
            memory_limit: maybe(choices),
        },
        ends: LastEnds::default(),
        totals: Totals::default(),
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)]
fn worker(choices: &mut Choices<'_>) -> WorkerStatus {
    WorkerStatus {
        slot: maybe(choices).map(|slot| slot as u16 as usize),
        instance: number(choices) as u16 as usize,
        state: STATES[usize::from(choices.byte()) % STATES.len()],
        pid: maybe(choices).map(|pid| pid as i32 & i32::MAX),
        uptime_ms: number(choices),
        start_time_ms: maybe(choices),
        restarts: number(choices) as u32,
        last_end: choices.flag().then(|| choices.text()),
        cpu_ms: maybe(choices),
        resident: maybe(choices),
        loop_delay_us: maybe(choices),
        queue: maybe(choices).map(|queue| queue as u32),
        relieved: maybe(choices),
        inspect_port: maybe(choices).map(|port| port as u16),
        relayed: None,
    }
}
