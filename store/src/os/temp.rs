//! Files that appear in a directory complete or not at all.
//!
//! A new file has no name while it is written (O_TMPFILE), so a writer that dies leaves nothing. It gets one by
//! linkat(2), which refuses a name that is taken; replacing takes a second name and rename(2), as the kernel has no link
//! that replaces. Where the file system lacks O_TMPFILE, or /proc is not there to link through, the file has the second
//! name from the start.
//!
//! # What is left of a writer that dies
//! Its file under the second name. Who has a name of a store to itself has a second name of its own as well, and removes
//! what it finds there. All others take one that is made of the target's, `.graven-`, 16 digits, `.tmp`, and lock the file
//! first: so those of the dead are told from those that are being written. They are removed by the next who writes to the
//! same target, and by who sweeps the directory. Nothing but graven calls a file so; and files of other names are left
//! alone.
//!
//! Source: open(2), linkat(2), rename(2); SPEC 17.5.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use graven_format::checksum;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, open};
use nix::sys::stat::{Mode, SFlag, fstat};
use nix::unistd::linkat;

use crate::os::dir::{Dir, file_id};
use crate::os::held::Process;
use crate::os::ofd::{self, Sharing};

/// What the writer of a file has locked exclusively as long as the file has a second name that others may have.
const WRITING: Range<u64> = (1 << 62) + 2..(1 << 62) + 3;

/// A file on its way into a directory. Dropped before it is placed, it leaves nothing.
///
/// It belongs to the process that made it: in a forked child everything here is EPERM, and dropping it does nothing.
#[derive(Debug)]
pub(crate) struct Temp {
    dir: Dir,
    file: File,
    process: Process,
    target: OsString,
    /// Its second name, if nobody else uses that.
    own: Option<String>,
    /// The name that it has, if it has one.
    name: Option<String>,
    locked: bool,
}

impl Temp {
    /// A new file that is to be called `target`: open for reading and writing, of that mode less the umask. `own` is a
    /// second name that nobody else uses, if there is one.
    pub(crate) fn create(
        dir: &Dir,
        target: impl AsRef<OsStr>,
        own: Option<String>,
        mode: u32,
    ) -> io::Result<Temp> {
        let process = Process::current()?;
        let target = target.as_ref().to_owned();
        let new = |fd: OwnedFd, own, name, locked| {
            Ok(Temp { dir: dir.clone(), file: fd.into(), process, target: target.clone(), own, name, locked })
        };
        if can_link_unnamed() {
            match dir.create_file(".", OFlag::O_TMPFILE | OFlag::O_RDWR, mode) {
                Ok(fd) => return new(fd, own, None, false),
                Err(error) => match error.raw_os_error().map(Errno::from_raw) {
                    // The file system lacks it.
                    Some(Errno::EOPNOTSUPP | Errno::EISDIR | Errno::EINVAL) => {}
                    _ => return Err(error),
                },
            }
        }
        let create = |name: &str| dir.create_file(name, OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL, mode);
        if let Some(name) = own {
            return new(create(&name)?, Some(name.clone()), Some(name), false);
        }
        for name in second_names(&target)? {
            while let Some(fd) = unless_taken(dir, &name, || create(&name))? {
                // Somebody may have taken it for a dead one's before it was locked.
                match ofd::try_lock(&fd, Sharing::Exclusive, &WRITING) {
                    Ok(true) if dir.leads_to(&name, file_id(&fstat(&fd)?))? => {
                        return new(fd, None, Some(name), true);
                    }
                    Ok(_) => thread::sleep(Duration::from_millis(1)),
                    // Where there are no locks, what is left stays.
                    Err(_) => return new(fd, None, Some(name), false),
                }
            }
        }
        Err(Errno::EEXIST.into())
    }

    /// The file. To be asked for again after code of the user's: that may have forked.
    ///
    /// # Errors
    /// [`Cause::Forked`](crate::Cause::Forked) (EPERM).
    pub(crate) fn file(&self) -> io::Result<&File> {
        self.process.check()?;
        Ok(&self.file)
    }

    pub(crate) fn process(&self) -> Process {
        self.process
    }

    /// Opens it once more: another description of the same file.
    pub(crate) fn reopen(&self, flags: OFlag) -> io::Result<OwnedFd> {
        let Some(name) = &self.name else {
            let flags = flags | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
            let file = format!("/proc/self/fd/{}", self.file()?.as_raw_fd());
            return Ok(open(&*file, flags, Mode::empty())?);
        };
        self.process.check()?;
        self.dir.open_file(name, flags)
    }

