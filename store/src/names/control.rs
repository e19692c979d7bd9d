//! NAME.ctl: one page per name, which readers map read-only.
//!
//! ```text
//!   0  magic, 8 bytes, the last of which names the machine's byte order; version, u32, little-endian
//!  64  epoch, a word: 2 * generation + retired; its low half is the futex word
//!  72  flags, a word: 1 the name ends with its owner, 2 it ends with its last attachment and owner
//! 128  notes for people, u64, little-endian: the owner's pid, since when, and when the newest generation was
//!      published (ns since 1970)
//! ```
//! All of it is written by pwrite(2), in one piece from the epoch to the last note: nobody maps the page writable, as on a
//! file system that copies blocks when they are written (btrfs, xfs, whatever can share blocks between files) a store
//! through a mapping may find the disk full, which is a signal; pwrite says ENOSPC. inotify tells of it, too: that is how
//! a reader that sleeps in epoll learns of a new epoch, without a descriptor per reader on the owner's side.
//!
//! The page's mode, user and group are those of the name: whatever else the name has takes them from here.
//!
//! # Attachments
//! Locks on the page, see `attach`: at an offset chosen at random out of 2^62, as two at the same would count as one. (A
//! generation in the upper half would tell who is behind, but leave 32 bits, where of 5,000 attachments two meet once in
//! 350 times; and each new generation would need a new lock.) Whoever may read the name can lock as much as they like
//! and so appear as attached; nothing but the end of a name with its last attachment depends on it.
//!
//! # Pages of a lower layer
//! On overlayfs a mapping is one of the file in the layer below, and stays so when the first owner opens the page for
//! writing, which copies it up: nothing that is written comes through. Reading from a descriptor does follow. There the
//! attachment keeps a descriptor anyway (see `attach`), so words are read through it: a system call in place of a load.
//!
//! Source: SPEC 17.
#![warn(clippy::arithmetic_side_effects)] // what files, pages and other processes say is added up here
#![allow(unsafe_code)] // words at offsets of the mapping
#![allow(clippy::host_endian_bytes)] // words are in the machine's byte order, which the page's magic says

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::ptr::NonNull;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use memmap2::{MmapOptions, MmapRaw};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{SFlag, fstat};

use crate::names::name::{Name, Role};
use crate::names::protocol::Epoch;
use crate::os::attach;
use crate::os::dir::{Access, Dir, file_id};
use crate::os::file_system::copies_blocks;
use crate::os::held::{FileId, Held};
use crate::os::sync::{Word, order_before_write};
use crate::os::temp::Temp;
use crate::{Cause, Error, Result};

const SIZE: usize = 4096;
const MAGIC: [u8; 8] = match cfg!(target_endian = "big") {
    true => *b"graven-B",
    false => *b"graven-L",
};
const VERSION: u32 = 1;
const EPOCH: usize = 64;
const FLAGS: usize = 72;
const NOTES: usize = 128;
const OWNER: usize = NOTES;
const OWNED: usize = NOTES + 8;
const TOLD: usize = NOTES + 16;
/// Behind the last note.
const END: usize = NOTES + 24;

/// The name ends with its owner.
pub(crate) const ENDS_WITH_OWNER: u64 = 1;
/// The name ends when neither an owner nor an attachment is left.
pub(crate) const ENDS_WITH_LAST: u64 = 2;

/// The permission bits that a name always has: its user's processes are its owners.
pub(crate) const OWN_BITS: u32 = 0o600;

/// The page of a name, mapped read-only. While it is mapped it may count as an attachment.
pub(crate) struct Control {
    /// INVARIANT: `SIZE` bytes of a file that has as many.
    map: MmapRaw,
    /// INVARIANT: the epoch in `map`. Kept, as readers look at it all the time.
    epoch: NonNull<u64>,
    /// What carries the attachment where the mapping does not: then the mapping may be of another file.
    kept: Option<File>,
    id: FileId,
}

// SAFETY: the pointer is into the mapping, which belongs to the process, not to a thread; it is used through words only.
unsafe impl Send for Control {}
// SAFETY: as above; words are atomic.
unsafe impl Sync for Control {}

