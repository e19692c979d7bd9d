//! A region that is attached, whatever it holds, and the end of its name.

use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use graven_format::RegionHeader;
use nix::fcntl::OFlag;
use nix::sys::stat::{FileStat, fstat};

use super::lock::{Lock, OWNER, UNATTACHED};
use super::map::Map;
use crate::names::name::Name;
use crate::os::dir::{Dir, file_id};
use crate::os::held::{FileId, Held, Process};
use crate::os::ofd::{self, Sharing};
use crate::os::watch::Watch;
use crate::{Error, Result, Timeout};

/// How long to wait for what takes others a moment, without being asked to wait: they may be stopped, or hostile.
pub(super) const PATIENCE: Timeout = Timeout::Within(Duration::from_secs(2));

/// An attached region, whatever it holds.
pub(crate) struct AnyRegion {
    pub(super) key: String,
    pub(super) dir: Dir,
    pub(super) file: String,
    pub(super) id: FileId,
    pub(super) header: RegionHeader,
    pub(super) created: bool,
    pub(super) process: Process,
    /// Carries the owner's lock, in the process that created the region.
    pub(super) owner: Option<Held>,
    pub(super) lock: Arc<Lock>,
    /// What is readable when there may be something to wait for no longer; `None` if not even a timer was to be had.
    pub(super) watch: OnceLock<Option<Watch>>,
    /// Before `end`: who is no longer mapped is no longer attached.
    pub(super) map: Map,
    /// Carries the attachment where the mapping does not. A forked child has a copy, as of the mapping.
    pub(super) _kept: Option<OwnedFd>,
    pub(super) end: End,
}

impl AnyRegion {
    pub(super) fn failed(&self, error: impl Into<Error>) -> Error {
        error.into().of_file(&self.dir.path(&self.file))
    }

    /// Whether the process that created the region was killed.
    pub(super) fn owner_died(&self) -> Result<bool> {
        if self.map.word(RegionHeader::OWNED).load() == 0 {
            return Ok(false);
        }
        let fd = self.lock.held()?.get()?;
        let owner =
            ofd::conflict(fd, Sharing::Shared, &OWNER).map_err(Error::system("look for the owner"))?;
        // The owner may have left while we looked.
        Ok(owner.is_none() && self.map.word(RegionHeader::OWNED).load() != 0)
    }
}

impl Drop for AnyRegion {
    fn drop(&mut self) {
        let Some(owner) = self.owner.take().filter(|_| self.process.check().is_ok()) else { return };
        if let Ok(owned) = self.map.word_mut(RegionHeader::OWNED) {
            owned.store(0);
        }
        if let Ok(fd) = owner.get() {
            let _ = ofd::unlock(fd, &OWNER);
        }
    }
}

/// Removes the name after the last detach, where that was asked for.
pub(super) struct End {
    pub(super) dir: Dir,
    pub(super) file: String,
    pub(super) id: FileId,
    pub(super) transient: bool,
    pub(super) process: Process,
}

impl Drop for End {
    fn drop(&mut self) {
        if self.transient && self.process.check().is_ok() {
            // What cannot be removed now is for `sweep`.
            let _ = remove(&self.dir, &self.file, self.id, &UNATTACHED);
        }
    }
}

/// Removes the name of a file, if it is still its name and `range`, of the locks that keep it, is free. `None`: the name
/// is another file's or nobody's; `false`: somebody has one of the locks.
pub(super) fn remove(dir: &Dir, file: &str, id: FileId, range: &Range<u64>) -> Result<Option<bool>> {
    let open = || dir.open_file(file, OFlag::O_RDWR);
    let held = match Held::open(open) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        result => result.map_err(Error::system("open the region"))?,
    };
    let fd = held.get()?;
    if file_id(&fstat(fd).map_err(Error::system("stat the region"))?) != id {
        return Ok(None);
    }
    // The description is this call's own, so other threads are kept out too.
    if !ofd::try_lock(fd, Sharing::Exclusive, range).map_err(Error::system("lock the region's name"))? {
        return Ok(Some(false));
    }
    // Only the holder of this lock may remove the name of this file: it stays what it is until we are done.
    let named = dir.stat(file).map_err(Error::system("stat the region"))?;
    let removed = match named.filter(|stat| file_id(stat) == id) {
        Some(_) => Some(dir.unlink(file).map_err(Error::system("unlink the region"))?),
        None => None,
    };
    let _ = ofd::unlock(fd, range);
    Ok(removed)
}

/// The name of a region's file.
pub(crate) fn file_of(key: &Name) -> String {
    format!("{key}.rgn")
}

/// A descriptor that is registered from its first moment.
pub(super) fn hold<E>(open: impl FnOnce() -> Result<OwnedFd, E>, action: &'static str) -> Result<Held>
where
    E: Into<io::Error>,
{
    Held::open(|| open().map_err(Into::into)).map_err(Error::system::<io::Error>(action))
}

/// The kernel's number for a descriptor's file.
pub(super) fn stat_of(fd: impl AsFd) -> Result<FileStat> {
    fstat(fd).map_err(Error::system("stat the region"))
}