    /// Gives it its name, which nobody has.
    ///
    /// # Errors
    /// EEXIST, and as linkat(2).
    pub(crate) fn link(&self) -> io::Result<()> {
        self.process.check()?;
        self.link_to(&self.target)
    }

    fn link_to(&self, target: &OsStr) -> io::Result<()> {
        match &self.name {
            None => {
                let file = format!("/proc/self/fd/{}", self.file.as_raw_fd());
                linkat(AT_FDCWD, &*file, &self.dir, target, AtFlags::AT_SYMLINK_FOLLOW)?;
            }
            Some(name) => linkat(&self.dir, &**name, &self.dir, target, AtFlags::empty())?,
        }
        Ok(())
    }

    /// Gives it its name, in place of what has it.
    ///
    /// # Errors
    /// As linkat(2) and rename(2). The file is nowhere then.
    pub(crate) fn replace(&mut self) -> io::Result<()> {
        self.process.check()?;
        let name = match &self.name {
            Some(name) => name.clone(),
            None => self.take_second_name()?,
        };
        self.name = Some(name.clone());
        self.dir.rename(name, &self.target)?;
        self.name = None;
        Ok(())
    }

    fn take_second_name(&mut self) -> io::Result<String> {
        if let Some(own) = self.own.clone() {
            match self.link_to(own.as_ref()) {
                // Of nobody who lives, as it is ours.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    self.dir.unlink(&own)?;
                    self.link_to(own.as_ref())?;
                }
                linked => linked?,
            }
            return Ok(own);
        }
        self.locked = ofd::try_lock(&self.file, Sharing::Exclusive, &WRITING).unwrap_or(false);
        for name in second_names(&self.target)? {
            if unless_taken(&self.dir, &name, || self.link_to(name.as_ref()))?.is_some() {
                return Ok(name);
            }
        }
        Err(Errno::EEXIST.into())
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        if self.process.check().is_err() {
            return;
        }
        if let Some(name) = &self.name {
            let _ = self.dir.unlink(name);
        }
        if self.locked {
            // Closing is not enough where a child has a copy.
            let _ = ofd::unlock(&self.file, &WRITING);
        }
    }
}

/// Does it, if need be after removing a file of that name whose writer is dead. `None`: the writer lives.
fn unless_taken<T>(dir: &Dir, name: &str, take: impl Fn() -> io::Result<T>) -> io::Result<Option<T>> {
    loop {
        match take() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            taken => return taken.map(Some),
        }
        if !remove_dead(dir, name)? {
            return Ok(None);
        }
    }
}

/// Removes an unfinished file whose writer is dead. `false`: it lives, or that cannot be known.
fn remove_dead(dir: &Dir, name: &str) -> io::Result<bool> {
    let fd = match dir.open_file(name, OFlag::O_RDWR) {
        Err(error) => return Ok(error.kind() == io::ErrorKind::NotFound),
        Ok(fd) => fd,
    };
    let stat = fstat(&fd)?;
    let regular = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFREG;
    if !regular || !ofd::try_lock(&fd, Sharing::Exclusive, &WRITING).unwrap_or(false) {
        return Ok(false);
    }
    // With its lock: nobody else removes it, and its writer has not just renamed it. In a directory with the sticky bit
    // another user's cannot be removed.
    Ok(!dir.leads_to(name, file_id(&stat))? || dir.unlink(name).is_ok())
}

/// Removes what writers that died have left in a directory. What cannot be removed is left to the next.
///
/// # Errors
/// As readdir(3).
pub(crate) fn sweep(dir: &Dir) -> io::Result<()> {
    for name in dir.names()? {
        if let Some(name) = name.to_str().filter(|name| is_second_name(name)) {
            let _ = remove_dead(dir, name);
        }
    }
    Ok(())
}

/// Whether a file without a name can be given one: through /proc, as AT_EMPTY_PATH needs a capability.
fn can_link_unnamed() -> bool {
    Path::new("/proc/self/fd").is_dir()
}

/// What an unfinished file is called if it needs a name: that of its target, or where somebody is writing to the same, one
/// that nobody has thought of.
fn second_names(target: &OsStr) -> io::Result<[String; 2]> {
    Ok([checksum(target.as_bytes()), getrandom::u64()?].map(|number| format!(".graven-{number:016x}.tmp")))
}

