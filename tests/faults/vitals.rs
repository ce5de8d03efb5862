//! What pidone has: after a fault no more than before it.

use crate::harness::processes::{descriptors, memory, wait_until};
use crate::harness::service::Service;

/// The allocator keeps some of what it has had.
const KEPT_KIB: usize = 256;

pub struct Vitals {
    pid: i32,
    descriptors: usize,
    resident: usize,
}

impl Vitals {
    #[track_caller]
    pub fn of(service: &Service) -> Self {
        let pid = service.run.pid();
        Self {
            pid,
            descriptors: descriptors(pid),
            resident: memory(pid, "RssAnon"),
        }
    }

    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// It is the same process, and has what it had.
    #[track_caller]
    pub fn are_those_of(&self, service: &Service) {
        assert_eq!(service.run.pid(), self.pid);
        // What a worker has been given is closed when it says that it has it.
        wait_until("pidone has as many descriptors as before", || {
            descriptors(self.pid) == self.descriptors
        });
        let resident = memory(self.pid, "RssAnon");
        let most = self.resident + KEPT_KIB;
        assert!(resident <= most, "{resident} KiB after {}", self.resident);
    }
}
