//! Every pair of step and event, against a table written by hand.

mod diagram;

use super::*;
use DrainEffect::{
    Abort, Announce, CheckPending, Disconnect, DrainEach, Finish, Kill, ReportOverdue, SteerAway,
    StopSignal, Wake,
};
use DrainStep::{
    Completing, Disconnected, Finishing, Killed, QueueDrained, Serving, Signalled, SteeredAway,
    Told,
};
use alloc::format;
use alloc::vec::Vec;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// The grace period is from 0 s to 10 s: half of it is 5 s, four fifths are 8 s.
const NOW: Moment = Duration::from_secs(6);

const EVENTS: [DrainEvent; 10] = [
    DrainEvent::Due,
    DrainEvent::Checked(Pending::Queued),
    DrainEvent::Checked(Pending::Unread),
    DrainEvent::Checked(Pending::Nothing),
    DrainEvent::Finished,
    DrainEvent::ListenersClosed,
    DrainEvent::ChannelClosed,
    DrainEvent::StopAgain,
    DrainEvent::GraceOver,
    DrainEvent::KillAll,
];

/// The rows of [`TABLE`]. `Settled`: unread connections have had their time; `Late`: half of the
/// grace period is over.
fn steps() -> [(&'static str, DrainStep); 11] {
    let at = NOW + 2 * SECOND;
    let away = |ms| SteeredAway {
        since: NOW - ms * MS,
        check_at: NOW,
    };
    [
        ("Serving", Serving { until: NOW }),
        ("SteeredAway", away(249)),
        ("Settled", away(250)),
        ("Late", away(5000)),
        ("QueueDrained", QueueDrained { since: NOW }),
        ("Finishing", Finishing { signal_at: at }),
        ("Completing", Completing { signal_at: at }),
        ("Disconnected", Disconnected { signal_at: at }),
        ("Signalled", Signalled { disconnect_at: at }),
        ("Told", Told),
        ("Killed", Killed),
    ]
}

/// The columns are [`EVENTS`]; `.`: nothing changes.
const TABLE: &str = "
              Due        queued unread  nothing finished listeners  channel again over kill
Serving       away       .      .       .       .        .          .       .     over kill
SteeredAway   check      .      .       drained .        .          .       .     over kill
Settled       check      .      drained drained .        .          .       .     over kill
Late          drained    .      drained drained .        .          .       .     over kill
QueueDrained  .          .      .       .       .        .          .       .     over kill
Finishing     signal     .      .       .       signal   .          now     .     over kill
Completing    last       .      .       .       .        .          .       last  over kill
Disconnected  last       .      .       .       .        .          soon    .     over kill
Signalled     disconnect .      .       .       .        disconnect told    .     over kill
Told          .          .      .       .       .        .          .       .     over kill
Killed        .          .      .       .       .        .          .       .     .    .
";

fn rules() -> impl Iterator<Item = DrainRules> {
    (0..8).map(|bits| DrainRules {
        channel: true,
        can_steer: bits & 1 > 0,
        stop: if bits & 2 > 0 {
            StopMode::Drain
        } else {
            StopMode::Signal
        },
        stop_signal: Signal::TERM,
        http_drain: (bits & 4 > 0).then_some(2 * SECOND),
        drain_delay: SECOND,
        grace: 10 * SECOND,
        kills: true,
    })
}

/// All workers, and every kind of worker.
fn subjects() -> impl Iterator<Item = Option<WorkerFacts>> {
    let workers = (0..16).map(|bits| {
        Some(WorkerFacts {
            is_ready: bits & 1 > 0,
            has_channel: bits & 2 > 0,
            listens: bits & 4 > 0,
            handles_stop: bits & 8 > 0,
        })
    });
    core::iter::once(None).chain(workers)
}

fn for_all_facts(mut check: impl FnMut(&DrainFacts<'_>)) {
    for rules in rules() {
        for worker in subjects() {
            check(&DrainFacts {
                now: NOW,
                since: Moment::ZERO,
                rules: &rules,
                worker,
            });
        }
    }
}

/// What a word of [`TABLE`] means for a step.
fn outcome(word: &str, step: DrainStep, facts: &DrainFacts<'_>) -> (DrainStep, Vec<DrainEffect>) {
    let since = match step {
        SteeredAway { since, .. } => since,
        _ => NOW,
    };
    let signal_at = 8 * SECOND;
    let has_channel = facts.worker.is_some_and(|worker| worker.has_channel);
    let (step, effects) = match word {
        "." => (step, &[][..]),
        "away" if !facts.rules.can_steer => return outcome("drained", step, facts),
        "away" | "check" => {
            let check_at = (NOW + 10 * MS).min(since + 5 * SECOND);
            let effect = if word == "away" {
                &[SteerAway]
            } else {
                &[CheckPending]
            };
            (SteeredAway { since, check_at }, &effect[..])
        }
        "drained" => match facts.worker {
            None => (QueueDrained { since }, &[DrainEach][..]),
            Some(_) if !has_channel || facts.rules.stop == StopMode::Signal => {
                return outcome("signal", step, facts);
            }
            Some(worker) if worker.handles_stop => (Finishing { signal_at }, &[Finish, Wake][..]),
            Some(_) => (Disconnected { signal_at }, &[Disconnect, Wake][..]),
        },
        "signal" if has_channel => {
            let listens = facts.worker.is_some_and(|worker| worker.listens);
            let disconnect_at = if listens { 8 * SECOND } else { NOW + 50 * MS };
            (Signalled { disconnect_at }, &[StopSignal, Wake][..])
        }
        "signal" | "last" => (Told, &[StopSignal, Wake][..]),
        "now" => (Finishing { signal_at: NOW }, &[][..]),
        "soon" => (
            Disconnected {
                signal_at: NOW + 500 * MS,
            },
            &[][..],
        ),
        "disconnect" => (Told, &[Disconnect][..]),
        "told" => (Told, &[][..]),
        "over" => (Killed, &[ReportOverdue, Kill][..]),
        "kill" => (Killed, &[Kill][..]),
        _ => panic!("{word}"),
    };
    (step, effects.to_vec())
}

/// A drain never goes back to a step with a lower rank.
fn rank(step: DrainStep) -> u8 {
    match step {
        Serving { .. } => 0,
        SteeredAway { .. } => 1,
        QueueDrained { .. } => 2,
        Finishing { .. } | Completing { .. } | Disconnected { .. } => 3,
        Signalled { .. } => 4,
        Told => 5,
        Killed => 6,
    }
}

#[test]
fn every_step_answers_every_event_as_the_table_says() {
    let mut rows = TABLE.trim().lines().skip(1);
    for (name, step) in steps() {
        let mut words = rows.next().unwrap().split_whitespace();
        assert_eq!(words.next(), Some(name));
        let words: Vec<_> = words.collect();
        assert_eq!(words.len(), EVENTS.len());
        for (event, word) in EVENTS.into_iter().zip(words) {
            for_all_facts(|facts| {
                let (next, effects) = step.next(event, facts);
                let expected = outcome(word, step, facts);
                assert_eq!(
                    (next, effects.to_vec()),
                    expected,
                    "{name}, {event:?}: {facts:?}"
                );
            });
        }
    }
    assert_eq!(rows.next(), None);
}

#[test]
fn a_drain_only_goes_forward_and_kills_once() {
    for (_, step) in steps() {
        for event in EVENTS {
            for_all_facts(|facts| {
                let (next, effects) = step.next(event, facts);
                assert!(rank(next) >= rank(step), "{step:?}, {event:?}: {next:?}");
                let is_killed = step != Killed && next == Killed;
                assert_eq!(effects.contains(&Kill), is_killed, "{step:?}, {event:?}");
                let ends = matches!(next, QueueDrained { .. } | Told | Killed);
                assert_eq!(next.deadline().is_none(), ends, "{next:?}");
            });
        }
    }
}

#[test]
fn the_first_step_depends_on_why_the_drain_begins() {
    for_all_facts(|facts| {
        let is_ready = facts.worker.is_none_or(|worker| worker.is_ready);
        let has_channel = facts.worker.is_some_and(|worker| worker.has_channel);
        let begin = |start| {
            let (step, effects) = DrainStep::begin(start, facts);
            (step, effects.to_vec())
        };
        let word = |word| outcome(word, Killed, facts);
        let signal_at = 8 * SECOND;
        let announced = (
            Serving {
                until: NOW + 2 * SECOND,
            },
            [Announce].to_vec(),
        );
        let delayed = (
            Serving {
                until: NOW + SECOND,
            },
            [Announce].to_vec(),
        );
        let retired = match facts.rules.http_drain {
            _ if !is_ready => word("signal"),
            Some(_) if has_channel || facts.worker.is_none() => announced,
            None if facts.worker.is_none() => delayed,
            _ => word("away"),
        };
        assert_eq!(begin(DrainStart::Retire), retired, "{facts:?}");
        let drained = word(if is_ready { "drained" } else { "signal" });
        assert_eq!(begin(DrainStart::QueueDrained), drained, "{facts:?}");
        let told = |effects: &[DrainEffect]| (Told, effects.to_vec());
        assert_eq!(begin(DrainStart::Hung), told(&[Abort, Wake]));
        assert_eq!(begin(DrainStart::Signal), told(&[]));
        assert_eq!(begin(DrainStart::Kill), (Killed, [Kill].to_vec()));
        let disconnects = (Disconnected { signal_at }, Vec::new());
        assert_eq!(begin(DrainStart::Disconnects), disconnects);
        if facts.worker.is_none() {
            return;
        }
        let never_ready = if has_channel {
            (
                Disconnected {
                    signal_at: NOW + 500 * MS,
                },
                [Disconnect].to_vec(),
            )
        } else {
            word("signal")
        };
        assert_eq!(begin(DrainStart::NeverReady), never_ready, "{facts:?}");
        let told: &[_] = if has_channel { &[Disconnect] } else { &[] };
        let completes = (Completing { signal_at }, told.to_vec());
        assert_eq!(begin(DrainStart::Complete), completes, "{facts:?}");
    });
}

#[test]
fn the_diagram_shows_every_step() {
    let source = include_str!("../drain.rs").lines();
    let diagram: Vec<_> = source.take_while(|line| line.starts_with("//!")).collect();
    for (_, step) in steps() {
        let step = format!("{step:?}");
        let name = step.split(' ').next().unwrap();
        assert!(diagram.iter().any(|line| line.contains(name)), "{name}");
    }
}
