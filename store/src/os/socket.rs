//! Sockets at a path that keep messages apart, and descriptors that come with a message.
//!
//! - Nothing here waits but [`connect`] and [`until_readable`], which take how long.
//! - A descriptor that arrives with a message is ours from then on, however many were sent: all that came are owned before
//!   anything is looked at. The control buffer has room for one; the kernel pads that to two on 64-bit machines, closes the
//!   rest, and says so.
//! - What a peer sends is received without a control buffer where no descriptor is expected: the kernel closes them then.
//!
//! Source: unix(7), "Ancillary messages"; cmsg(3), recvmsg(2).
#![allow(unsafe_code)] // accept4, recvmsg and SO_PEERGROUPS, whose results nix either leaks or does not have

use std::io;
use std::mem::{self, MaybeUninit};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::socket::{
    self, AddressFamily, Backlog, ControlMessage, MsgFlags, Shutdown, SockFlag, SockType, UnixAddr,
    getsockopt, setsockopt, sockopt,
};
use nix::sys::stat::{Mode, fchmod};
use nix::sys::time::{TimeSpec, TimeVal};

use crate::os::held::FileId;

/// A socket that listens at a new path, and the file there.
///
/// Its mode is `mode` whatever the umask: set before it gets its name, so that it is never wider.
///
/// # Errors
/// As bind(2): EADDRINUSE, whatever is there; ENAMETOOLONG above 107 bytes; EACCES.
pub(crate) fn listen(path: &Path, mode: u32) -> io::Result<(OwnedFd, FileId)> {
    let address = UnixAddr::new(path)?;
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket::socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)?;
    fchmod(&fd, Mode::from_bits_truncate(mode))?;
    socket::bind(fd.as_raw_fd(), &address)?;
    let begin = || {
        let named = at(path)?;
        let metadata = named.metadata()?;
        if metadata.mode() & 0o777 != mode {
            // The umask took some. By the file that was opened, which is a socket, never by its path.
            let itself = format!("/proc/self/fd/{}", named.as_raw_fd());
            std::fs::set_permissions(itself, PermissionsExt::from_mode(mode))?;
        }
        socket::listen(&fd, Backlog::MAXCONN)?;
        Ok::<_, io::Error>((metadata.dev(), metadata.ino()))
    };
    match begin() {
        Ok(file) => Ok((fd, file)),
        Err(error) => {
            let _ = std::fs::remove_file(path);
            Err(error)
        }
    }
}

/// The socket at a path.
fn at(path: &Path) -> io::Result<std::fs::File> {
    let flags = (OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC).bits();
    let named = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    match named.metadata()?.mode() & libc::S_IFMT == libc::S_IFSOCK {
        true => Ok(named),
        false => Err(Errno::ENOTSOCK.into()),
    }
}

/// Removes the socket's name, unless it leads elsewhere by now.
pub(crate) fn remove(path: &Path, file: FileId) {
    let same = |named: std::fs::File| {
        named.metadata().is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == file)
    };
    if at(path).is_ok_and(same) {
        let _ = std::fs::remove_file(path);
    }
}

/// The next connection. Never waits. The kernel keeps few messages for who does not read, of those that are sent there:
/// a user has as many descriptors on their way, to all peers, as a process may have open.
///
/// # Errors
/// EAGAIN: there is none. EMFILE, ENFILE, ENOMEM.
pub(crate) fn accept(listener: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket::accept4(listener.as_raw_fd(), flags)?;
    // SAFETY: `from_raw_fd` asks for an open descriptor that is nobody else's: accept4(2) has just made it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    // Less than the kernel's least is that: socket(7), SO_SNDBUF.
    setsockopt(&fd, sockopt::SndBuf, &1)?;
    Ok(fd)
}

/// A socket that is not connected yet.
pub(crate) fn unconnected() -> io::Result<OwnedFd> {
    Ok(socket::socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None)?)
}

