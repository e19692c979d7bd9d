//! One bounded buffer between rkyv and a file.
//!
//! rkyv only ever appends, so an object can leave memory while it is written. Everything goes through one buffer of
//! fixed size: for fresh files that is faster than writing through a mapping, whose page faults cost more than the
//! copy. Checksums are taken on the way, while the bytes are in the cache. A stream without a file only counts. Objects
//! that are to be looked into before they count are kept in memory as well until they are complete.

use std::fs::File;
use std::os::unix::fs::FileExt;

use graven_format::{Hasher, Header, Payload};
use rkyv::rancor::{BoxedError, Source, Strategy};
use rkyv::ser::allocator::ArenaHandle;
use rkyv::ser::sharing::Share;
use rkyv::ser::{Positional, Writer};
use rkyv::util::AlignedVec;

use crate::Cause;
use crate::os::held::Process;
use crate::write::rehearsal::{Before, Plan};

/// What objects are serialized with: the bound on writable types is `T: for<'a> Serialize<Serializer<'a>>`.
pub type Serializer<'a> = Strategy<rkyv::ser::Serializer<&'a mut Stream, ArenaHandle<'a>, Share>, BoxedError>;

/// Bytes kept in memory before they go to the file.
const BUFFER: usize = 256 << 10;

/// A segment's bytes on their way to a file. Nameable only as part of [`Serializer`].
pub struct Stream {
    /// Where it goes; `None` counts only.
    target: Option<Target>,
    /// No byte at or behind this position is written, only counted.
    limit: u64,
    /// Has room for `BUFFER` bytes, or none if the stream only counts.
    buffer: Vec<u8>,
    /// The segment position of the buffer's first byte.
    flushed: u64,
    /// The segment position of the next byte.
    position: u64,
    /// The same as `limit`, but for an object that is kept: then 0, so that no byte goes past what keeps it.
    direct: u64,
    /// The bytes of the object being written, if they are wanted once more when it is complete.
    kept: Option<Kept>,
    /// Where the object being written starts.
    start: u64,
    /// Where a piece of it that has pointers can start at the latest: they have to reach back to the object's start.
    last: u64,
    /// The object's largest alignment.
    align: u64,
    /// Where the object is aligned, if rkyv cannot do it.
    plan: Option<Plan>,
    /// The checksum of the object being written, without the bytes of the buffer from `unhashed` on.
    hasher: Hasher,
    unhashed: usize,
    /// Why the object being written cannot be.
    failure: Option<Cause>,
}

/// An object's bytes in memory, aligned as in a segment.
pub(crate) type Kept = AlignedVec<{ Header::MAX_PAGE_SIZE as usize }>;

/// A run of a file, that one process writes.
struct Target {
    file: File,
    /// Where the run starts.
    base: u64,
    process: Process,
}

impl Target {
    /// Serializing is the user's code, which may have forked: the child shares the file, and writes nothing.
    fn write(&self, position: u64, bytes: &[u8]) -> Result<(), Cause> {
        self.process.check().map_err(|_| Cause::Forked)?;
        let written = self.file.write_all_at(bytes, self.base + position);
        written.map_err(|error| Cause::System { action: "write", error })
    }
}

impl Stream {
    /// A stream into the run of a file that starts at `base`. In a forked child of `process` it writes nothing.
    pub(crate) fn to_file(file: File, base: u64, limit: u64, process: Process) -> Stream {
        let target = Some(Target { file, base, process });
        Stream { target, limit, direct: limit, buffer: Vec::with_capacity(BUFFER), ..Stream::counting() }
    }

    pub(crate) fn counting() -> Stream {
        Stream {
            target: None,
            limit: 0,
            direct: 0,
            kept: None,
            buffer: Vec::new(),
            flushed: 0,
            position: 0,
            start: 0,
            last: u64::MAX,
            align: 1,
            plan: None,
            hasher: Hasher::new(0),
            unhashed: 0,
            failure: None,
        }
    }

