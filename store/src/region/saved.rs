//! Snapshots of regions in files: segments, so that whatever reads segments reads them.
//!
//! Bytes are saved as objects of `Vec<u8>`: the root, and behind it `1`, `2` and so on where one object does not reach. An
//! archived value is saved as the segment that it is, with its checksums made right.
//!
//! Source: SPEC 16.6.

use std::path::Path;

use rkyv::rancor::Fallible;
use rkyv::ser::{Allocator, Writer as Write};
use rkyv::vec::{ArchivedVec, VecResolver};
use rkyv::{Archive, Place, Serialize};

use graven_format::Payload;

use super::any::stat_of;
use super::guard::{Guard, SharedGuard};
use super::handle::Region;
use crate::os::ofd::Sharing;
use crate::{Cause, Error, RegionError, Result, Segment, Summary, Timeout, Writer};

/// Bytes of an object: half of what relative offsets reach, at most 1 GiB.
const PART: usize = {
    let half = Payload::NATIVE.max_position() / 2;
    if half < 1 << 30 { half as usize } else { 1 << 30 }
};

/// Bytes as a `Vec<u8>` would be archived.
struct Bytes<'a>(&'a [u8]);

impl Archive for Bytes<'_> {
    type Archived = ArchivedVec<u8>;
    type Resolver = VecResolver;

    fn resolve(&self, resolver: VecResolver, out: Place<ArchivedVec<u8>>) {
        ArchivedVec::resolve_from_slice(self.0, resolver, out);
    }
}

impl<S: Fallible + Allocator + Write + ?Sized> Serialize<S> for Bytes<'_> {
    fn serialize(&self, serializer: &mut S) -> Result<VecResolver, S::Error> {
        ArchivedVec::serialize_from_slice(self.0, serializer)
    }
}

/// The name of a part, by its number.
fn name_of(part: usize) -> String {
    if part == 0 { String::new() } else { part.to_string() }
}

impl<T: ?Sized> Region<T> {
    /// Writes what the region holds into a segment at `file`, replacing atomically what is there: a snapshot of one moment,
    /// with checksums. A file that was being saved when its process was killed is the one before or the new one.
    ///
    /// The region is locked for reading meanwhile. The file has the region's permission bits, less the umask.
    ///
    /// # Errors
    /// As [`Writer::create`] and [`Writer::finish`]; [`Cause::Forked`] (EPERM). After an error the file is as it was.
    ///
    /// # Examples
    /// ```
    /// # let dir = tempfile::tempdir_in("/dev/shm")?;
    /// # let dir = dir.path();
    /// # use graven_store::{Segment, Store};
    /// # // SAFETY: only this program writes below `dir`.
    /// # let store = unsafe { Store::open(dir)? };
    /// # let file = dir.join("board.grv");
    /// let region = store.region("board").size(5).create()?;
    /// region.write_at(0, b"hello")?;
    /// region.save(&file)?;
    /// assert_eq!(Segment::read(&file)?.root::<Vec<u8>>()?.as_slice(), b"hello");
    ///
    /// region.write_at(0, b"HELLO")?;
    /// region.load(&file)?;
    /// assert_eq!(&region.lock()?[..], b"hello");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    /// Source: SPEC 16.6.
    pub fn save(&self, file: impl AsRef<Path>) -> Result<Summary> {
        let locked = self.locked(None, Sharing::Shared, Timeout::Forever)?;
        let mode = stat_of(self.any.lock.held()?.get()?)?.st_mode & 0o777;
        let guard = SharedGuard::bytes(locked);
        let mut writer = Writer::options().mode(mode).create(file)?;
        match self.any.header.typed {
            false => {
                for (part, bytes) in guard.chunks(PART).enumerate() {
                    writer.put(&name_of(part), &Bytes(bytes))?;
                }
            }
            true => {
                let copy = Segment::from_bytes(&*guard).map_err(|error| self.any.failed(error))?;
                writer.copy_edited(&copy, "").map_err(|error| self.any.failed(error))?;
            }
        }
        writer.finish()
    }

    /// All bytes, to be replaced: nothing of what a holder that died has left matters.
    fn overwrite(&self) -> Result<Guard<'_>> {
        self.locked(None, Sharing::Exclusive, Timeout::Forever).map(Guard::bytes)
    }
}

impl Region {
    /// Replaces what the region holds by what [`save`](Region::save) wrote. The file is read and checked first, and
    /// changes nothing unless it is whole.
    ///
    /// The region is locked while it is filled. Should the process be killed then, the next guard of the whole region says
    /// so. Cost: memory for a copy of the file.
    ///
    /// # Errors
    /// - As [`Segment::read`] and [`Segment::verify`] (EINVAL): short, longer, or any bit flipped.
    /// - [`RegionError::SavedSize`] (EINVAL): the region has another size. [`Cause::Layout`] (EINVAL): no saved region.
    /// - As [`lock`](Region::lock).
    pub fn load(&self, file: impl AsRef<Path>) -> Result<()> {
        self.check_raw()?;
        let file = file.as_ref();
        let saved = Segment::read(file)?;
        saved.verify()?;
        let count = saved.objects().count();
        let parts = (0..count).map(|part| saved.get::<Vec<u8>>(&name_of(part)));
        let parts = parts.collect::<Result<Vec<_>>>().map_err(|error| match error.cause() {
            // Objects of other names: whatever it is, it is not what `save` wrote.
            Cause::NoObject { .. } => self.unlike(0, file),
            _ => error,
        })?;
        let length = parts.iter().map(|part| part.len() as u64).sum();
        if length != self.size() {
            return Err(self.unlike(length, file));
        }
        let mut guard = self.overwrite()?;
        let mut rest = &mut guard[..];
        for part in parts {
            let (bytes, behind) = rest.split_at_mut(part.len());
            bytes.copy_from_slice(&part);
            rest = behind;
        }
        Ok(())
    }
}

impl<T: ?Sized> Region<T> {
    fn unlike(&self, saved: u64, file: &Path) -> Error {
        Error::new(RegionError::SavedSize { saved, size: self.size() }).of_file(file)
    }

    /// Replaces the segment that the region holds by one that has the same things at the same places.
    pub(super) fn load_segment(&self, saved: &Segment, same: bool, file: &Path) -> Result<()> {
        let bytes = saved.as_bytes();
        if bytes.len() as u64 != self.size() {
            return Err(self.unlike(bytes.len() as u64, file));
        }
        if !same {
            return Err(Error::new(RegionError::SavedElsewhere).of_file(file));
        }
        self.overwrite()?.copy_from_slice(bytes);
        Ok(())
    }
}
