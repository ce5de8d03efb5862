//! Rules for starts: how often, which at the same time, and when pidone gives up.

use std::ops::Range;

use super::*;

/// While no worker has ever been ready, pidone gives up after this many failures in a row.
const FIRST_BOOTS: u32 = 5;

pub struct Starts {
    /// By slot: unrequested starts since the last worker that was ready there.
    in_a_row: BTreeMap<usize, u32>,
    /// By slot, if readiness is not visible: runs in a row that have failed in a short time.
    failed: BTreeMap<usize, u32>,
    /// Slots that have had a worker; a further one is another attempt.
    tried: BTreeSet<usize>,
    /// The instance numbers of spares that have not been started yet.
    new_spares: BTreeSet<usize>,
    /// Some worker has been ready.
    any_served: bool,
    /// Some worker has asked for a listener.
    pub any_asked: bool,
    /// A change was requested since the start.
    any_request: bool,
    /// The exit being reported is that of a command.
    pub command_ended: bool,
}

impl Starts {
    pub fn new(new_spares: Range<usize>) -> Self {
        Self {
            in_a_row: BTreeMap::from([(0, 1)]),
            failed: BTreeMap::new(),
            tried: BTreeSet::from([0]),
            new_spares: new_spares.collect(),
            any_served: false,
            any_asked: false,
            any_request: false,
            command_ended: false,
        }
    }

    /// A start was requested, however often it has failed.
    pub fn wanted(&mut self) {
        self.any_request = true;
        self.in_a_row.clear();
        self.failed.clear();
    }

    /// A worker that served is replaced before it has exited: that does not count as a failure.
    pub fn lost(&mut self, member: Option<Member>) {
        if let Some(member) = member {
            self.failed.remove(&member.slot());
        }
    }
}

impl Oracle {
    /// Whether readiness is visible.
    fn shows_readiness(&self) -> bool {
        self.rule(|rules| Some(rules.ready))
            .is_some_and(|ready| ready != Readiness::None)
    }

    pub(super) fn is_command(&self, id: WorkerId, ended: Ended) -> bool {
        let listens = self.rule(|rules| Some(rules.ready)) == Some(Readiness::Listen);
        let told = self.known.get(&id).is_none_or(|seen| {
            seen.stopped || seen.retired.is_some() || (seen.disconnected && !seen.never_ready)
        });
        listens
            && self.channel()
            && self.config.restart.policy == RestartPolicy::Always
            && !self.starts.any_asked
            && !self.starts.any_served
            && !told
            && ended == Ended::Code(0)
            && !self.is_ending()
    }

    /// The allowed number of starts, or short runs, in a row.
    fn allowed(&self) -> u32 {
        let restarts = self.config.restart.max_restarts + 1;
        if self.starts.any_served {
            restarts
        } else {
            restarts.min(FIRST_BOOTS)
        }
    }

    pub(super) fn check_start(&mut self, start: &Start) -> Result<(), Broken> {
        let boots = |seen: &Seen| {
            let begins = seen.waits_since.is_none() && seen.member.is_some() && !seen.stopped;
            (begins || seen.boots()) && !seen.said_ready
        };
        let serves = |seen: &Seen| {
            let has_slot = seen.member.is_some() && seen.waits_since.is_some();
            let stopping = seen.stopped || seen.disconnected || seen.retired.is_some();
            has_slot && seen.said_ready && !stopping
        };
        let any_serves = self.known.values().any(serves);
        let any_boots = self.known.values().any(boots);
        let first = self.rule(|rules| Some(rules.boot)) == Some(Boot::First);
        must!(
            !first || any_serves || !(any_boots || start.member.is_none()),
            "another worker boots, and must be ready first"
        );
        let Some(slot) = start.member.map(Member::slot) else {
            let is_first = self.starts.new_spares.remove(&start.instance);
            return self.check_cpus(is_first);
        };
        let is_first_try = self.starts.tried.insert(slot);
        self.check_cpus(is_first_try && slot < self.least_wanted)?;
        let early = self.shows_readiness()
            && !self.starts.any_served
            && !any_serves
            && !self.starts.any_request;
        must!(
            is_first_try || !early || !any_boots,
            "another attempt, while another worker may become ready"
        );
        self.count_start(slot)
    }