impl Control {
    /// INVARIANT: `map` is `SIZE` bytes of a file that has as many.
    fn new(map: MmapRaw, kept: Option<File>, id: FileId) -> Control {
        let epoch = at(&map, EPOCH);
        Control { map, epoch, kept, id }
    }

    /// Maps the page of a name; `None` if there is none. The descriptor is for locks and notes.
    ///
    /// # Errors
    /// [`Cause::Control`] (EINVAL), [`Cause::System`].
    pub(crate) fn open(dir: &Dir, name: &Name) -> Result<Option<(Control, File)>> {
        let open = || {
            let Some((file, id)) = open(dir, name, OFlag::O_RDONLY)? else { return Ok(None) };
            Ok(Some((Control::new(map(file.as_fd())?, None, id), file)))
        };
        open().map_err(|error: Error| error.of_file(&dir.path(name.file(Role::Control))))
    }

    /// Attaches to a name; `None` if there is none, or it is just ending.
    ///
    /// # Errors
    /// As [`Control::open`].
    pub(crate) fn attach(dir: &Dir, name: &Name) -> Result<Option<Control>> {
        let open = || open(dir, name, OFlag::O_RDONLY);
        let attach = || {
            let Some((second, id)) = open()? else { return Ok(None) };
            let first = Held::open(|| match open()? {
                Some((file, first)) if first == id => Ok(OwnedFd::from(file)),
                // Another's by now.
                _ => Err(io::Error::from(Error::new(Cause::NoName))),
            });
            let first = match first.map_err(Error::system("open")) {
                Err(error) if matches!(error.cause(), Cause::NoName) => return Ok(None),
                first => first?,
            };
            let attached = attach::attach(first, second, &SLOTS, map)?;
            Ok(attached.map(|(map, kept)| Control::new(map, kept, id)))
        };
        attach().map_err(|error: Error| error.of_file(&dir.path(name.file(Role::Control))))
    }

    /// Whether this page is still the name's.
    ///
    /// # Errors
    /// As fstatat(2).
    pub(crate) fn is_named(&self, dir: &Dir, name: &Name) -> io::Result<bool> {
        // On overlayfs the number may be another once the page is copied up.
        let id = match &self.kept {
            Some(file) => file_id(&fstat(file)?),
            None => self.id,
        };
        dir.leads_to(name.file(Role::Control), id)
    }

    #[inline]
    fn epoch(&self) -> Word<'_> {
        // SAFETY: as in `word`.
        unsafe { Word::new(self.epoch) }
    }

    #[inline]
    pub(crate) fn now(&self) -> Epoch {
        Epoch(self.read(EPOCH))
    }

    /// Whether the epoch is still that one, or was a moment ago.
    #[inline]
    pub(crate) fn is_at(&self, epoch: Epoch) -> bool {
        match self.kept {
            None => self.epoch().load() == epoch.0,
            Some(_) => self.now() == epoch,
        }
    }

    /// Sleeps until somebody tells of another epoch than `seen`, at most `slice`.
    pub(crate) fn sleep(&self, seen: Epoch, slice: Duration) {
        match self.epoch().settled() == seen.0 {
            true => self.epoch().wait(seen.0, slice),
            // It is told elsewhere, or has just been told.
            false if self.kept.is_some() => std::thread::sleep(slice),
            false => {}
        }
    }

    pub(crate) fn flags(&self) -> u64 {
        self.read(FLAGS)
    }

    /// What the word at that offset is by now.
    #[inline]
    fn read(&self, offset: usize) -> u64 {
        match self.kept.as_ref().and_then(|file| read_word(file, offset).ok()) {
            Some(word) => word,
            None => self.word(offset).settled(),
        }
    }

    /// The word at an offset that is a multiple of 8, in the page.
    fn word(&self, offset: usize) -> Word<'_> {
        // SAFETY: `Word::new` asks for
        // - alignment to 8: mappings start at pages, and offsets are multiples of 8;
        // - 8 bytes mapped and backed by the file: within `SIZE`, which the file has (INVARIANT), and the mapping lives
        //   as long as `self`;
        // - access through words only: nothing else here takes the address.
        unsafe { Word::new(at(&self.map, offset)) }
    }

    pub(crate) fn has(&self, flag: u64) -> bool {
        self.flags() & flag != 0
    }
}