fn is_second_name(name: &str) -> bool {
    let digits = name.strip_prefix(".graven-").and_then(|name| name.strip_suffix(".tmp"));
    digits.is_some_and(|digits| {
        digits.len() == 16 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn names(dir: &Dir) -> Vec<OsString> {
        let mut names = dir.names().unwrap();
        names.sort();
        names
    }

    /// As where the file system lacks O_TMPFILE.
    fn named(dir: &Dir, own: Option<&str>) -> Temp {
        let name = own.map_or_else(|| second_names("target".as_ref()).unwrap()[0].clone(), str::to_owned);
        let fd = dir.create_file(&name, OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL, 0o600).unwrap();
        let locked = own.is_none() && ofd::try_lock(&fd, Sharing::Exclusive, &WRITING).unwrap();
        Temp {
            dir: dir.clone(),
            file: fd.into(),
            process: Process::current().unwrap(),
            target: "target".into(),
            own: own.map(str::to_owned),
            name: Some(name),
            locked,
        }
    }

    #[test]
    fn a_file_is_nowhere_until_it_is_placed_and_leaves_nothing_if_it_never_is() {
        let directory = tempfile::tempdir().unwrap();
        let dir = Dir::open(directory.path()).unwrap();
        let own = || named(&dir, Some("second"));
        let others = || named(&dir, None);
        let unnamed = || Temp::create(&dir, "target", None, 0o600).unwrap();
        let owned = || Temp::create(&dir, "target", Some("second".into()), 0o600).unwrap();
        for make in [&own as &dyn Fn() -> Temp, &others, &unnamed, &owned] {
            drop(make());
            assert!(names(&dir).is_empty());
            let temp = make();
            let again = File::from(temp.reopen(OFlag::O_RDONLY).unwrap());
            assert_eq!(again.metadata().unwrap().ino(), temp.file().unwrap().metadata().unwrap().ino());
            temp.file().unwrap().write_all(b"one").unwrap();
            temp.link().unwrap();
            drop(temp);
            let mut temp = make();
            assert_eq!(temp.link().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            temp.file().unwrap().write_all(b"two").unwrap();
            temp.replace().unwrap();
            assert_eq!(temp.file().unwrap().metadata().unwrap().nlink(), 1);
            drop(temp);
            assert_eq!(names(&dir), ["target"]);
            assert_eq!(std::fs::read(dir.path("target")).unwrap(), b"two");
            assert!(dir.unlink("target").unwrap() && !dir.unlink("target").unwrap());
        }
    }

    #[test]
    fn what_the_dead_have_left_is_removed_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let dir = Dir::open(directory.path()).unwrap();
        let second = second_names("target".as_ref()).unwrap()[0].clone();
        let leave = || std::fs::write(dir.path(&second), "half of it").unwrap();
        let others = [
            ".target.tmp",
            ".graven-target.tmp",
            ".graven-00000000000000zz.tmp",
            ".graven-0123456789abcdef.tmp~",
        ];
        for other in others {
            std::fs::write(dir.path(other), "another program's").unwrap();
        }
        std::fs::create_dir(dir.path(".graven-0000000000000001.tmp")).unwrap();
        let before = names(&dir);
        let mut with_target = before.clone();
        with_target.push("target".into());

        leave();
        sweep(&dir).unwrap();
        assert_eq!(names(&dir), before);
        // By the next who writes there, too.
        for _ in 0..2 {
            leave();
            let mut temp = Temp::create(&dir, "target", None, 0o600).unwrap();
            temp.replace().unwrap();
            drop(temp);
            assert_eq!(names(&dir), with_target);
        }
        // What is being written stays, and does not keep others from writing.
        let writing = named(&dir, None);
        sweep(&dir).unwrap();
        let mut temp = Temp::create(&dir, "target", None, 0o600).unwrap();
        temp.replace().unwrap();
        drop(temp);
        assert!(dir.leads_to(&second, file_id(&fstat(writing.file().unwrap()).unwrap())).unwrap());
        drop(writing);
        assert_eq!(names(&dir), with_target);
        dir.unlink("target").unwrap();
        // The owner of a second name owns what is there.
        std::fs::write(dir.path("second"), "").unwrap();
        let mut temp = Temp::create(&dir, "target", Some("second".into()), 0o600).unwrap();
        temp.replace().unwrap();
        drop(temp);
        assert_eq!(names(&dir), with_target);
    }
}
