//! Readers of a name: what was published last, and waiting for what is next.
//!
//! A handle has the generation that it returned last, and the epoch that it has seen. As long as the epoch is the same
//! there is nothing new: that is one load. Otherwise the name's file is opened, which is always a complete generation.
//! Numbers are compared with `>`: a handle never goes back. Clones share, behind a mutex, the newest generation that any
//! of them has opened, and what came of it; each keeps the one that it returned last alive by itself.
//!
//! A name can end and another begin under it between any two steps here. But its epoch says so before its files go, so
//! whoever looks at the epoch after opening the file knows whose file it was.
#![warn(clippy::arithmetic_side_effects)] // what files, pages and other processes say is added up here
#![allow(unsafe_code)] // the reader that trusts the contents of generations

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use graven_format::layout::Layout;
use rkyv::Archive;

use crate::names::control::ENDS_WITH_OWNER;
use crate::names::descriptor::Descriptor;
use crate::names::life;
use crate::names::lifecycle::Attachment;
use crate::names::name::Name;
use crate::names::protocol::{self, Epoch, Look, Outcome};
use crate::names::published::Published;
use crate::os::dir::Dir;
use crate::os::timeout::{Deadline, LONG, SLICE, Timeout};
use crate::{Adopted, Cause, Error, Result, Segment};

/// What becomes of a generation: a segment, or an adopted object.
type Adopt<V> = fn(&Segment) -> Result<V>;

/// A handle that follows a name's generations. `V` is what it makes of each.
struct Follow<V> {
    shared: Arc<Shared<V>>,
    /// Of the generation that was returned last.
    current: V,
    generation: u64,
    /// The epoch at which there was nothing newer.
    seen: Epoch,
    /// The newest generation that `wait` has found bad, and said so.
    refused: u64,
    /// The owner of a name that ends with it has been found gone.
    gone: bool,
    descriptor: OnceLock<Descriptor>,
}

/// What clones share.
struct Shared<V> {
    attachment: Attachment,
    adopt: Adopt<V>,
    newest: Mutex<Newest<V>>,
}

/// The newest generation that was opened.
#[derive(Clone)]
struct Newest<V> {
    generation: u64,
    result: Result<V>,
}

impl<V: Clone> Follow<V> {
    /// Attaches, and adopts the newest generation.
    fn attach(dir: &Dir, name: &Name, timeout: Timeout, adopt: Adopt<V>) -> Result<Follow<V>> {
        let attach = || {
            let mut looks = timeout.looks(LONG);
            loop {
                if let Some(attachment) = Attachment::new(dir, name)?
                    && let Some(follow) = Follow::new(attachment, adopt)?
                {
                    return Ok(follow);
                }
                if !looks.again() {
                    return Err(Error::new(match timeout {
                        Timeout::Now => Cause::NoName,
                        _ => Cause::TimedOut,
                    }));
                }
            }
        };
        attach().map_err(|error: Error| error.of_file(&dir.path(name.to_string())))
    }

    /// `None`: nothing is published, or the name has ended.
    fn new(attachment: Attachment, adopt: Adopt<V>) -> Result<Option<Follow<V>>> {
        let seen = attachment.control.now();
        let Some(newest) = open(&attachment, adopt)? else { return Ok(None) };
        if attachment.control.now().is_retired() {
            return Ok(None);
        }
        let Newest { generation, result } = newest;
        let current = result?;
        let newest = Mutex::new(Newest { generation, result: Ok(current.clone()) });
        let shared = Arc::new(Shared { attachment, adopt, newest });
        let descriptor = OnceLock::new();
        Ok(Some(Follow { shared, current, generation, seen, refused: 0, gone: false, descriptor }))
    }

    #[inline]
    fn latest(&mut self) -> Result<&V> {
        if self.shared.attachment.control.is_at(self.seen) && self.descriptor.get().is_none() {
            return Ok(&self.current);
        }
        self.look()
    }

    #[cold]
    fn look(&mut self) -> Result<&V> {
        self.drain();
        let epoch = self.epoch()?;
        if epoch.generation() > self.generation {
            // Also what the owner has told of before it went.
            self.advance(epoch.generation())?;
        } else if self.gone {
            return Err(self.failed(Cause::OwnerGone));
        } else if self.descriptor.get().is_some() {
            // Which tells of the page's end, whatever ended it.
            self.shared.attachment.check_named().map_err(|error| self.of_name(error))?;
        }
        self.seen = epoch;
        Ok(&self.current)
    }

