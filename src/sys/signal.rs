//! Signals as a queue to read from, and functions to send them.
//!
//! All signals stay blocked while pidone runs, and are read from a signalfd(2): the kernel keeps each
//! one until it is read, queued real-time signals included, and no handler ever runs. A fault that
//! the kernel raises on pidone itself still kills it, because the kernel does not let a blocked fault
//! wait (`force_sig_info_to_task`, kernel/signal.c), while a fault signal sent by a process is read
//! like any other.

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;

use crate::signal::Signal;

/// The kernel's own signal set: one bit per signal, 1 to 64 (`sigset_t` of the system call).
///
/// The C library's functions cannot be used: they leave out the two or three signals that their
/// threads use (`__nptl_clear_internal_signals` in glibc), and those must be forwarded too.
type RawMask = u64;
const EVERY_SIGNAL: RawMask = RawMask::MAX;

/// Sets the calling thread's signal mask (rt_sigprocmask(2)). Async-signal-safe.
fn set_mask(mask: RawMask) -> io::Result<()> {
    // SAFETY: the kernel reads eight bytes from a valid pointer, and writes nothing.
    let result = unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            &raw const mask,
            std::ptr::null_mut::<RawMask>(),
            size_of::<RawMask>(),
        )
    };
    Ok(Errno::result(result).map(drop)?)
}

/// Gives the calling process the state that a program expects at its start: default dispositions,
/// and no signal blocked. For a child between clone and exec: allocates nothing and is
/// async-signal-safe.
///
/// The mask comes last, so that nothing is delivered before the dispositions are in place.
pub(super) fn reset_for_exec() -> io::Result<()> {
    for number in 1..=64 {
        set_default(number);
    }
    set_mask(0)
}

/// Gives a signal its default disposition. Async-signal-safe.
fn set_default(number: i32) {
    // The kernel's `struct sigaction` is at most this large, and all zeroes mean SIG_DFL, no flags.
    let default = [0_u64; 4];
    // SAFETY: `default` outlives the call, and the kernel only reads it. KILL and STOP fail with
    // EINVAL, which is correct.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigaction,
            number,
            &raw const default,
            std::ptr::null_mut::<u64>(),
            size_of::<RawMask>(),
        );
    }
}

/// Every signal sent to pidone, in the kernel's order.
#[derive(Debug)]
pub struct SignalQueue {
    fd: OwnedFd,
    own_pid: u32,
}

/// A signal sent to pidone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Its number.
    pub signal: Signal,
    /// The kernel has sent it (`SI_KERNEL`, sigaction(2)): for a key press, or a terminal that is
    /// closed.
    pub by_kernel: bool,
}

/// linux/asm-generic/siginfo.h.
const SI_KERNEL: i32 = 0x80;

/// The signals that the queue contained.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// SIGCHLD was among them: there may be a child to reap.
    pub child: bool,
}

impl SignalQueue {
    /// Blocks every signal and opens the queue. Call it first: signals that arrive earlier have
    /// default dispositions.
    ///
    /// # Errors
    /// Those of signalfd(2); in practice no free descriptor.
    pub fn open() -> io::Result<Self> {
        set_mask(EVERY_SIGNAL)?;
        // The parent may have ignored it (`trap '' CHLD`), and the kernel would then discard our
        // children's statuses (wait(2), NOTES).
        set_default(Signal::CHLD.number());
        let mask = EVERY_SIGNAL;
        // SAFETY: the kernel reads eight bytes from a valid pointer.
        let fd = Errno::result(unsafe {
            libc::syscall(
                libc::SYS_signalfd4,
                -1,
                &raw const mask,
                size_of::<RawMask>(),
                libc::SFD_CLOEXEC | libc::SFD_NONBLOCK,
            )
        })?;
        let fd = libc::c_int::try_from(fd).map_err(io::Error::other)?;
        Ok(Self {
            // SAFETY: the kernel has just returned this descriptor; no other code owns it.
            fd: unsafe { OwnedFd::from_raw_fd(fd) },
            own_pid: std::process::id(),
        })
    }

    /// Takes all queued signals, and passes on those sent by other processes: not SIGCHLD, and not
    /// what pidone raised on itself (SIGPIPE, when the reader of its log has gone).
    ///
    /// # Errors
    /// Those of read(2), except an empty queue.
    pub fn drain(&mut self, mut each: impl FnMut(Received)) -> io::Result<Drained> {
        const BATCH: usize = 16;
        let mut drained = Drained::default();
        loop {
            let mut batch = [const { MaybeUninit::<libc::signalfd_siginfo>::uninit() }; BATCH];
            // SAFETY: the kernel writes at most the size of `batch`.
            let read = unsafe {
                libc::read(
                    self.fd.as_raw_fd(),
                    batch.as_mut_ptr().cast(),
                    size_of_val(&batch),
                )
            };
            let read = match usize::try_from(read) {
                Ok(read) => read / size_of::<libc::signalfd_siginfo>(),
                Err(_) => match io::Error::last_os_error() {
                    error if error.kind() == io::ErrorKind::WouldBlock => return Ok(drained),
                    error if error.kind() == io::ErrorKind::Interrupted => continue,
                    error => return Err(error),
                },
            };
            for info in batch.iter().take(read) {
                // SAFETY: the kernel has filled the first `read` records (signalfd(2)).
                let info = unsafe { info.assume_init_ref() };
                match Signal::from_number(i64::from(info.ssi_signo)) {
                    Some(Signal::CHLD) => drained.child = true,
                    Some(_) if info.ssi_pid == self.own_pid => {}
                    Some(signal) => each(Received {
                        signal,
                        by_kernel: info.ssi_code == SI_KERNEL,
                    }),
                    None => {}
                }
            }
            if read < BATCH {
                return Ok(drained);
            }
        }
    }
}

impl AsFd for SignalQueue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The target of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// One process.
    Process(i32),
    /// A process group, by its id.
    Group(i32),
    /// Every process that pidone may signal except itself; for PID 1 of a container only.
    Everyone,
}

/// Sends a signal (kill(2)).
///
/// # Errors
/// `ESRCH`: no such process; `EPERM`: pidone may not signal it.
pub fn send(target: Target, signal: Signal) -> io::Result<()> {
    kill(target, signal.number())
}

/// Terminates pidone by this signal's default action, with a core dump if enabled. Returns if
/// pidone is PID 1, which such a signal does not reach (`SIGNAL_UNKILLABLE`, kernel/signal.c).
pub fn end_by(signal: Signal) {
    set_default(signal.number());
    let _ = set_mask(EVERY_SIGNAL ^ (1 << (signal.number() - 1)));
    if let Ok(own) = i32::try_from(std::process::id()) {
        let _ = send(Target::Process(own), signal);
    }
}

/// Whether the target exists and can be signalled (kill(2) with signal 0).
#[must_use]
pub fn exists(target: Target) -> bool {
    kill(target, 0).is_ok()
}

fn kill(target: Target, number: i32) -> io::Result<()> {
    let pid = match target {
        Target::Process(pid) => pid,
        Target::Group(group) => -group,
        Target::Everyone => -1,
    };
    // SAFETY: kill(2) takes numbers only.
    Ok(Errno::result(unsafe { libc::kill(pid, number) }).map(drop)?)
}
