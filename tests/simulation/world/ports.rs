//! The ports of the simulated kernel: the real registry decides about them, and its decisions are
//! compared with a simpler model of who listens where.

use std::collections::{BTreeMap, BTreeSet};

use pidone::channel::cluster::FromWorker;
use pidone::channel::frame::Line;
use pidone::channel::query::{Data, ListenerKey};
use pidone::ports::{BindRights, Origin, PortId, Registry, Wanted};
use pidone::rules::{Balance, RunRules};
use pidone::supervisor::{Member, Supervisor, Unready, WorkerId};

use crate::oracle::Broken;
use pidone_testkit::random::Random;

/// linux/bpf_common.h: the instruction that chooses a member.
const RETURN: u16 = 0x06;

pub struct Ports {
    random: Random,
    balance: Balance,
    registry: Registry,
    /// The number of sockets of each group; 0: one socket for all members.
    open: BTreeMap<PortId, usize>,
    /// Where the kernel sends new connections; without an entry, to any member.
    steered: BTreeMap<PortId, BTreeSet<Member>>,
    is_closed: bool,
    /// The member of each worker, and its ports.
    workers: BTreeMap<WorkerId, (Member, BTreeSet<PortId>)>,
    /// The queues in which connections wait.
    queues: BTreeSet<(PortId, Member)>,
    last_taker: BTreeMap<PortId, WorkerId>,
    /// The number of members in each group.
    members: usize,
    has_changed: bool,
    broken: Option<Broken>,
}

impl Ports {
    pub fn new(seed: u64, config: &RunRules) -> Self {
        let mut random = Random::new(!seed);
        let balance = random.pick(&[
            Balance::Auto,
            Balance::ReusePort,
            Balance::SourceIp,
            Balance::Shared,
            Balance::RoundRobin,
        ]);
        let mut ports = Self {
            registry: Registry::new(balance, BindRights::Own, b"/".into()),
            random,
            balance,
            open: BTreeMap::new(),
            steered: BTreeMap::new(),
            is_closed: false,
            workers: BTreeMap::new(),
            queues: BTreeSet::new(),
            last_taker: BTreeMap::new(),
            members: 0,
            has_changed: false,
            broken: None,
        };
        if config.listens {
            ports.bind(Origin::Named, &key("/app.sock"));
            ports.bind(Origin::Named, &tcp(8080));
        }
        ports
    }

    fn bind(&mut self, origin: Origin, key: &ListenerKey) -> Option<PortId> {
        let address = Wanted::new(key, 0, 0).address()?.clone();
        let is_group = self.registry.is_for_group(&address);
        let port = self.registry.insert(origin, address, is_group);
        self.open.insert(port, usize::from(is_group));
        self.grow();
        Some(port)
    }

    /// A worker has a member from now on.
    pub fn add(&mut self, worker: WorkerId, member: Member) {
        self.workers.insert(worker, (member, BTreeSet::new()));
        self.members = self.members.max((member.slot() + 1) * Member::PER_SLOT);
        self.grow();
    }

    fn grow(&mut self) {
        for (port, sockets) in &mut self.open {
            while self.registry.lacks_members(*port, self.members) {
                *sockets += 1;
                self.registry.grown(*port);
            }
        }
        self.steer();
    }

    /// It listens on the app's port and maybe on another one. Some apps take any free port instead.
    pub fn listen(&mut self, worker: WorkerId) {
        let number = self.random.pick(&[8080, 8080, 8080, 8080, 8081, 0]);
        self.listen_on(worker, &tcp(number));
        if self.random.chance(30) {
            let path = if self.random.chance(50) {
                "/app.sock".into()
            } else {
                format!("/{}.sock", worker.0)
            };
            self.listen_on(worker, &key(&path));
        }
        self.steer();
    }

