//! Writes to standard output and standard error without ever blocking on a reader.
//!
//! The open file description behind them is shared with the app, so `O_NONBLOCK` cannot be set on
//! it: the app's own writes would fail with EAGAIN. And poll(2) before write(2) guarantees nothing,
//! as other processes that share the pipe may fill it in between. So each kind of file has its own
//! method:
//!
//! | kind | method |
//! | --- | --- |
//! | socket | `MSG_DONTWAIT` (send(2)) |
//! | pipe, terminal | a separate open file description, opened non-blocking through /proc/self/fd (proc(5)) |
//! | pipe of another user, or without /proc | splice(2) from a private pipe with `SPLICE_F_NONBLOCK` |
//! | terminal of another user, or without /proc | /dev/tty, where that is the same terminal (tty(4)) |
//! | regular file, and devices that are not terminals | write(2), which waits for the disk at most |
//!
//! splice(2) comes second, because each of its lines takes one of the pipe's 16 slots
//! (`splice_pipe_to_pipe`, fs/splice.c), where write(2) fills a page before it takes the next.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::sys::stat::{Mode, SFlag, fstat};
use nix::sys::termios::tcgetsid;
use nix::unistd::{isatty, pipe2, read, write};

use super::poll::{self, Interest};

/// The size that every method writes completely or not at all (`PIPE_BUF`, pipe(7)).
const CHUNK: usize = 4096;

/// Standard output or standard error.
#[derive(Debug)]
pub struct Output {
    fd: BorrowedFd<'static>,
    /// `None`: nothing has been written yet.
    method: Option<WriteMethod>,
}

#[derive(Debug)]
enum WriteMethod {
    /// A file on which a write does not block.
    Plain,
    Socket,
    Own(OwnedFd),
    Splice(PrivatePipe),
    /// The last resort: check for room before the write.
    Polled,
}

impl Output {
    #[must_use]
    pub fn stdout() -> Self {
        Self::of(1)
    }

    #[must_use]
    pub fn stderr() -> Self {
        Self::of(2)
    }

    fn of(number: i32) -> Self {
        Self {
            // SAFETY: `entry::begin` has opened it, and pidone never closes it.
            fd: unsafe { BorrowedFd::borrow_raw(number) },
            method: None,
        }
    }

    /// Writes until the time limit, and returns how many bytes were written. With a limit of zero
    /// it writes as much as there is room for.
    ///
    /// # Errors
    /// Those of write(2), except EAGAIN and EINTR.
    pub fn write_within(&mut self, bytes: &[u8], limit: Duration) -> io::Result<usize> {
        let mut written = 0;
        let mut deadline = None;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            match self.try_write(rest) {
                Ok(length) => written += length,
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => {
                    let now = Instant::now();
                    let deadline = *deadline.get_or_insert(now + limit);
                    let left = deadline.saturating_duration_since(now);
                    if left.is_zero() {
                        break;
                    }
                    poll::wait(&[(self.as_fd(), Interest::Write)], Some(left))?;
                }
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(written)
    }

    /// `EAGAIN`: there is no room.
    fn try_write(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        let chunk = bytes.get(..CHUNK).unwrap_or(bytes);
        if self.method.is_none() {
            self.method = WriteMethod::find(self.fd)?;
        }
        match &self.method {
            Some(WriteMethod::Plain) => write(self.fd, bytes),
            Some(WriteMethod::Own(own)) => write(own, chunk),
            Some(WriteMethod::Socket) => send(self.fd, bytes),
            Some(WriteMethod::Splice(pipe)) => pipe.splice(self.fd, chunk),
            Some(WriteMethod::Polled) | None => {
                let room = poll::wait(&[(self.fd, Interest::Write)], Some(Duration::ZERO));
                if room.is_ok_and(|room| room.contains(&true)) {
                    write(self.fd, chunk)
                } else {
                    Err(Errno::EAGAIN)
                }
            }
        }
    }
}

/// For poll(2), to wait for room.
impl AsFd for Output {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.method {
            Some(WriteMethod::Own(own)) => own.as_fd(),
            _ => self.fd,
        }
    }
}