/// Connects it to who listens at the path; waits so long for a place in the queue.
///
/// # Errors
/// As connect(2): ENOENT, EACCES; ECONNREFUSED: nobody listens there. EAGAIN: the time is over. EINTR.
pub(crate) fn connect(fd: BorrowedFd<'_>, path: &Path, time: Duration) -> nix::Result<()> {
    // 0 is for ever; the kernel rounds up.
    let time = time.clamp(Duration::from_micros(1), Duration::from_secs(3600));
    let time = TimeVal::new(time.as_secs() as libc::time_t, time.subsec_micros().max(1).into());
    setsockopt(&fd, sockopt::SendTimeout, &time)?;
    socket::connect(fd.as_raw_fd(), &UnixAddr::new(path)?)
}

/// Ends the connection for both sides, whoever else has a copy of the descriptor.
pub(crate) fn end(fd: BorrowedFd<'_>) {
    let _ = socket::shutdown(fd.as_raw_fd(), Shutdown::Both);
}

/// Sends a message, with a descriptor or without. Never waits, and raises no signal.
///
/// # Errors
/// EAGAIN: the peer does not read. EPIPE, ECONNRESET: it is gone. ETOOMANYREFS, EMFILE.
pub(crate) fn send(fd: BorrowedFd<'_>, bytes: &[u8], with: Option<BorrowedFd<'_>>) -> nix::Result<()> {
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    let pieces = [io::IoSlice::new(bytes)];
    let with = with.map(|with| [with.as_raw_fd()]);
    let rights = with.as_ref().map(|with| [ControlMessage::ScmRights(with)]);
    let rights: &[ControlMessage<'_>] = rights.as_ref().map_or(&[], |rights| rights);
    again(|| socket::sendmsg::<UnixAddr>(fd.as_raw_fd(), &pieces, rights, flags, None)).map(drop)
}

/// Receives a message; its length, which may be more than fits. Descriptors with it are closed. Never waits.
///
/// # Errors
/// EAGAIN: there is none. ECONNRESET: the peer is gone, and left unread what was sent to it.
pub(crate) fn receive(fd: BorrowedFd<'_>, bytes: &mut [u8]) -> nix::Result<usize> {
    take(fd, bytes, MsgFlags::empty())
}

/// As [`receive`], but the message stays, with what comes with it.
pub(crate) fn peek(fd: BorrowedFd<'_>, bytes: &mut [u8]) -> nix::Result<usize> {
    take(fd, bytes, MsgFlags::MSG_PEEK)
}

fn take(fd: BorrowedFd<'_>, bytes: &mut [u8], more: MsgFlags) -> nix::Result<usize> {
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC | more;
    again(|| socket::recv(fd.as_raw_fd(), bytes, flags))
}

/// A message, and what came with it.
pub(crate) struct Received {
    /// Its length, which may be more than fits. 0: the connection has ended.
    pub(crate) length: usize,
    /// The descriptors that came.
    pub(crate) fds: Vec<OwnedFd>,
    /// Whether there were more, or this process has no descriptors left.
    pub(crate) more: bool,
}

/// Receives a message that may come with one descriptor. Never waits.
///
/// # Errors
/// As [`receive`].
pub(crate) fn receive_with(fd: BorrowedFd<'_>, bytes: &mut [u8]) -> nix::Result<Received> {
    /// Room for one descriptor, aligned as the kernel's headers are.
    #[repr(C)]
    union Control {
        header: libc::cmsghdr,
        room: [u8; SPACE],
    }
    // SAFETY: CMSG_SPACE is arithmetic.
    const SPACE: usize = unsafe { libc::CMSG_SPACE(size_of::<libc::c_int>() as u32) } as usize;

    let mut control = Control { room: [0; SPACE] };
    let mut piece = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    // SAFETY: `zeroed` asks that zeros be a value: integers and null pointers.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &raw mut piece;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut control).cast();
    message.msg_controllen = SPACE as _;
    let flags = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC | libc::MSG_TRUNC;
    let length = again(|| {
        // SAFETY: recvmsg(2) asks for a header whose buffers may be written: `bytes` and `control`, with their lengths.
        let length = unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut message, flags) };
        Errno::result(length)
    })?;

    let mut fds = Vec::new();
    // SAFETY: the header is as recvmsg(2) left it.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
    // SAFETY: not null, so a header within `control`, which the kernel wrote.
    while let Some(header) = unsafe { next.as_ref() } {
        if (header.cmsg_level, header.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
            // SAFETY: as above; what follows the header is its data.
            let data: *const libc::c_int = unsafe { libc::CMSG_DATA(next) }.cast();
            // SAFETY: CMSG_LEN is arithmetic.
            let empty = unsafe { libc::CMSG_LEN(0) } as usize;
            #[allow(clippy::unnecessary_cast)] // not of this type everywhere
            let count = (header.cmsg_len as usize).saturating_sub(empty) / size_of::<libc::c_int>();
            for index in 0..count {
                // SAFETY: within the data, whose length was just divided.
                let at = unsafe { data.add(index) };
                // SAFETY: within `control`; the kernel wrote it. Nothing is said of alignment.
                let fd = unsafe { at.read_unaligned() };
                // SAFETY: `from_raw_fd` asks for an open descriptor that is nobody else's: the kernel has just made it.
                fds.push(unsafe { OwnedFd::from_raw_fd(fd) });
            }
        }
        // SAFETY: as for the first.
        next = unsafe { libc::CMSG_NXTHDR(&raw const message, next) };
    }
    Ok(Received { length: length as usize, fds, more: message.msg_flags & libc::MSG_CTRUNC != 0 })
}