    fn listen_on(&mut self, worker: WorkerId, key: &ListenerKey) -> Option<()> {
        let wanted = Wanted::new(key, 0, 0);
        let (member, _) = *self.workers.get(&worker)?;
        let port = match self.registry.find(&wanted).ok()? {
            Some(port) => port,
            None => {
                let closed = self.registry.may_open(wanted.address()?).ok()?;
                self.close_port(closed);
                self.bind(wanted.origin(), key)?
            }
        };
        self.registry.may_listen(port, worker, &wanted).ok()?;
        self.registry.handout(port, worker).ok()?;
        self.registry
            .hold(port, (worker, member), &wanted, &no_data());
        self.workers.get_mut(&worker)?.1.insert(port);
        Some(())
    }

    /// It closes all its ports.
    pub fn close(&mut self, worker: WorkerId) {
        if let Some((_, ports)) = self.workers.get_mut(&worker) {
            for port in std::mem::take(ports) {
                self.registry.closed(port, worker);
            }
        }
        self.steer();
    }

    pub fn exited(&mut self, worker: WorkerId) {
        if let Some((_, ports)) = self.workers.get_mut(&worker) {
            ports.clear();
        }
        self.registry.forget(worker);
        self.steer();
    }

    pub fn release(&mut self, worker: WorkerId) {
        let closed = self.registry.release(worker);
        let named: Vec<_> = self.registry.passed_on().collect();
        if let Some((_, ports)) = self.workers.get_mut(&worker) {
            ports.retain(|port| named.contains(port));
        }
        self.close_port(closed);
        self.steer();
    }

    pub fn serve(&mut self, members: &[Option<Member>]) {
        self.registry.serve(members);
        self.steer();
    }

    pub fn close_to_new_connections(&mut self) {
        self.is_closed = true;
        self.registry.close();
    }

    /// Returns whether the service's port is lost, if that has changed.
    pub fn review(&mut self, serving: &[WorkerId]) -> Option<bool> {
        let closed: Vec<_> = self
            .registry
            .close_unheld()
            .iter()
            .map(|port| port.id)
            .collect();
        self.close_port(closed);
        let instances = serving.iter().map(|id| (*id, id.0 as usize));
        let is_lost = self
            .registry
            .compare(&instances.collect::<Vec<_>>())
            .is_lost;
        let lost = self.registry.lost().into_iter().flatten();
        for address in lost {
            let held = self.workers.values().flat_map(|(_, ports)| ports);
            let mut held = held.map(|port| self.registry.address(*port));
            if held.any(|held| held == Some(address)) {
                self.broken = Some(format!("{address} is lost, but a worker listens there"));
            }
        }
        is_lost
    }

    fn close_port(&mut self, closed: impl IntoIterator<Item = PortId>) {
        for closed in closed {
            self.open.remove(&closed);
            self.queues.retain(|(port, _)| *port != closed);
            if self
                .workers
                .values()
                .any(|(_, ports)| ports.contains(&closed))
            {
                self.broken = Some(format!("{closed:?} was closed, but a worker listens there"));
            }
        }
    }

    fn steer(&mut self) {
        self.has_changed = true;
        for (port, program) in self.registry.steer() {
            let returns = program.iter().filter(|it| it.code == RETURN);
            let members = returns.map(|it| Member(it.operand as usize));
            let members: BTreeSet<_> = members.filter(|it| it.0 < self.open[&port]).collect();
            let is_same = self.steered.insert(port, members.clone()) == Some(members);
            // With source-ip the number of slots matters too.
            if is_same && matches!(self.balance, Balance::Auto | Balance::ReusePort) {
                self.broken = Some(format!("{port:?}: steered to the same members again"));
            }
            if self.is_closed {
                self.broken = Some(format!("{port:?}: steered, but closed to new connections"));
            }
        }
    }

