//! A descriptor that becomes readable when a name may have something new.
//!
//! The owner notes each new epoch on the control page by pwrite(2), which inotify(7) tells of; the page losing its name is
//! told too. The owner's death closes the reading end of its FIFO, which is an error condition of the writing end; unless
//! root has it open for reading, too. But the owner's descriptor of the page is closed as well, which inotify tells of: shortly
//! before or after its lock is released, so there is a look then, and another a little later.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::inotify::AddWatchFlags;

use crate::names::life;
use crate::names::name::{Name, Role};
use crate::os::dir::Dir;
use crate::os::held::Process;
use crate::os::watch::Watch;

/// When to look again after somebody who may have been the owner has closed the page.
const LATER: Duration = Duration::from_millis(5);

/// An epoll descriptor, and what it watches.
pub(crate) struct Descriptor {
    epoll: Epoll,
    page: Watch,
    /// Fires once: something may have happened before the rest was watched, or be about to.
    once: Option<Watch>,
    /// The writing end of the owner's FIFO, while an owner lives.
    owner: Option<OwnedFd>,
    /// A forked child has copies of the descriptors, but what one reads there the other misses.
    process: Process,
}

const PAGE: u64 = 0;
const ONCE: u64 = 1;
const OWNER: u64 = 2;

impl Descriptor {
    pub(crate) fn new(dir: &Dir, name: &Name) -> io::Result<Descriptor> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let page = watch_page(dir, name).or_else(|_| Watch::slices())?;
        epoll.add(&page, EpollEvent::new(EpollFlags::EPOLLIN, PAGE))?;
        let mut descriptor =
            Descriptor { epoll, page, once: None, owner: None, process: Process::current()? };
        descriptor.fire_after(Duration::from_nanos(1))?;
        descriptor.look_for_owner(dir, name)?;
        Ok(descriptor)
    }

    fn fire_after(&mut self, time: Duration) -> io::Result<()> {
        let once = Watch::once(time)?;
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
            match event.data() {
                PAGE => closed |= self.page.drain(),
                // Taken off before they are closed: a forked child may have copies, which would go on firing.
                ONCE => drop(self.once.take().map(|timer| self.epoll.delete(timer))),
                // It would be readable until there is another owner.
                _ => drop(self.owner.take().map(|owner| self.epoll.delete(owner))),
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

/// Tells of the page of a name: what the owner writes, and its end.
fn watch_page(dir: &Dir, name: &Name) -> io::Result<Watch> {
    let page = match dir.open_file(name.file(Role::Control), OFlag::O_PATH) {
        Ok(page) => Some(page),
        // The name has ended: nothing will be told, but once it is asked it says so.
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let end = AddWatchFlags::IN_ATTRIB | AddWatchFlags::IN_DELETE_SELF | AddWatchFlags::IN_MOVE_SELF;
    Watch::file(page, end)
}

impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }
}