/// Reads a word until two reads agree, as nothing promises that its bytes arrive together.
#[cold]
fn read_word(file: &File, offset: usize) -> io::Result<u64> {
    let read = || {
        let mut bytes = [0; 8];
        file.read_exact_at(&mut bytes, offset as u64).map(|()| u64::from_ne_bytes(bytes))
    };
    let mut word = read()?;
    loop {
        match read()? {
            again if again == word => return Ok(word),
            again => word = again,
        }
    }
}

fn map(file: BorrowedFd<'_>) -> Result<MmapRaw> {
    MmapOptions::new().len(SIZE).map_raw_read_only(&file).map_err(Error::system("map the control page"))
}

fn at(map: &MmapRaw, offset: usize) -> NonNull<u64> {
    NonNull::new(map.as_mut_ptr().wrapping_add(offset)).expect("mapped, so not at 0").cast()
}

/// The page of a name, to be written by the holder of the name's lock.
pub(crate) struct ControlMut {
    control: Control,
    pub(crate) file: File,
    /// Whether writing it may find no room, though it has its block.
    copies_blocks: bool,
}

impl std::ops::Deref for ControlMut {
    type Target = Control;

    fn deref(&self) -> &Control {
        &self.control
    }
}

impl ControlMut {
    /// Maps the page of a name; `None` if there is none.
    ///
    /// # Errors
    /// As [`Control::open`].
    pub(crate) fn open(dir: &Dir, name: &Name) -> Result<Option<ControlMut>> {
        let open = || {
            let Some((file, id)) = open(dir, name, OFlag::O_RDWR)? else { return Ok(None) };
            ControlMut::map(file, id).map(Some)
        };
        open().map_err(|error: Error| error.of_file(&dir.path(name.file(Role::Control))))
    }

    /// Makes the page of a new name: complete, and not there yet. `mode` is less the umask, unless `exact`.
    pub(crate) fn create(
        dir: &Dir,
        name: &Name,
        (mode, exact): (u32, bool),
        epoch: Epoch,
        flags: u64,
    ) -> Result<(ControlMut, Temp)> {
        let create = || -> io::Result<_> {
            // The name's lock is held, so nobody else uses the second name.
            let temp = Temp::create(dir, name.file(Role::Control), Some(name.file(Role::Next)), mode)?;
            let file = temp.file()?;
            let access = Access::of(file)?;
            let mode = if exact { mode } else { access.mode | OWN_BITS };
            Access { mode, ..access }.give(file)?;
            let mut page = [0; SIZE];
            page[..8].copy_from_slice(&MAGIC);
            page[8..12].copy_from_slice(&VERSION.to_le_bytes());
            page[EPOCH..][..8].copy_from_slice(&epoch.0.to_ne_bytes());
            page[FLAGS..][..8].copy_from_slice(&flags.to_ne_bytes());
            // All of it, so that there is a block behind every byte.
            file.write_all_at(&page, 0)?;
            Ok((file.try_clone()?, file_id(&fstat(file)?), temp))
        };
        let (file, id, temp) = create().map_err(Error::system("create the control page"))?;
        Ok((ControlMut::map(file, id)?, temp))
    }

    fn map(file: File, id: FileId) -> Result<ControlMut> {
        let control = Control::new(map(file.as_fd())?, None, id);
        Ok(ControlMut { control, copies_blocks: copies_blocks(&file), file })
    }

    /// Sets the epoch and tells everyone who waits for it, in epoll too. It never goes back, nor is an end taken back: not
    /// even by an owner whose lock was removed just now.
    ///
    /// # Errors
    /// [`Cause::System`]: ENOSPC. Then the epoch is what it was.
    pub(crate) fn announce(&self, epoch: Epoch) -> Result<()> {
        let now = self.now();
        let epoch = epoch.0.max(now.0) | u64::from(now.is_retired());
        self.write(&[(EPOCH, epoch), (TOLD, nanoseconds().to_le())])?;
        self.epoch().wake_all();
        Ok(())
    }

