//! The container's limits change while it lives.

use super::*;

const TWO_SECONDS: Duration = Duration::from_secs(2);

impl Run {
    /// `-i auto` with so many CPUs.
    fn auto(cpus: usize) -> Self {
        let config = workers_with(1, |rules| rules.instances = Instances::Auto);
        Self::begin_on(cpus, &config).all_ready(&config)
    }

    /// The limits are read, and allow this.
    fn limits(&mut self, cpus: usize, max_memory: Option<u64>) -> Vec<Action> {
        self.tell(Event::Limits(ContainerLimits { cpus, max_memory }))
    }

    fn cpus(&mut self, cpus: usize) -> Vec<Action> {
        self.limits(cpus, None)
    }
}

fn changed(from: usize, to: usize) -> Action {
    report(Report::CpusChanged { from, to })
}

#[test]
fn workers_are_added_when_more_cpus_have_settled() {
    let mut run = Run::auto(1);
    assert_eq!(run.cpus(2), []);
    run.after(TWO_SECONDS - MS);
    assert_eq!(run.tell(Event::Tick), []);
    let actions = run.tick();
    assert_eq!(run.now, TWO_SECONDS);
    let expected = [changed(1, 2), start(2, 1, Some(2)), steer(&[Some(0), None])];
    assert_eq!(actions, expected);
    run.started(2);
    let done = report(Report::ScaleDone { workers: 2 });
    assert!(run.ready(2).contains(&done));
    assert_eq!(run.supervisor.next_deadline(), None);
}

#[test]
fn workers_that_fewer_cpus_remove_are_drained() {
    let mut run = Run::auto(2);
    run.cpus(1);
    assert_eq!(run.tick(), [changed(2, 1), steer(&[Some(0), None])]);
    let scaled = report(Report::ScaleDone { workers: 1 });
    assert_eq!(done(run.drains(2)), [steer(&[Some(0)]), scaled]);
    assert_eq!(run.supervisor.next_deadline(), None);
}

#[test]
fn limits_that_change_again_settle_again() {
    let mut run = Run::auto(1);
    run.cpus(2);
    run.after(SECOND).cpus(3);
    // Written again, but not changed.
    run.after(SECOND).cpus(3);
    assert_eq!(run.tick()[0], changed(1, 3));
    assert_eq!(run.now, 3 * SECOND);
}

#[test]
fn limits_that_are_restored_in_time_change_nothing() {
    let mut run = Run::auto(2);
    run.cpus(1);
    run.after(SECOND).cpus(2);
    assert_eq!(run.supervisor.next_deadline(), None);
}

#[test]
fn a_number_set_by_a_user_stays() {
    for by_signal in [true, false] {
        let mut run = Run::auto(2);
        if by_signal {
            run.signal(Signal::TTOU);
        } else {
            run.asks(scale(ScaleTo::Number(1)));
        }
        run.drains(2);
        run.cpus(4);
        assert_eq!(run.tick(), []);
        assert_eq!(run.supervisor.target(), 1);
        assert_eq!(run.supervisor.next_deadline(), None);
    }
}

#[test]
fn an_explicit_number_stays() {
    let mut run = Run::serving(&workers(2));
    run.cpus(4);
    assert_eq!(run.tick(), []);
    assert_eq!(run.supervisor.target(), 2);
}

#[test]
fn scale_auto_follows_the_limit_again() {
    let mut run = Run::auto(2);
    run.asks(scale(ScaleTo::Number(1)));
    run.drains(2);
    // The newest limit counts, even before it has settled.
    run.cpus(3);
    let to_three = report(Report::Scaled { from: 1, to: 3 });
    assert_eq!(run.asks(scale(ScaleTo::Auto))[0], to_three);
    for worker in [3, 4] {
        run.started(worker);
        run.ready(worker);
    }
    assert_eq!(run.supervisor.next_deadline(), None);
    run.cpus(2);
    assert_eq!(run.tick()[0], changed(3, 2));
}

#[test]
fn a_limit_that_is_undone_after_scale_auto_is_followed() {
    let mut run = Run::auto(2);
    run.cpus(3);
    run.asks(scale(ScaleTo::Auto));
    assert_eq!(run.supervisor.target(), 3);
    run.cpus(2);
    run.after(TWO_SECONDS);
    assert_eq!(run.tell(Event::Tick)[0], changed(3, 2));
}

#[test]
fn scale_auto_does_not_follow_the_limit_with_an_explicit_number() {
    let config = workers(2);
    let mut run = Run::begin_on(3, &config).all_ready(&config);
    run.asks(scale(ScaleTo::Auto));
    assert_eq!(run.supervisor.target(), 3);
    run.cpus(1);
    assert_eq!(run.tick(), []);
    assert_eq!(run.supervisor.target(), 3);
}

#[test]
fn limits_that_change_before_the_first_start_are_followed_after_it() {
    let config = workers_with(1, |rules| rules.instances = Instances::Auto);
    let mut run = Run::begin_on(1, &config);
    run.cpus(2);
    run.after(SECOND * 5);
    assert_ne!(run.supervisor.next_deadline(), Some(TWO_SECONDS));
    assert_eq!(run.tell(Event::Tick), []);
    run.started(1);
    assert_eq!(run.tell(Event::Tick)[0], changed(1, 2));
}

#[test]
fn limits_are_not_followed_in_a_stop() {
    let mut run = Run::auto(2);
    run.cpus(4);
    run.signal(Signal::TERM);
    run.after(TWO_SECONDS);
    let actions = run.tell(Event::Tick);
    assert!(!actions.contains(&changed(2, 4)), "{actions:?}");
    assert_eq!(run.supervisor.target(), 2);
}

#[test]
fn the_number_of_workers_stays_within_what_is_possible() {
    let mut run = Run::auto(1);
    run.cpus(5000);
    assert_eq!(run.tick()[0], changed(1, usize::from(Instances::MAX)));
}

#[test]
fn the_memory_limit_of_workers_follows() {
    let mut run = Run::serving(&workers_with(1, |workers| {
        workers.max_memory = Some(MemoryLimit::Bytes(100));
    }));
    let uses = |run: &mut Run, bytes| {
        let worker = WorkerId(1);
        done(run.tell(Event::Memory { worker, bytes }))
    };
    run.limits(1, Some(200));
    run.after(TWO_SECONDS);
    let to_200 = report(Report::MemoryChanged { from: 100, to: 200 });
    assert_eq!(run.tell(Event::Tick), [to_200]);
    assert_eq!(uses(&mut run, 150), []);
    // Without a limit the last value stays.
    run.limits(1, None);
    run.after(TWO_SECONDS);
    assert_eq!(run.tell(Event::Tick), []);
    assert_eq!(uses(&mut run, 150), []);
    run.limits(1, Some(140));
    run.after(TWO_SECONDS);
    let to_140 = report(Report::MemoryChanged { from: 200, to: 140 });
    assert!(run.tell(Event::Tick).contains(&to_140));
    let actions = uses(&mut run, 150);
    let reason = Reason::Memory {
        bytes: 150,
        limit: 140,
    };
    let worker = WorkerId(1);
    let recycled = report(Report::Recycled { worker, reason });
    assert_eq!(actions[0], recycled);
}