    /// The segment position of the next byte.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Whether there are bytes that found no room before `limit`.
    pub(crate) fn overflowed(&self) -> bool {
        self.position > self.limit
    }

    pub(crate) fn begin_object(&mut self) {
        self.start = self.position;
        self.last = u64::MAX;
        self.plan = None;
        self.hasher = Hasher::new(0);
        self.unhashed = self.buffer.len();
    }

    /// Says that the object being written has pieces with pointers in their first `bytes` bytes, and no larger alignment.
    pub(crate) fn expect_pointers_within(&mut self, bytes: u64, align: u32) {
        self.last = self.start.saturating_add(Payload::NATIVE.max_position().saturating_sub(bytes));
        self.align = align.into();
    }

    /// Has the object being written aligned by a plan, or rehearsed.
    pub(crate) fn plan(&mut self, plan: Plan) {
        self.plan = Some(plan);
    }

    /// The plan that a rehearsal has made.
    pub(crate) fn rehearsed(&mut self) -> Plan {
        self.plan.take().unwrap_or_default()
    }

    /// The offset in the object by the plan, and one from where pointers reach that is aligned as that.
    #[cold]
    fn planned(&self) -> u64 {
        let mut offset = self.position - self.start;
        if let Some(plan) = &self.plan {
            offset = plan.offset(offset);
        }
        match offset.checked_sub(self.last.saturating_sub(self.start)) {
            None | Some(0) => offset,
            Some(over) => {
                offset.checked_sub(over.next_multiple_of(self.align)).unwrap_or(offset % self.align)
            }
        }
    }

    /// Keeps a copy of the object being written, of which nothing has been written yet, instead of what `kept` holds.
    pub(crate) fn keep_object(&mut self, mut kept: Kept) {
        kept.clear();
        (self.direct, self.kept) = (0, Some(kept));
    }

    /// The object being written, if it was to be kept.
    pub(crate) fn kept(&mut self) -> Option<Kept> {
        self.direct = self.limit;
        self.kept.take()
    }

    /// The checksum of the object so far.
    pub(crate) fn checksum(&mut self) -> u64 {
        self.hasher.update(&self.buffer[self.unhashed..]);
        self.unhashed = self.buffer.len();
        self.hasher.digest()
    }

    /// Forgets all bytes behind `position`, and the failure that made them worthless, which is returned.
    pub(crate) fn rewind(&mut self, position: u64) -> Option<Cause> {
        self.position = position;
        let _ = self.kept();
        match position.checked_sub(self.flushed) {
            Some(kept) => self.buffer.truncate(kept as usize),
            None => {
                self.buffer.clear();
                self.flushed = position;
            }
        }
        self.failure.take()
    }

    /// Appends zeros up to a multiple of `align`.
    pub(crate) fn pad(&mut self, align: u64) -> Result<(), Cause> {
        self.pad_to(self.position.next_multiple_of(align))
    }

    /// Appends zeros up to `position`.
    pub(crate) fn pad_to(&mut self, position: u64) -> Result<(), Cause> {
        const ZEROS: [u8; 4096] = [0; 4096];
        while self.position < position {
            let len = (position - self.position).min(ZEROS.len() as u64);
            self.append(&ZEROS[..len as usize])?;
        }
        Ok(())
    }

    /// Appends bytes.
    pub(crate) fn append(&mut self, mut bytes: &[u8]) -> Result<(), Cause> {
        let end = self.position + bytes.len() as u64;
        if end > self.limit {
            self.position = end;
            return Ok(());
        }
        while !bytes.is_empty() {
            // What is large goes past the buffer, rather than through what is left of it.
            if self.buffer.len() == BUFFER || bytes.len() >= BUFFER && !self.buffer.is_empty() {
                self.flush()?;
            }
            if self.buffer.is_empty() && bytes.len() >= BUFFER && self.target.is_some() {
                // Large slices, and objects that are copied, need no buffer. Piece by piece, as hashing brings a piece
                // into the cache.
                let (now, later) = bytes.split_at(BUFFER);
                self.hasher.update(now);
                self.write_at(self.flushed, now)?;
                self.flushed += now.len() as u64;
                self.position += now.len() as u64;
                bytes = later;
                continue;
            }
            let (now, later) = bytes.split_at(bytes.len().min(BUFFER - self.buffer.len()));
            self.buffer.extend_from_slice(now);
            self.position += now.len() as u64;
            bytes = later;
        }
        Ok(())
    }

