//! `graven export`: a file's segment handed over at a socket, as memory that nobody can change.

use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use clap::Args;
use graven::{Access, ErrorKind, Exporter, Import, Permit, Segment, Timeout};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::text::{count, printable, size};
use crate::{Failure, progress};

/// Hand over a segment at a socket, until interrupted
///
/// The file is read whole and checked first, and what is handed over is a copy in memory that the kernel lets nobody
/// change: what becomes of the file does not matter then. Processes of other users need not be able to open it. It is
/// exported under the name that is empty. SIGINT and SIGTERM end it, and remove the socket; who has imported keeps
/// what it has.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  graven export routes.grv --serve /run/routes.sock
  graven export routes.grv --serve /run/routes.sock --mode 0640    for the group too
  graven import /run/routes.sock")]
pub struct Export {
    /// The segment
    pub file: PathBuf,
    /// The socket to make
    #[arg(long, value_name = "SOCKET")]
    pub serve: PathBuf,
    /// Who may import it: the bits of a file that belongs to the user and group of this process
    #[arg(long, value_name = "MODE", default_value = "0600", value_parser = mode)]
    pub mode: u32,
}

impl Export {
    pub(crate) fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let (export, objects) = self.sealed().map_err(|error| match error.cause() {
            graven::Cause::Verify(_) => {
                Failure::new(format!("{error}; `graven verify` says more: write the file anew"))
            }
            _ => Failure::new(error).of_file(&self.file),
        })?;
        // What ends it is asked for from here on, so that no socket is left behind.
        let signals = signals().map_err(|error| Failure::new(format!("cannot wait for signals: {error}")))?;
        let socket = &self.serve;
        let exporter = Exporter::bind(socket).map_err(|error| in_use(socket, error))?;
        let make = exporter.make("", &export, Permit::mode(self.mode));
        make.map_err(|error| Failure::new(error).of_file(socket))?;
        let length = size(export.segment().header().length);
        let (name, objects) = (socket.to_string_lossy(), count(objects, "object"));
        writeln!(out, "{}: {objects}, {length}, mode {:04o}", printable(&name), self.mode)?;
        out.flush()?;
        serve(&exporter, &signals).map_err(|failure| failure.of_file(socket))
    }

    /// The file's bytes where nobody changes them, and how many objects they are.
    fn sealed(&self) -> graven::Result<(graven::Export, u64)> {
        let seal = || {
            let segment = Segment::read(&self.file)?;
            segment.verify()?;
            Ok((graven::Export::of(&segment)?, segment.objects().count() as u64))
        };
        progress::while_copying(2 * progress::length(&self.file), "read and written", seal)
    }
}

/// Nine bits in octal.
fn mode(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o777 => Ok(mode),
        _ => Err("not an octal number from 0 to 0777".to_owned()),
    }
}

/// SIGINT and SIGTERM, which are read from now on, and do nothing else.
fn signals() -> nix::Result<SignalFd> {
    let ends = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM]);
    ends.thread_block()?;
    SignalFd::with_flags(&ends, SfdFlags::SFD_CLOEXEC)
}

/// Hands over until a signal comes.
fn serve(exporter: &Exporter, signals: &SignalFd) -> Result<(), Failure> {
    loop {
        let mut fds = [exporter.as_fd(), signals.as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(Failure::new(format!("cannot wait for importers: {errno}"))),
        }
        let [_, ended] = fds.map(|fd| fd.any() == Some(true));
        if ended {
            return Ok(());
        }
        exporter.turn()?;
    }
}

/// Why there is no socket. One of a process that was killed is in the way until somebody removes it.
fn in_use(socket: &Path, error: graven::Error) -> Failure {
    if error.errno() != Errno::EADDRINUSE as i32 {
        return Failure::new(error).of_file(socket);
    }
    let is_socket = std::fs::symlink_metadata(socket).is_ok_and(|known| known.file_type().is_socket());
    let left = || Import::connect(socket, "", Access::Read, Timeout::Now).err();
    let remedy = match is_socket {
        false => "it is no socket; name a path where nothing is",
        true if left().is_some_and(|error| error.kind() == ErrorKind::Retired) => {
            "nobody serves there any more; remove it"
        }
        true => "another process serves there; name another path",
    };
    Failure::new(format!("{error}: {remedy}"))
}
