//! A descriptor that becomes readable when a name may have something new.
//!
//! The owner notes each new epoch on the control page by pwrite(2), which inotify(7) tells of; the page losing its name is
//! told too. The owner's death closes the reading end of its FIFO, which is an error condition of the writing end; unless
//! root has it open for reading, too. But the owner's descriptor of the page is closed as well, which inotify tells of: shortly
//! before or after its lock is released, so there is a look then, and another a little later.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use crate::dir::Dir;
use crate::held::Process;
use crate::life;
use crate::name::{Name, Role};

/// How often to look where nobody tells.
const PERIOD: Duration = Duration::from_millis(25);
/// When to look again after somebody who may have been the owner has closed the page.
const LATER: Duration = Duration::from_millis(5);

/// What the epoll descriptor watches.
pub(crate) struct Watch {
    epoll: Epoll,
    page: Page,
    /// Fires once: something may have happened before the rest was watched, or be about to.
    once: Option<TimerFd>,
    /// The writing end of the owner's FIFO, while an owner lives.
    owner: Option<OwnedFd>,
    /// A forked child has copies of the descriptors, but what one reads there the other misses.
    process: Process,
}

enum Page {
    Inotify(Inotify),
    Timer(TimerFd),
}

const PAGE: u64 = 0;
const ONCE: u64 = 1;
const OWNER: u64 = 2;

impl Watch {
    pub(crate) fn new(dir: &Dir, name: &Name) -> io::Result<Watch> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let page = match inotify(dir, name) {
            Ok(inotify) => Page::Inotify(inotify),
            Err(_) => Page::Timer(timer(Expiration::Interval(PERIOD.into()))?),
        };
        match &page {
            Page::Inotify(inotify) => epoll.add(inotify, EpollEvent::new(EpollFlags::EPOLLIN, PAGE))?,
            Page::Timer(timer) => epoll.add(timer, EpollEvent::new(EpollFlags::EPOLLIN, PAGE))?,
        }
        let mut watch = Watch { epoll, page, once: None, owner: None, process: Process::current()? };
        watch.fire_after(Duration::from_nanos(1))?;
        watch.look_for_owner(dir, name)?;
        Ok(watch)
    }

    fn fire_after(&mut self, time: Duration) -> io::Result<()> {
        let once = timer(Expiration::OneShot(time.into()))?;
        self.epoll.add(&once, EpollEvent::new(EpollFlags::EPOLLIN, ONCE))?;
        self.once = Some(once);
        Ok(())
    }

    /// # Errors
    /// [`Cause::Forked`](crate::Cause::Forked) (EPERM): this process is a forked child of the one that made it.
    pub(crate) fn check(&self) -> crate::Result<()> {
        self.process.check()
    }

    /// Makes the descriptor unreadable until something happens again. Whether an owner lives.
    pub(crate) fn drain(&mut self, dir: &Dir, name: &Name) -> bool {
        let mut events = [EpollEvent::empty(); 3];
        let count = self.epoll.wait(&mut events, EpollTimeout::ZERO).unwrap_or(0);
        let mut closed = false;
        for event in &events[..count] {
            match (event.data(), &self.page) {
                (PAGE, Page::Inotify(inotify)) => {
                    while let Ok(events) = inotify.read_events() {
                        closed |=
                            events.iter().any(|event| event.mask.contains(AddWatchFlags::IN_CLOSE_WRITE));
                    }
                }
                (PAGE, Page::Timer(timer)) => {
                    let _ = timer.wait();
                }
                // Taken off before they are closed: a forked child may have copies, which would go on firing.
                (ONCE, _) => {
                    let _ = self.once.take().map(|timer| self.epoll.delete(timer));
                }
                // It would be readable until there is another owner.
                _ => {
                    let _ = self.owner.take().map(|owner| self.epoll.delete(owner));
                }
            }
        }
        // Where the kernel does not say, the owner is taken to live. A dead one's FIFO may be open for reading somewhere.
        let alive = match &self.owner {
            Some(owner) if life::is_lived(owner).unwrap_or(true) => true,
            Some(owner) => {
                let _ = self.epoll.delete(owner);
                self.look_for_owner(dir, name).unwrap_or(true)
            }
            None => self.look_for_owner(dir, name).unwrap_or(true),
        };
        if alive && closed && self.once.is_none() {
            let _ = self.fire_after(LATER);
        }
        alive
    }

    fn look_for_owner(&mut self, dir: &Dir, name: &Name) -> io::Result<bool> {
        self.owner = None;
        self.owner = life::end(dir, name)?;
        if let Some(owner) = &self.owner {
            // Nothing is asked for: errors are told of anyway.
            self.epoll.add(owner, EpollEvent::new(EpollFlags::empty(), OWNER))?;
        }
        Ok(self.owner.is_some())
    }
}

fn inotify(dir: &Dir, name: &Name) -> io::Result<Inotify> {
    let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
    let told = AddWatchFlags::IN_MODIFY
        | AddWatchFlags::IN_ATTRIB
        | AddWatchFlags::IN_CLOSE_WRITE
        | AddWatchFlags::IN_DELETE_SELF
        | AddWatchFlags::IN_MOVE_SELF;
    match dir.open_file(name.file(Role::Control), OFlag::O_PATH) {
        // By its descriptor: the directory's path may lead elsewhere by now. Where /proc is not there, to a timer.
        Ok(page) => inotify.add_watch(&*format!("/proc/self/fd/{}", page.as_raw_fd()), told).map(drop)?,
        // The name has ended: nothing will be told, but once it is asked it says so.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(inotify)
}

fn timer(expiration: Expiration) -> nix::Result<TimerFd> {
    let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
    timer.set(expiration, TimerSetTimeFlags::empty())?;
    Ok(timer)
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }
}