impl WriteMethod {
    /// `None`: the method needs something that is not available at the moment.
    fn find(fd: BorrowedFd<'_>) -> Result<Option<Self>, Errno> {
        let kind = SFlag::from_bits_truncate(fstat(fd)?.st_mode & SFlag::S_IFMT.bits());
        let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
        let method = match kind {
            SFlag::S_IFSOCK => Self::Socket,
            // A write must fail as usual.
            _ if flags & OFlag::O_ACCMODE == OFlag::O_RDONLY => Self::Plain,
            SFlag::S_IFIFO => match reopen(fd) {
                Ok(own) => Self::Own(own),
                Err(errno) if is_passing(errno) => return Ok(None),
                Err(_) => match PrivatePipe::make() {
                    Ok(pipe) => Self::Splice(pipe),
                    Err(_) => return Ok(None),
                },
            },
            SFlag::S_IFCHR if isatty(fd).unwrap_or(false) => match reopen(fd) {
                Ok(own) => Self::Own(own),
                Err(errno) if is_passing(errno) => return Ok(None),
                Err(_) => own_terminal(fd).map_or(Self::Polled, Self::Own),
            },
            _ => Self::Plain,
        };
        Ok(Some(method))
    }
}

/// No descriptor is free now, or the pipe has no reader now (fifo(7)).
fn is_passing(errno: Errno) -> bool {
    matches!(errno, Errno::EMFILE | Errno::ENFILE | Errno::ENXIO)
}

const NON_BLOCKING: OFlag = OFlag::O_WRONLY
    .union(OFlag::O_NONBLOCK)
    .union(OFlag::O_NOCTTY)
    .union(OFlag::O_CLOEXEC);

/// A new open file description of the same file, if pidone's user may open it.
fn reopen(fd: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    open(path.as_str(), NON_BLOCKING, Mode::empty())
}

/// The terminal opened again, if it controls pidone's session: every user may open that.
fn own_terminal(fd: BorrowedFd<'_>) -> Option<OwnedFd> {
    // The call fails for every other terminal (ENOTTY; `tiocgsid`, drivers/tty/tty_jobctrl.c).
    tcgetsid(fd).ok()?;
    open("/dev/tty", NON_BLOCKING, Mode::empty()).ok()
}

fn send(socket: BorrowedFd<'_>, bytes: &[u8]) -> Result<usize, Errno> {
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: the kernel reads `bytes`, which outlive the call.
    let sent = unsafe {
        libc::send(
            socket.as_raw_fd(),
            bytes.as_ptr().cast(),
            bytes.len(),
            flags,
        )
    };
    Ok(Errno::result(sent)?.cast_unsigned())
}

/// A pipe that is empty except during a call.
#[derive(Debug)]
struct PrivatePipe {
    reader: OwnedFd,
    writer: OwnedFd,
}

impl PrivatePipe {
    fn make() -> Result<Self, Errno> {
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        Ok(Self { reader, writer })
    }