    fn wait(&mut self, timeout: Timeout) -> Result<&V> {
        self.drain();
        let name = Waiting { attachment: &self.shared.attachment, deadline: timeout.start() };
        let found = protocol::wait(&name, self.generation.max(self.refused));
        match found.map_err(|error| self.of_name(error))? {
            Outcome::Newer(generation, epoch) => {
                if let Err(error) = self.advance(generation) {
                    if !is_of_the_system(&error) {
                        self.refused = generation;
                    }
                    return Err(error);
                }
                self.seen = epoch;
                Ok(&self.current)
            }
            Outcome::Retired => Err(self.failed(Cause::Retired)),
            Outcome::OwnerGone => {
                self.gone = true;
                Err(self.failed(Cause::OwnerGone))
            }
            Outcome::TimedOut => Err(self.failed(Cause::TimedOut)),
        }
    }

    /// The epoch, if the name has not been retired.
    fn epoch(&self) -> Result<Epoch> {
        let epoch = self.shared.attachment.control.now();
        match epoch.is_retired() {
            true => Err(self.failed(Cause::Retired)),
            false => Ok(epoch),
        }
    }

    /// Makes the newest generation the current one; it is at least that of the number.
    fn advance(&mut self, at_least: u64) -> Result<()> {
        let newest = self.shared.newest(at_least);
        // Also when the file is gone: the name was retired first.
        self.epoch()?;
        let Newest { generation, result } = newest?;
        let current = result?;
        if generation > self.generation {
            self.current = current;
            self.generation = generation;
        }
        Ok(())
    }

    fn failed(&self, cause: Cause) -> Error {
        self.of_name(Error::new(cause))
    }

    fn of_name(&self, error: Error) -> Error {
        let attachment = &self.shared.attachment;
        error.of_file(&attachment.dir().path(attachment.name().to_string()))
    }

    fn owner_alive(&self) -> bool {
        let attachment = &self.shared.attachment;
        life::is_owned(attachment.dir(), attachment.name())
    }

    fn attached(&self) -> Result<u64> {
        self.shared.attachment.count().map_err(|error| self.of_name(error))
    }

    /// Takes note of what made the descriptor readable.
    fn drain(&mut self) {
        if self.descriptor.get().is_some_and(|descriptor| descriptor.check().is_err()) {
            // What this would take note of is for the parent to take note of.
            self.descriptor.take();
        }
        if let Some(descriptor) = self.descriptor.get_mut() {
            let attachment = &self.shared.attachment;
            let alive = descriptor.drain(attachment.dir(), attachment.name());
            self.gone |= !alive && attachment.control.has(ENDS_WITH_OWNER);
        }
    }

    fn descriptor(&self) -> Result<BorrowedFd<'_>> {
        if self.descriptor.get().is_none() {
            let attachment = &self.shared.attachment;
            let descriptor = Descriptor::new(attachment.dir(), attachment.name());
            // Another thread's will do as well.
            let _ = self.descriptor.set(descriptor.map_err(Error::system("make a descriptor to wait on"))?);
        }
        match self.descriptor.get() {
            Some(descriptor) => {
                descriptor.check().map(|()| descriptor.as_fd()).map_err(|error| self.of_name(error))
            }
            None => Err(self.failed(Cause::NoName)),
        }
    }
}

/// What a reader that waits sees of its name.
struct Waiting<'a> {
    attachment: &'a Attachment,
    deadline: Deadline,
}

impl Look for Waiting<'_> {
    type Error = Error;

    fn epoch(&self) -> Epoch {
        self.attachment.control.now()
    }

    fn on_disk(&self) -> Result<u64> {
        self.attachment.check_named()?;
        let header = Published::header(self.attachment.dir(), self.attachment.name())?;
        Ok(header.map_or(0, |header| header.generation))
    }

    fn owner_alive(&self) -> bool {
        // One that has another page will not tell of anything on this one.
        life::is_owned(self.attachment.dir(), self.attachment.name()) && self.attachment.check_named().is_ok()
    }

    fn ends_with_owner(&self) -> bool {
        self.attachment.control.has(ENDS_WITH_OWNER)
    }

    fn sleep(&self, seen: Epoch) -> bool {
        let slice = self.deadline.left(SLICE);
        if let Some(slice) = slice {
            self.attachment.control.sleep(seen, slice);
        }
        slice.is_some()
    }
}

impl<V> Clone for Follow<V>
where
    V: Clone,
{
    fn clone(&self) -> Follow<V> {
        let (shared, current) = (self.shared.clone(), self.current.clone());
        Follow { shared, current, descriptor: OnceLock::new(), ..*self }
    }
}

impl<V: Clone> Shared<V> {
    /// The newest generation, at least that of the number, opened by this handle or by another.
    fn newest(&self, at_least: u64) -> Result<Newest<V>> {
        if self.attachment.is_forked() {
            // Whoever held the mutex when this process was forked off will not release it here.
            return self.open(at_least);
        }
        // Whatever panicked was a validation; what is in there is whole.
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if newest.generation < at_least {
            let opened = self.open(at_least)?;
            match &opened.result {
                // What the system refuses now it may grant later. What is bad stays bad.
                Err(error) if is_of_the_system(error) => return Ok(opened),
                _ => *newest = opened,
            }
        }
        Ok(newest.clone())
    }

