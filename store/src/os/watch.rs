//! A descriptor that becomes readable when something is done to a file, or when time has passed.
//!
//! Source: inotify(7), timerfd_create(2).

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use crate::os::timeout::SLICE;

/// What is waited for beside other descriptors.
pub(crate) enum Watch {
    File(Inotify),
    Clock(TimerFd),
}

impl Watch {
    /// Tells that a file is written, or closed by who could write it, and of what else is asked for. By its descriptor: a
    /// path may lead elsewhere by now. `None`: of nothing.
    ///
    /// # Errors
    /// As inotify_init(2): EMFILE, also where the user has no instances left. ENOENT without /proc.
    pub(crate) fn file(fd: Option<impl AsFd>, besides: AddWatchFlags) -> io::Result<Watch> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        if let Some(fd) = fd {
            let path = format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd());
            let told = AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CLOSE_WRITE | besides;
            inotify.add_watch(&*path, told)?;
        }
        Ok(Watch::File(inotify))
    }

    /// Tells that it is time to look, where nobody else tells: each [`SLICE`].
    ///
    /// # Errors
    /// As timerfd_create(2): EMFILE.
    pub(crate) fn slices() -> io::Result<Watch> {
        Watch::clock(Expiration::Interval(SLICE.into()))
    }

    /// Tells once, when so much time has passed.
    ///
    /// # Errors
    /// As [`slices`](Watch::slices).
    pub(crate) fn once(after: Duration) -> io::Result<Watch> {
        Watch::clock(Expiration::OneShot(after.into()))
    }

    fn clock(expiration: Expiration) -> io::Result<Watch> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        timer.set(expiration, TimerSetTimeFlags::empty())?;
        Ok(Watch::Clock(timer))
    }

    /// Makes it unreadable. Whether somebody who could write the file has closed it since the last time.
    pub(crate) fn drain(&self) -> bool {
        let mut closed = false;
        match self {
            Watch::File(inotify) => {
                while let Ok(events) = inotify.read_events() {
                    closed |= events.iter().any(|event| event.mask.contains(AddWatchFlags::IN_CLOSE_WRITE));
                }
            }
            // Not blocking: either it has expired or it is not readable.
            Watch::Clock(timer) => drop(timer.wait()),
        }
        closed
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Watch::File(inotify) => inotify.as_fd(),
            Watch::Clock(timer) => timer.as_fd(),
        }
    }
}
