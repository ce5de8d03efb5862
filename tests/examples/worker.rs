//! examples/worker: jobs of a real queue in a real Redis, through a reload and a stop.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::example::Example;
use crate::harness::Pidone;
use crate::harness::redis::Redis;
use crate::harness::service::Service;

/// Adds jobs at the pace at which two workers do them, until its stdin ends.
const FEEDER: &str = "
    import { setTimeout as sleep } from 'node:timers/promises';
    import { Queue } from 'bullmq';
    import { connection, name } from './queue.js';
    const queue = new Queue(name, { connection });
    let [added, ended] = [0, false];
    process.stdin.on('end', () => { ended = true; }).resume();
    while (!ended) {
        await queue.addBulk(Array.from({ length: 8 }, () => ({ name: 'job', data: { ms: 200 } })));
        added += 8;
        await sleep(200);
    }
    console.log('added', added);
    process.exit(0);
";

/// What a queue knows of its jobs.
const COUNTS: &str = "
    import { Queue } from 'bullmq';
    import { connection, name } from './queue.js';
    const counts = await new Queue(name, { connection }).getJobCounts();
    console.log(Object.entries(counts).filter(([, count]) => count > 0).join(' '));
    process.exit(0);
";

/// How many add.js adds.
const FIRST: usize = 20;

/// Runs a script of the example, and returns what it says.
#[track_caller]
fn node(directory: &Path, redis: &str, arguments: &[&str]) -> String {
    let mut command = Command::new("node");
    command.args(arguments).env("REDIS_URL", redis);
    let output = command.current_dir(directory).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// How often each job was begun, and done.
#[derive(Default)]
struct Jobs(BTreeMap<String, (usize, usize)>);

impl Jobs {
    fn note(&mut self, line: &str) {
        let (word, number) = line.split_once(' ').unwrap();
        let (begun, done) = self.0.entry(number.to_owned()).or_default();
        match word {
            "begun" => *begun += 1,
            "done" => *done += 1,
            _ => panic!("{line}"),
        }
    }

    fn done(&self) -> usize {
        self.0.values().map(|(_, done)| done).sum()
    }

    /// Reads on until so many are done in all, with others in progress.
    fn until_done(&mut self, service: &Service, count: usize) {
        while self.done() < count {
            self.note(&service.run.line());
        }
    }

    /// None in progress, and none twice.
    #[track_caller]
    fn each_once(&self) {
        let odd: Vec<_> = self
            .0
            .iter()
            .filter(|(_, times)| **times != (1, 1))
            .collect();
        assert!(odd.is_empty(), "begun and done: {odd:?}");
    }
}

#[test]
fn no_job_is_lost_or_done_twice() {
    let Some(redis) = Redis::start("no_job_is_lost_or_done_twice") else {
        return;
    };
    let url = &redis.url;
    let start = |example: Example| {
        let service = example.start_with("-- ", |pidone| pidone.env("REDIS_URL", url));
        service.until_ready()
    };
    let service = start(Example::named("worker"));
    let example = Example::named("worker");
    let directory = example.directory().path(".");
    node(&directory, url, &["add.js", &FIRST.to_string(), "200"]);
    let feeder = example.directory().file("feeder.mjs", FEEDER, 0o644);
    let feeder = ["node", feeder.to_str().unwrap()];
    let mut feeder = Pidone::program(feeder).env("REDIS_URL", url).start();

    // With jobs in progress all the time.
    let mut jobs = Jobs::default();
    jobs.until_done(&service, FIRST);
    let old = service.workers();
    service.reload();
    assert!(service.workers().is_disjoint(&old));
    let done = jobs.done();
    jobs.until_done(&service, done + FIRST);
    let end = service.stop();
    end.code(0);
    end.text().lines().for_each(|line| jobs.note(line));
    jobs.each_once();

    // Whoever comes next does the rest.
    feeder.close_stdin();
    let all = FIRST + feeder.expect("added ").parse::<usize>().unwrap();
    feeder.end().code(0);
    let service = start(Example::named("worker"));
    jobs.until_done(&service, all);
    service.stop().code(0);
    jobs.each_once();

    // The queue's own view of it.
    let counts = example.directory().file("counts.mjs", COUNTS, 0o644);
    let counts = node(&directory, url, &[counts.to_str().unwrap()]);
    assert_eq!(counts.trim(), format!("completed,{all}"));
}
