use super::*;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

/// Four slots in four states, and a spare.
pub(in crate::admin) fn sample() -> Status {
    let empty = WorkerStatus {
        slot: None,
        instance: 0,
        state: "empty",
        pid: None,
        uptime_ms: 0,
        start_time_ms: None,
        restarts: 0,
        last_end: None,
        cpu_ms: None,
        resident: None,
        loop_delay_us: None,
        queue: None,
        relieved: None,
        inspect_port: None,
        relayed: None,
    };
    let worker = |slot, state, pid| WorkerStatus {
        slot: Some(slot),
        instance: slot,
        state,
        pid,
        ..empty.clone()
    };
    Status {
        version: "0.1.0".into(),
        mode: Mode::Workers,
        pid: 1,
        uptime_ms: 7_745_120,
        ready: true,
        reason: None,
        stopping: false,
        reloading: false,
        progress: None,
        crash_loop: false,
        draining: 1,
        target: 4,
        workers: vec![
            WorkerStatus {
                uptime_ms: 7_744_000,
                start_time_ms: Some(1_700_000_001_000),
                cpu_ms: Some(12_050),
                resident: Some(46 << 20),
                loop_delay_us: Some(312),
                queue: Some(0),
                relieved: Some(5),
                inspect_port: Some(9230),
                relayed: Some((7, 2)),
                ..worker(0, "ready", Some(8))
            },
            WorkerStatus {
                uptime_ms: 65_000,
                restarts: 3,
                last_end: Some("killed by SIGKILL".into()),
                cpu_ms: Some(3_605_000),
                resident: Some(1536 << 20),
                loop_delay_us: Some(1_500_000),
                queue: Some(128),
                ..worker(1, "draining", Some(4_194_304))
            },
            WorkerStatus {
                restarts: 1,
                last_end: Some("exit \"status\" 1".into()),
                ..worker(2, "waiting", None)
            },
            WorkerStatus {
                uptime_ms: 250,
                cpu_ms: Some(0),
                resident: Some(512 << 10),
                ..worker(3, "starting", Some(77))
            },
        ],
        spares: vec![WorkerStatus {
            instance: 4,
            uptime_ms: 250,
            ..WorkerStatus {
                state: "starting",
                pid: Some(78),
                ..empty.clone()
            }
        }],
        restarts: Restarts {
            exit: 3,
            hang: 0,
            memory: 1,
            age: 0,
        },
        oom_kills: Some(2),
        relieved: 12,
        max_memory: Some(300 << 20),
        container: ContainerStatus {
            cpu_ms: Some(90_000),
            cpu_limit: Some(1500),
            memory: Some(200 << 20),
            memory_limit: None,
        },
        ends: LastEnds::default(),
        totals: Totals {
            start_time_ms: 1_700_000_000_250,
            cpu_ms: Some(40),
            resident: Some(700_000),
            reloads_done: (2, 1_700_000_100_000),
            reloads_failed: (0, 0),
            exits: vec![
                (Ended::Code(1), 3),
                (Ended::Killed(crate::signal::Signal::KILL), 1),
            ],
            boots: Times {
                count: 5,
                sum_ms: 1250,
            },
            drains: Times {
                count: 2,
                sum_ms: 60_007,
            },
        },
    }
}

#[test]
fn the_table_is_aligned_and_narrow() {
    let mut status = sample();
    status.workers[0].inspect_port = None;
    status.workers[0].relieved = None;
    let table = status.table();
    let wanted = "\
pidone 0.1.0, pid 1, up 2 h 9 min: ready, 1 of 4 workers, 1 draining, OOM kills: 2
SLOT   STATE         PID     UPTIME  RESTARTS   CPU   MEMORY   DELAY  QUEUE  LAST END
0      ready           8  2 h 9 min         0  12 s   46 MiB  0.3 ms      0  -
1      draining  4194304  1 min 5 s         3   1 h  1.5 GiB   1.5 s    128  killed by SIGKILL
2      waiting         -          -         1     -        -       -      -  exit \"status\" 1
3      starting       77     250 ms         0  0 ms  512 KiB       -      -  -
spare  starting       78     250 ms         0     -        -       -      -  -
";
    assert_eq!(table, wanted, "\n{table}");
    assert!(table.lines().all(|line| line.len() <= 100));
}

/// The columns are two spaces or more apart.
fn cells(line: &str) -> Vec<&str> {
    let cells = line.split("  ").map(str::trim);
    cells.filter(|cell| !cell.is_empty()).collect()
}

#[test]
fn some_columns_are_shown_if_a_worker_has_a_value() {
    let table = sample().table();
    let column = |at: usize| {
        let lines = table.lines().skip(1);
        lines.map(|line| cells(line)[at]).collect::<Vec<_>>()
    };
    assert_eq!(column(9), ["RELIEVED", "5", "-", "-", "-", "-"]);
    assert_eq!(column(10), ["INSPECT", "9230", "-", "-", "-", "-"]);
}