    fn open(&self, at_least: u64) -> Result<Newest<V>> {
        let opened = open(&self.attachment, self.adopt)?;
        let mut newest = opened.ok_or_else(|| Error::new(Cause::NoName))?;
        // A header that cannot be read has no number: it is the one that was announced.
        newest.generation = newest.generation.max(at_least);
        Ok(newest)
    }
}

/// Opens and adopts what is published; `None` if nothing is.
fn open<V>(attachment: &Attachment, adopt: Adopt<V>) -> Result<Option<Newest<V>>> {
    let Some(published) = Published::open(attachment.dir(), attachment.name())? else { return Ok(None) };
    Ok(Some(match published.map() {
        Ok(segment) => Newest { generation: segment.header().generation, result: adopt(&segment) },
        Err(error) => Newest { generation: 0, result: Err(error) },
    }))
}

fn is_of_the_system(error: &Error) -> bool {
    matches!(error.cause(), Cause::System { .. })
}

/// Follows the root of a name's generations. Made by [`Store::reader`](crate::Store::reader).
///
/// Attached as long as it, or a clone, lives. No descriptor is kept, but on overlayfs one. A clone is the handle for another thread: clones
/// share one mapping and one validation of each generation. A forked child may go on using its copy.
///
/// # Examples
/// ```
/// use graven_store::{Store, Timeout};
/// # let dir = tempfile::tempdir()?;
/// // SAFETY: only graven writes below this directory.
/// let store = unsafe { Store::open(&dir)? };
/// let mut owner = store.owner("primes")?;
/// owner.publish(&vec![2u32, 3])?;
///
/// let mut reader = store.reader::<Vec<u32>>("primes", Timeout::Now)?;
/// let old = reader.latest()?.clone();
/// owner.publish(&vec![2u32, 3, 5])?;
/// assert_eq!(reader.latest()?.len(), 3);
/// assert_eq!(old.len(), 2); // as long as somebody has it
/// assert_eq!(reader.wait(Timeout::Now).unwrap_err().errno(), 110); // ETIMEDOUT: nothing newer
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Reader<T: Archive>(Follow<Adopted<T>>);

/// Follows the segments of a name's generations: for several objects, or types that come from elsewhere. Made by
/// [`Store::segments`](crate::Store::segments).
///
/// As [`Reader`], but nothing is validated before [`Segment::get`]: then once for each generation and object.
///
/// # Examples
/// ```
/// use graven_store::{Store, Timeout};
/// # let dir = tempfile::tempdir()?;
/// // SAFETY: only graven writes below this directory.
/// let store = unsafe { Store::open(&dir)? };
/// store.owner("tables")?.publish_with(|draft| {
///     draft.put("users", &vec!["ann".to_string()])?;
///     draft.put("limits", &(1u32, 2u32))
/// })?;
/// let mut tables = store.segments("tables", Timeout::Now)?;
/// let tables = tables.latest()?; // both of one generation
/// assert_eq!(tables.get::<Vec<String>>("users")?[0], "ann");
/// assert_eq!(tables.get::<(u32, u32)>("limits")?.1, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Segments(Follow<Segment>);

