//! What must hold of starts: how often, who beside whom, and when it is over.

use super::*;

/// While none has ever been ready, so many in a row that fail are the end.
const FIRST_BOOTS: u32 = 5;

pub struct Starts {
    /// By slot: starts that people have not asked for, since the last worker that got ready there.
    in_a_row: BTreeMap<usize, u32>,
    /// By slot, where nothing shows when a worker is ready: runs that have failed in a short time.
    failed: BTreeMap<usize, u32>,
    /// Slots that have had a worker, so that another one is a second attempt.
    tried: BTreeSet<usize>,
    /// Some worker has been ready.
    anybody_served: bool,
    /// Some worker has asked for a listener.
    pub anybody_asked: bool,
    /// People have asked for a change since the start.
    any_wish: bool,
    /// The end that is told is that of a command.
    pub command_ended: bool,
}

impl Starts {
    pub fn new() -> Self {
        Self {
            in_a_row: BTreeMap::from([(0, 1)]),
            failed: BTreeMap::new(),
            tried: BTreeSet::from([0]),
            anybody_served: false,
            anybody_asked: false,
            any_wish: false,
            command_ended: false,
        }
    }

    /// Somebody wants something to be started, however often it has failed.
    pub fn wanted(&mut self) {
        self.any_wish = true;
        self.in_a_row.clear();
        self.failed.clear();
    }

    /// A worker that served is replaced before it has ended: that is no failure in the row.
    pub fn lost(&mut self, member: Option<Member>) {
        if let Some(member) = member {
            self.failed.remove(&member.slot());
        }
    }
}

impl Oracle {
    /// Something shows when a worker is ready.
    fn tells(&self) -> bool {
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
            && !self.starts.anybody_asked
            && !self.starts.anybody_served
            && !told
            && ended == Ended::Code(0)
            && !self.is_ending()
    }

    /// So many starts, or short runs, in a row are allowed.
    fn allowed(&self) -> u32 {
        let restarts = self.config.restart.max_restarts + 1;
        if self.starts.anybody_served {
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
            let has_place = seen.member.is_some() && seen.waits_since.is_some();
            let leaves = seen.stopped || seen.disconnected || seen.retired.is_some();
            has_place && seen.said_ready && !leaves
        };
        let somebody_serves = self.known.values().any(serves);
        let somebody_boots = self.known.values().any(boots);
        let first = self.rule(|rules| Some(rules.boot)) == Some(Boot::First);
        must!(
            !first || somebody_serves || !(somebody_boots || start.member.is_none()),
            "somebody else boots, and is to be the first"
        );
        let Some(slot) = start.member.map(Member::slot) else {
            return Ok(());
        };
        let is_first_try = self.starts.tried.insert(slot);
        let early = self.tells()
            && !self.starts.anybody_served
            && !somebody_serves
            && !self.starts.any_wish;
        must!(
            is_first_try || !early || !somebody_boots,
            "another try, while somebody else may get ready"
        );
        self.count_start(slot)
    }

    /// Whoever is started in a slot where nobody serves or boots follows one that has failed.
    fn count_start(&mut self, slot: usize) -> Result<(), Broken> {
        let here = |seen: &Seen| seen.member.map(Member::slot) == Some(slot);
        let mut others = self.known.iter().filter(|(_, seen)| here(seen));
        let is_there = others.any(|(id, seen)| self.serving.contains(id) || seen.boots());
        if is_there || !self.tells() {
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

    /// Where nothing else shows whether a worker did well.
    pub(super) fn count_failure(&mut self, status: u8, now: Moment) {
        let Some(seen) = &self.just_gone else {
            return;
        };
        let (Some(member), Some(since)) = (seen.member, seen.waits_since) else {
            return;
        };
        if self.tells() || seen.retired.is_some() || self.is_ending() {
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
                self.starts.anybody_served |= self.tells();
                self.starts.in_a_row.remove(&member.slot());
            }
        }
        must!(
            !self.starts.command_ended || self.end.command || self.exited,
            "a command that is done is taken for a server"
        );
        let ending = self.is_ending() || self.end.child_asked || self.exited;
        if self.config.restart.policy != RestartPolicy::Never && !ending {
            let most = self.config.restart.max_restarts;
            let looping = self.starts.failed.values().find(|count| **count > most);
            must!(looping.is_none(), "{looping:?} runs in a row have failed");
        }
        let waits = |state| state == StateView::Waiting;
        let empty = supervisor
            .slots()
            .take(self.target)
            .find(|slot| waits(slot.state));

        let idle = self.known.iter().find(|(_, seen)| seen.rests());
        if let (Some(slot), Some((id, _)), false) = (empty, idle, ending) {
            return Err(format!("{id:?} is booted, and slot {} is empty", slot.slot));
        }
        Ok(())
    }
}