    /// Before something is put in its place that is to be told of: makes sure that telling finds room. What could not be
    /// told before, for want of it, is told now.
    ///
    /// # Errors
    /// As [`announce`](ControlMut::announce).
    pub(crate) fn prepare(&self, epoch: Epoch) -> Result<()> {
        match self.copies_blocks {
            _ if !self.is_at(epoch) => self.announce(epoch),
            // The block that is written now is written again without another copy, most probably.
            true => self.write(&[]),
            false => Ok(()),
        }
    }

    /// # Errors
    /// As [`announce`](ControlMut::announce).
    pub(crate) fn set_flags(&self, flags: u64) -> Result<()> {
        self.write(&[(FLAGS, flags)])
    }

    /// Notes who owns the name, for people.
    ///
    /// # Errors
    /// As [`announce`](ControlMut::announce).
    pub(crate) fn note_owner(&self) -> Result<()> {
        let pid = u64::from(std::process::id());
        self.write(&[(OWNER, pid.to_le()), (OWNED, nanoseconds().to_le())])
    }

    /// Writes all that changes, some of it changed.
    fn write(&self, changed: &[(usize, u64)]) -> Result<()> {
        let mut bytes = [0; END - EPOCH];
        for (offset, word) in (EPOCH..END).step_by(8).zip(bytes.chunks_exact_mut(8)) {
            let new = changed.iter().find(|(at, _)| *at == offset);
            // Only this process writes, so what is there is what it wrote.
            let value = new.map_or_else(|| self.word(offset).load(), |(_, value)| *value);
            word.copy_from_slice(&value.to_ne_bytes());
        }
        order_before_write();
        self.file.write_all_at(&bytes, EPOCH as u64).map_err(Error::system("write the control page"))
    }
}

/// What a page's notes say.
pub(crate) struct Notes {
    pub(crate) pid: u32,
    pub(crate) owned: SystemTime,
    pub(crate) published: SystemTime,
}

impl Notes {
    pub(crate) fn read(file: &File) -> io::Result<Notes> {
        let mut notes = [0; 24];
        file.read_exact_at(&mut notes, NOTES as u64)?;
        let [pid, owned, published] = [0, 8, 16].map(|at| {
            u64::from_le_bytes(*notes[at..].first_chunk().expect("24 bytes have 8 from 0, 8 and 16 on"))
        });
        let time = |ns| UNIX_EPOCH.checked_add(Duration::from_nanos(ns)).unwrap_or(UNIX_EPOCH);
        Ok(Notes { pid: pid as u32, owned: time(owned), published: time(published) })
    }
}

fn nanoseconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64)
}

/// Opens the page, and checks that it is one and has all its bytes: what is behind a file's end is SIGBUS.
fn open(dir: &Dir, name: &Name, flags: OFlag) -> Result<Option<(File, FileId)>> {
    let invalid = |what| Err(Error::new(Cause::Control { what }));
    let file = match dir.open_file(name.file(Role::Control), flags) {
        Ok(fd) => File::from(fd),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => match error.raw_os_error().map(Errno::from_raw) {
            // A link, a socket, a directory.
            Some(Errno::ELOOP | Errno::ENXIO | Errno::EISDIR) => return invalid("not a regular file"),
            _ => return Err(Error::system("open")(error)),
        },
    };
    let stat = fstat(&file).map_err(Error::system("stat the control page"))?;
    if SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT != SFlag::S_IFREG {
        return invalid("not a regular file");
    }
    if stat.st_size < SIZE as i64 {
        return invalid("it is too short");
    }
    let mut start = [0; 12];
    file.read_exact_at(&mut start, 0).map_err(Error::system("read the control page"))?;
    if start[..8] != MAGIC {
        return invalid("it starts with other bytes");
    }
    if start[8..] != VERSION.to_le_bytes() {
        return invalid("it is of another version");
    }
    Ok(Some((file, file_id(&stat))))
}

/// Where attachments are.
pub(crate) const SLOTS: Range<u64> = 0..1 << 62;