/// User and group of who connected, as of then.
///
/// Source: unix(7), SO_PEERCRED.
pub(crate) fn peer(fd: BorrowedFd<'_>) -> nix::Result<(u32, u32)> {
    getsockopt(&fd, sockopt::PeerCredentials).map(|peer| (peer.uid(), peer.gid()))
}

/// The other groups of who connected, as of then.
///
/// Source: unix(7), SO_PEERGROUPS: Linux 4.13.
pub(crate) fn peer_groups(fd: BorrowedFd<'_>) -> nix::Result<Vec<u32>> {
    const MAX: usize = 65536; // NGROUPS_MAX
    let mut groups = vec![MaybeUninit::<libc::gid_t>::zeroed(); 64];
    loop {
        let mut size = size_of_val(&*groups) as libc::socklen_t;
        // SAFETY: getsockopt(2) asks for a buffer of so many bytes that may be written.
        let result = unsafe {
            libc::getsockopt(
                fd.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERGROUPS,
                groups.as_mut_ptr().cast(),
                &raw mut size,
            )
        };
        match Errno::result(result) {
            Ok(_) => {
                groups.truncate(size as usize / size_of::<libc::gid_t>());
                // SAFETY: zeroed, or written by the kernel.
                return Ok(groups.into_iter().map(|group| unsafe { group.assume_init() }).collect());
            }
            Err(Errno::ERANGE) if groups.len() < MAX => groups.resize(MAX, MaybeUninit::zeroed()),
            Err(errno) => return Err(errno),
        }
    }
}

/// What there is to do at a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ready {
    /// There is a message, or the end.
    pub(crate) readable: bool,
    /// The peer has ended it, or is gone.
    pub(crate) ended: bool,
}

/// Waits until there is something to receive, or the connection ends.
///
/// # Errors
/// EINTR.
pub(crate) fn until_readable(fd: BorrowedFd<'_>, time: Duration) -> nix::Result<Ready> {
    let mut fds = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
    ppoll(&mut fds, Some(TimeSpec::from_duration(time)), None)?;
    let found = fds[0].revents().unwrap_or(PollFlags::all());
    let ends = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
    Ok(Ready { readable: found.contains(PollFlags::POLLIN), ended: found.intersects(ends) })
}

/// Until no signal interrupts it.
fn again<T>(mut call: impl FnMut() -> nix::Result<T>) -> nix::Result<T> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}