    /// In the first start no more workers boot than there are CPUs, spares included.
    fn check_cpus(&self, is_first: bool) -> Result<(), Broken> {
        let boots = |seen: &Seen| {
            let leaves = seen.stopped || seen.disconnected || seen.dropped || seen.never_ready;
            !leaves && !seen.said_ready && !seen.has_served && !seen.rests()
        };
        let booting = self.known.values().filter(|seen| boots(seen)).count();
        let cpus = *self.limits.cpus.end();
        let all = self.rule(|rules| Some(rules.boot)) == Some(Boot::All);
        must!(
            !is_first || all || !self.shows_readiness() || booting < cpus,
            "{booting} boot already, on {cpus} CPUs"
        );
        Ok(())
    }

    /// Nothing is left waiting for a CPU that is free.
    fn check_waiting(&self, supervisor: &Supervisor) -> Result<(), Broken> {
        let waits = |slot: &SlotView| {
            slot.state == StateView::Waiting && !self.starts.tried.contains(&slot.slot)
        };
        let waiting = supervisor.slots().take(self.target).find(waits);
        let boots = |(id, seen): (&WorkerId, &Seen)| !self.serving.contains(id) && !seen.rests();
        let busy = self.known.iter().filter(|it| boots(*it)).count();
        let boot = self.rule(|rules| Some(rules.boot));
        let (first, all) = (boot == Some(Boot::First), boot == Some(Boot::All));
        // Until one is ready, they wait for that.
        let may_start = self.starts.any_served && (!first || !self.serving.is_empty());
        must!(
            waiting.is_none() || !may_start || (busy >= *self.limits.cpus.start() && !all),
            "slot {:?} waits for nothing",
            waiting.map(|slot| slot.slot)
        );
        Ok(())
    }

    /// A worker started in a slot where none serves or boots follows one that has failed.
    fn count_start(&mut self, slot: usize) -> Result<(), Broken> {
        let here = |seen: &Seen| seen.member.map(Member::slot) == Some(slot);
        let mut others = self.known.iter().filter(|(_, seen)| here(seen));
        let is_there = others.any(|(id, seen)| self.serving.contains(id) || seen.boots());
        if is_there || !self.shows_readiness() {
            return Ok(());
        }
        let allowed = self.allowed();
        let starts = self.starts.in_a_row.entry(slot).or_default();
        *starts += 1;
        must!(*starts <= allowed, "{starts} starts in a row");
        Ok(())
    }

    pub(super) fn count_admission(&mut self, member: Member) -> Result<(), Broken> {
        self.starts.tried.insert(member.slot());
        self.count_start(member.slot())
    }

    /// Workers are left in both members of a slot, so that a third one would share a member.
    fn is_draining_both(&self, slot: usize) -> bool {
        let member = Member::first_of(slot);
        let is_taken = |member| self.known.values().any(|seen| seen.member == Some(member));
        is_taken(member) && is_taken(member.other())
    }

    /// If only its exit shows whether a worker did well.
    pub(super) fn count_failure(&mut self, status: u8, now: Moment) {
        let Some(seen) = &self.just_gone else {
            return;
        };
        let (Some(member), Some(since)) = (seen.member, seen.waits_since) else {
            return;
        };
        let wanted = seen.retired.is_some() || seen.dropped;
        if self.shows_readiness() || wanted || self.is_ending() {
            return;
        }
        let failed = status != 0 && !self.config.expected.contains(&status);
        let is_short = now - since < self.config.restart.min_uptime;
        let count = self.starts.failed.entry(member.slot()).or_default();
        *count = if failed && is_short { *count + 1 } else { 0 };
    }

    pub(super) fn check_restarts(&mut self, supervisor: &Supervisor) -> Result<(), Broken> {
        for seen in self.known.values().chain(&self.just_gone) {
            if let Some(member) = seen.member.filter(|_| seen.has_served) {
                self.starts.any_served |= self.shows_readiness();
                self.starts.in_a_row.remove(&member.slot());
            }
        }
        must!(
            !self.starts.command_ended || self.end.command || self.exited,
            "a finished command is treated as a server"
        );
        let ending = self.is_ending() || self.end.child_asked || self.exited;
        if self.config.restart.policy != RestartPolicy::Never && !ending {
            let most = self.config.restart.max_restarts;
            let failing = self.starts.failed.values().find(|count| **count > most);
            must!(failing.is_none(), "{failing:?} runs in a row have failed");
        }
        if !ending {
            self.check_waiting(supervisor)?;
        }
        let waits = |state| state == StateView::Waiting;
        let empty = supervisor
            .slots()
            .take(self.target)
            .find(|slot| waits(slot.state) && !self.is_draining_both(slot.slot));

        let idle = self.known.iter().find(|(_, seen)| seen.rests());
        if let (Some(slot), Some((id, _)), false) = (empty, idle, ending) {
            return Err(format!("{id:?} is booted, but slot {} is empty", slot.slot));
        }
        Ok(())
    }
}