    /// Hands what is in the buffer to the kernel.
    pub(crate) fn flush(&mut self) -> Result<(), Cause> {
        let Some(target) = &self.target else { return Ok(()) };
        self.hasher.update(self.buffer.get(self.unhashed..).unwrap_or_default());
        self.unhashed = self.buffer.len();
        target.write(self.flushed, &self.buffer)?;
        self.flushed += self.buffer.len() as u64;
        self.buffer.clear();
        self.unhashed = 0;
        Ok(())
    }

    /// # Errors
    /// [`Cause::Forked`] (EPERM): this process is a forked child of the one that writes.
    pub(crate) fn check(&self) -> crate::Result<()> {
        self.target.as_ref().map_or(Ok(()), |target| target.process.check())
    }

    /// Writes behind the stream's back, at a position already passed.
    pub(crate) fn write_at(&self, position: u64, bytes: &[u8]) -> Result<(), Cause> {
        self.target.as_ref().map_or(Ok(()), |target| target.write(position, bytes))
    }

    /// Appends bytes of the object, unless they pass the reach of its relative offsets.
    #[cold]
    fn append_to_object(&mut self, bytes: &[u8]) -> Result<(), Stopped> {
        let before = self.plan.as_mut().map_or(Before::Zeros(0), |plan| plan.before(bytes));
        match before {
            Before::Rehearsal => return Ok(()),
            Before::Zeros(zeros) => {
                for _ in 0..zeros {
                    self.append_to_object(&[0])?;
                }
            }
            Before::Changed => {
                let message = "the value changed while it was written".to_owned();
                self.failure = Some(Cause::Serialize { message });
                return Err(Stopped);
            }
        }
        let limit = Payload::NATIVE.max_position();
        let left = limit.saturating_sub(self.position - self.start);
        let refused = self.position > self.last && !bytes.is_empty() || bytes.len() as u64 > left;
        if let Some(kept) = &mut self.kept
            && !refused
        {
            kept.extend_from_slice(bytes);
        }
        let appended = match refused {
            true => Err(Cause::TooLarge { limit }),
            false => self.append(bytes),
        };
        appended.map_err(|cause| {
            self.failure = Some(cause);
            Stopped
        })
    }
}

impl Positional for Stream {
    /// The offset in the object: what relative offsets are made of.
    ///
    /// rkyv computes those of a piece before it writes the piece, and panics where one is too large. So where a pointer may
    /// not reach, it is told an offset from where it does: what it makes of that is refused.
    #[inline]
    fn pos(&self) -> usize {
        let plain = self.position <= self.last && self.plan.is_none();
        let offset = if plain { self.position - self.start } else { self.planned() };
        offset as usize
    }
}

/// Tells rkyv to stop; the cause is in the stream.
#[derive(Debug)]
struct Stopped;

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the stream has stopped")
    }
}

impl std::error::Error for Stopped {}

impl<E: Source> Writer<E> for Stream {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), E> {
        let end = self.position + bytes.len() as u64;
        let reach = end - self.start <= Payload::NATIVE.max_position()
            && self.position <= self.last
            && self.plan.is_none();
        // Nearly always: rkyv writes values of a few bytes each.
        if reach && end <= self.direct && bytes.len() <= BUFFER - self.buffer.len() {
            self.buffer.extend_from_slice(bytes);
            self.position = end;
            return Ok(());
        }
        if reach && self.target.is_none() && self.kept.is_none() {
            self.position = end;
            return Ok(());
        }
        self.append_to_object(bytes).map_err(E::new)
    }
}