    /// Connections come, pidone accepts those in orphaned queues, and the workers the others.
    pub fn check(&mut self, supervisor: &Supervisor) -> Result<(), Broken> {
        if let Some(broken) = self.broken.take() {
            return Err(broken);
        }
        if !std::mem::take(&mut self.has_changed) && !self.random.chance(5) {
            return Ok(());
        }
        let serving: Vec<_> = supervisor.serving().collect();
        let stops = supervisor.unready() == Some(Unready::Stopping);
        for (port, sockets) in &self.open {
            // A draining worker may have the same member as the newest one of its slot.
            let holders = self
                .workers
                .values()
                .filter(|(_, ports)| ports.contains(port));
            let held: BTreeSet<_> = holders.map(|(member, _)| *member).collect();
            let able = serving.iter().filter_map(|worker| self.workers.get(worker));
            let able = able.map(|(member, _)| *member);
            let able: BTreeSet<_> = able
                .filter(|member| held.is_empty() || held.contains(member))
                .collect();
            if !stops && *sockets > 1 && !able.is_empty() {
                let steered = self.steered.get(port);
                must!(
                    steered.is_some_and(|steered| *steered == able),
                    "{port:?}: {able:?} can accept, but new connections go to {steered:?}"
                );
            }
            let any: Vec<_> = (0..(*sockets).max(1)).map(Member).collect();
            let steered = self.steered.get(port).filter(|_| *sockets > 1);
            let to = steered.map_or(any, |members| members.iter().copied().collect());
            if !self.is_closed && !to.is_empty() && self.random.chance(20) {
                self.queues.insert((*port, self.random.pick(&to)));
            }
        }
        self.accept_orphaned(supervisor, &serving)?;
        for (port, member) in std::mem::take(&mut self.queues) {
            let mut holders = self
                .workers
                .iter()
                .filter(|(_, (_, ports))| ports.contains(&port));
            let is_own = |own: Member| self.open[&port] == 0 || own == member;
            let emptied = self.balance != Balance::RoundRobin
                && holders
                    .clone()
                    .any(|(id, (own, _))| is_own(*own) && supervisor.accepts(*id));
            must!(
                emptied || !holders.any(|(id, _)| serving.contains(id)),
                "{port:?}: a connection waits in {member:?}, which nobody empties"
            );
            if !emptied {
                self.queues.insert((port, member));
            }
        }
        Ok(())
    }

    fn accept_orphaned(
        &mut self,
        supervisor: &Supervisor,
        serving: &[WorkerId],
    ) -> Result<(), Broken> {
        let accepts = |worker| supervisor.accepts(worker);
        let orphaned = self.registry.orphaned_queues(accepts, serving);
        for queue in orphaned.collect::<Vec<_>>() {
            let port = queue.0;
            let takers = self.registry.takers(port, serving.iter().copied());
            let Some(taker) = takers
                .first()
                .copied()
                .filter(|_| self.queues.remove(&queue))
            else {
                continue;
            };
            let listens = |worker| {
                self.workers
                    .get(&worker)
                    .is_some_and(|it| it.1.contains(&port))
            };
            must!(
                listens(taker) && serving.contains(&taker),
                "{port:?}: a connection for {taker:?}, which does not serve it"
            );
            let mut others = serving.iter().filter(|worker| **worker != taker);
            must!(
                self.last_taker.insert(port, taker) != Some(taker)
                    || !others.any(|worker| listens(*worker)),
                "{port:?}: {taker:?} is not the next in turn"
            );
            self.registry.handed_over(port, taker);
        }
        Ok(())
    }
}

fn tcp(port: u16) -> ListenerKey {
    ListenerKey::Tcp {
        address: None,
        port,
        v6only: false,
        index: 0,
    }
}

fn key(path: &str) -> ListenerKey {
    ListenerKey::Unix {
        path: path.into(),
        readable_all: false,
        writable_all: false,
    }
}

fn no_data() -> Data {
    let line = br#"{"cmd":"NODE_CLUSTER","act":"queryServer","seq":1}"#;
    match FromWorker::parse(Line::Whole(line)) {
        FromWorker::Query(query) => query.data,
        other => panic!("{other:?}"),
    }
}