macro_rules! follow {
    ($ty:ident [$($generics:tt)*] [$($t:tt)*], $value:ty) => {
        impl $($generics)* $ty $($t)* {
            /// The newest generation. One atomic load when nothing is new; else the new one is mapped, and adopted.
            ///
            /// After [`descriptor`](Self::descriptor) it is some system calls more each time: they make it unreadable. On
            /// overlayfs it is two system calls rather than a load.
            ///
            /// # Errors
            /// [`current`](Self::current) stays what it was.
            /// - [`Cause::Retired`] (ESTALE): the name has ended. That the owner of a name with
            ///   [`Lifetime::Process`](crate::Lifetime::Process) is gone is noticed by [`wait`](Self::wait) rather than
            ///   here; and so is, unless there is a descriptor or its owner has noticed, that its files were removed.
            /// - As when attaching, if the newest generation is bad: again for each call, without validating it again.
            /// - [`Cause::System`]: EMFILE, ENOMEM, EACCES. The next call tries again.
            #[inline]
            pub fn latest(&mut self) -> Result<&$value> {
                self.0.latest()
            }

            /// Sleeps until there is a generation newer than the one that this handle returned last.
            ///
            /// # Errors
            /// [`current`](Self::current) stays what it was.
            /// - [`Cause::TimedOut`] (ETIMEDOUT).
            /// - [`Cause::Retired`] (ESTALE): the name has ended, by now or meanwhile. [`Cause::Removed`] (ESTALE): something
            ///   else has removed the name's files; attach again to what follows it. [`Cause::OwnerGone`] (ESTALE): with the
            ///   process of its owner. An owner of a persistent name may be followed by another: this goes on
            ///   waiting for that one.
            /// - As when attaching, if the newest generation is bad: once, the next call waits for another.
            /// - [`Cause::System`]: EMFILE, ENOMEM, EACCES.
            ///
            /// Source: futex(2). Signals do not end it.
            pub fn wait(&mut self, timeout: Timeout) -> Result<&$value> {
                self.0.wait(timeout)
            }

            /// What `latest` or `wait` returned last: also after an error. Asks nobody.
            pub fn current(&self) -> &$value {
                &self.0.current
            }

            /// The number of the generation that [`current`](Self::current) is of.
            pub fn generation(&self) -> u64 {
                self.0.generation
            }

            /// Whether the name has a live owner. Three system calls. Where the kernel does not say, for lack of
            /// descriptors perhaps, the owner is taken to live.
            pub fn owner_alive(&self) -> bool {
                self.0.owner_alive()
            }

            /// How many are attached to the name, this one included: see [`Owner::attached`](crate::Owner::attached).
            ///
            /// # Errors
            /// [`Cause::Retired`], [`Cause::Removed`] (ESTALE); [`Cause::System`].
            pub fn attached(&self) -> Result<u64> {
                self.0.attached()
            }

            /// A descriptor for poll(2), epoll(7) and the like, made on first use: readable when there may be something
            /// new, an end of the name or of its owner included, and at first. [`latest`](Self::latest) and [`wait`](Self::wait)
            /// make it unreadable.
            ///
            /// It is an epoll descriptor on an inotify(7) watch and the owner's FIFO; where there is no watch to be had
            /// (128 instances per user by default), on a timer of 25 ms. Three descriptors while the handle lives, four at first.
            ///
            /// # Errors
            /// - [`Cause::System`], EMFILE.
            /// - [`Cause::Forked`] (EPERM): it was made before a fork, and is the parent's. `latest` or `wait` lets it go;
            ///   after that the child can have one of its own.
            ///
            /// # Examples
            /// ```
            /// use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
            /// use graven_store::{Store, Timeout};
            /// # let dir = tempfile::tempdir()?;
            /// # let store = unsafe { Store::open(&dir)? };
            /// let mut owner = store.owner("seven")?;
            /// owner.publish(&7u64)?;
            /// let mut reader = store.reader::<u64>("seven", Timeout::Now)?;
            /// let publisher = std::thread::spawn(move || owner.publish(&8u64));
            /// while **reader.latest()? != 8 {
            ///     poll(&mut [PollFd::new(reader.descriptor()?, PollFlags::POLLIN)], PollTimeout::NONE)?;
            /// }
            /// # publisher.join().unwrap()?;
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            pub fn descriptor(&self) -> Result<BorrowedFd<'_>> {
                self.0.descriptor()
            }
        }

        impl $($generics)* Clone for $ty $($t)* {
            fn clone(&self) -> Self {
                $ty(self.0.clone())
            }
        }

        impl $($generics)* AsFd for $ty $($t)* {
            /// As `descriptor`.
            ///
            /// # Panics
            /// If `descriptor` fails. Call that before, to have it as an error.
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.descriptor().expect("a descriptor to wait on")
            }
        }

        impl $($generics)* fmt::Debug for $ty $($t)* {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($ty))
                    .field("name", &self.0.shared.attachment.name().to_string())
                    .field("generation", &self.0.generation)
                    .finish_non_exhaustive()
            }
        }
    };
}
follow!(Reader [<T: Archive>] [<T>], Adopted<T>);
follow!(Segments [] [], Segment);

impl<T> Reader<T>
where
    T: Archive<Archived: Layout>,
{
    pub(crate) fn attach(dir: &Dir, name: &Name, timeout: Timeout) -> Result<Reader<T>> {
        Follow::attach(dir, name, timeout, |segment| segment.root::<T>()).map(Reader)
    }
}

impl<T: Archive<Archived: Layout>> Reader<T> {
    /// # Safety
    /// The root of every generation is a valid archived `T` if it has its layout.
    pub(crate) unsafe fn attach_unchecked(dir: &Dir, name: &Name, timeout: Timeout) -> Result<Reader<T>> {
        Follow::attach(dir, name, timeout, |segment| {
            // SAFETY: our caller's promise.
            unsafe { segment.get_unchecked::<T>("") }
        })
        .map(Reader)
    }
}

impl Segments {
    pub(crate) fn attach(dir: &Dir, name: &Name, timeout: Timeout) -> Result<Segments> {
        Follow::attach(dir, name, timeout, |segment| Ok(segment.clone())).map(Segments)
    }
}