    /// Writes to a pipe that may be another user's. At most [`CHUNK`] bytes, which are one slot and
    /// are moved as a whole.
    fn splice(&self, pipe: BorrowedFd<'_>, bytes: &[u8]) -> Result<usize, Errno> {
        let length = write(&self.writer, bytes)?;
        // SAFETY: takes numbers only; null stands for no offset (splice(2)).
        let moved = unsafe {
            libc::splice(
                self.reader.as_raw_fd(),
                std::ptr::null_mut(),
                pipe.as_raw_fd(),
                std::ptr::null_mut(),
                length,
                libc::SPLICE_F_NONBLOCK,
            )
        };
        let moved = Errno::result(moved).map(isize::cast_unsigned);
        if moved != Ok(length) {
            // The rest would come before the next line.
            let mut rest = [0; 512];
            while read(&self.reader, &mut rest).is_ok_and(|length| length > 0) {}
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    fn full(fd: BorrowedFd<'_>) -> usize {
        let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL).unwrap());
        fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)).unwrap();
        let mut length = 0;
        while let Ok(written) = write(fd, &[b'.'; CHUNK]) {
            length += written;
        }
        fcntl(fd, FcntlArg::F_SETFL(flags)).unwrap();
        length
    }

    fn flags(fd: BorrowedFd<'_>) -> i32 {
        fcntl(fd, FcntlArg::F_GETFL).unwrap()
    }

    /// Leaks it, as the standard streams are never closed.
    fn output(fd: OwnedFd, method: Option<WriteMethod>) -> Output {
        let fd: &'static OwnedFd = Box::leak(Box::new(fd));
        Output {
            fd: fd.as_fd(),
            method,
        }
    }

    fn never_waits(mut output: Output, mut reader: impl Read) {
        let before = flags(output.fd);
        assert_eq!(output.write_within(b"first", Duration::ZERO).unwrap(), 5);
        let filled = full(output.fd);
        for limit in [Duration::ZERO, Duration::from_millis(20)] {
            let begun = Instant::now();
            assert_eq!(output.write_within(b"lost", limit).unwrap(), 0);
            assert!(begun.elapsed() >= limit);
        }
        let mut all = vec![0; 5 + filled];
        reader.read_exact(&mut all).unwrap();
        assert!(all.starts_with(b"first"));
        assert_eq!(output.write_within(b"last", Duration::ZERO).unwrap(), 4);
        let mut last = [0; 4];
        reader.read_exact(&mut last).unwrap();
        assert_eq!(&last, b"last");
        assert_eq!(flags(output.fd), before);
    }

    #[test]
    fn no_method_blocks_on_a_full_pipe() {
        let splice = || Some(WriteMethod::Splice(PrivatePipe::make().unwrap()));
        for method in [&|| None, &splice, &|| Some(WriteMethod::Polled)]
            as [&dyn Fn() -> Option<WriteMethod>; 3]
        {
            let (reader, writer) = io::pipe().unwrap();
            never_waits(output(writer.into(), method()), reader);
        }
    }

    #[test]
    fn a_full_socket_does_not_block() {
        let (reader, writer) = UnixStream::pair().unwrap();
        never_waits(output(writer.into(), None), reader);
    }

    #[test]
    fn each_kind_of_file_has_its_method() {
        let method = |fd: &OwnedFd| WriteMethod::find(fd.as_fd()).unwrap().unwrap();
        let (_reader, writer) = io::pipe().unwrap();
        assert!(matches!(method(&writer.into()), WriteMethod::Own(_)));
        let (_reader, writer) = UnixStream::pair().unwrap();
        assert!(matches!(method(&writer.into()), WriteMethod::Socket));
        let terminal = nix::pty::openpty(None, None).unwrap();
        assert!(matches!(method(&terminal.slave), WriteMethod::Own(_)));
        for path in ["/dev/null", "/proc/self/stat"] {
            let file = std::fs::File::open(path).unwrap();
            assert!(matches!(method(&file.into()), WriteMethod::Plain));
        }
    }

    #[test]
    fn a_long_text_is_written_completely() {
        let text = vec![b'x'; 3 * CHUNK + 1];
        for method in [
            None,
            Some(WriteMethod::Splice(PrivatePipe::make().unwrap())),
        ] {
            let (mut reader, writer) = io::pipe().unwrap();
            let mut output = output(writer.into(), method);
            assert_eq!(
                output.write_within(&text, Duration::ZERO).unwrap(),
                text.len()
            );
            let mut read = vec![0; text.len()];
            reader.read_exact(&mut read).unwrap();
            assert_eq!(read, text);
        }
    }
}