#[test]
fn the_headline_shows_readiness_and_progress() {
    let headline = |change: fn(&mut Status)| {
        let mut status = sample();
        status.oom_kills = None;
        status.draining = 0;
        change(&mut status);
        status.table().lines().next().unwrap().to_owned()
    };
    let begin = "pidone 0.1.0, pid 1, up 2 h 9 min";
    assert_eq!(
        headline(|status| status.reloading = true),
        format!("{begin}: ready, 1 of 4 workers, reloading")
    );
    let reload = |status: &mut Status| {
        status.reloading = true;
        status.progress = Some(Progress { replaced: 3, of: 8 });
        status.draining = 2;
    };
    assert_eq!(
        headline(reload),
        format!("{begin}: ready, 1 of 4 workers, reload 3 of 8, 2 draining")
    );
    let crash_loop = |status: &mut Status| (status.crash_loop, status.stopping) = (true, true);
    assert_eq!(
        headline(crash_loop),
        format!("{begin}: ready, 1 of 4 workers, crash loop, stopping")
    );
    assert_eq!(
        headline(|status| (status.ready, status.stopping) = (false, true)),
        format!("{begin}: not ready, 1 of 4 workers, stopping")
    );
    let why = |status: &mut Status| {
        status.ready = false;
        status.reason = Some("unresponsive: no answer".into());
    };
    assert_eq!(
        headline(why),
        format!("{begin}: not ready (unresponsive: no answer), 1 of 4 workers")
    );
    assert_eq!(
        headline(|status| status.mode = Mode::Single),
        format!("{begin}: ready")
    );
}

#[test]
fn cpu_shares_cover_the_time_between_two_tables() {
    let before = sample();
    let mut now = sample();
    now.uptime_ms += 2000;
    now.workers[0].cpu_ms = Some(12_050 + 500);
    // A different process: there is nothing to compare.
    now.workers[1].pid = Some(99);
    let table = now.table_since(&before);
    let cell = |row: usize| {
        let line = table.lines().nth(row + 2).unwrap().to_owned();
        cells(&line)[5].to_owned()
    };
    assert_eq!(
        [cell(0), cell(1), cell(2), cell(3)],
        ["25.0%", "-", "-", "0.0%"],
        "{table}"
    );
    let at_once = before.table_since(&before);
    assert!(!at_once.contains('%'), "{at_once}");
}

#[test]
fn only_the_last_ends_are_kept() {
    let mut status = Status::default();
    for pid in 0..12 {
        status.ends.push(EndStatus {
            time_ms: 0,
            slot: None,
            instance: None,
            pid: Some(pid),
            what: String::new(),
        });
    }
    let json = status.json();
    let ends = Object::parse(json.as_bytes()).unwrap().get("ends").unwrap();
    let pid = |end: Value<'_>| number(end.object()?, "pid");
    let pids: Vec<i32> = ends.items().map(|end| pid(end).unwrap()).collect();
    assert_eq!(pids, (2..12).collect::<Vec<_>>());
}

/// The JSON is an interface for programs.
#[test]
fn the_json_has_these_members() {
    let mut status = sample();
    status.workers.truncate(2);
    status.reloading = true;
    status.progress = Some(Progress { replaced: 2, of: 4 });
    status.ends.push(EndStatus {
        time_ms: 1_700_000_009_000,
        slot: Some(1),
        instance: Some(1),
        pid: Some(7),
        what: "was killed by SIGKILL".into(),
    });
    let json = status.json();
    let wanted = concat!(
        r#"{"format":1,"version":"0.1.0","mode":"workers","pid":1,"uptime_ms":7745120,"#,
        r#""ready":true,"stopping":false,"reloading":true,"crash_loop":false,"reason":null,"#,
        r#""progress":{"replaced":2,"of":4},"target":4,"draining":1,"oom_kills":2,"relieved":12,"max_memory_bytes":314572800,"#,
        r#""container_cpu_ms":90000,"container_cpu_limit_millicores":1500,"container_memory_bytes":209715200,"#,
        r#""container_memory_limit_bytes":null,"#,
        r#""restarts":{"exit":3,"hang":0,"memory":1,"age":0},"#,
        r#""workers":[{"state":"ready","slot":0,"instance":0,"pid":8,"uptime_ms":7744000,"start_time_ms":1700000001000,"#,
        r#""restarts":0,"cpu_ms":12050,"resident_bytes":48234496,"loop_delay_us":312,"queue":0,"relieved":5,"inspect_port":9230,"#,
        r#""last_end":null},"#,
        r#"{"state":"draining","slot":1,"instance":1,"pid":4194304,"uptime_ms":65000,"start_time_ms":null,"#,
        r#""restarts":3,"cpu_ms":3605000,"resident_bytes":1610612736,"loop_delay_us":1500000,"#,
        r#""queue":128,"relieved":null,"inspect_port":null,"last_end":"killed by SIGKILL"}],"#,
        r#""spares":[{"state":"starting","slot":null,"instance":4,"pid":78,"uptime_ms":250,"start_time_ms":null,"#,
        r#""restarts":0,"cpu_ms":null,"resident_bytes":null,"loop_delay_us":null,"queue":null,"relieved":null,"inspect_port":null,"#,
        r#""last_end":null}],"#,
        r#""ends":[{"time_ms":1700000009000,"slot":1,"instance":1,"pid":7,"what":"was killed by SIGKILL"}]}"#,
    );
    assert_eq!(json, wanted);
}

#[test]
fn written_json_is_parsed_to_the_same_status() {
    let single = Status {
        version: "1".into(),
        ..Status::default()
    };
    let mut reloading = sample();
    reloading.progress = Some(Progress { replaced: 1, of: 4 });
    for mut status in [sample(), reloading, single] {
        status.totals = Totals::default();
        for worker in &mut status.workers {
            worker.relayed = None;
        }
        assert_eq!(Status::from_json(&status.json()), Some(status));
    }
    for text in ["", "{}", "[]", "{\"version\":\"1\"}", "ready"] {
        assert_eq!(Status::from_json(text), None, "{text}");
    }
    let unknown = sample().json().replace("\"draining\"", "\"dreaming\"");
    assert_eq!(Status::from_json(&unknown), None);
}
