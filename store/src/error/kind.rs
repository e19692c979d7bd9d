//! What a program may want to do about an error.

/// What a program may want to do about an [`Error`](crate::Error); each stands for one errno, but for `System`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The bytes are no segment that this build accepts, or a damaged one: EINVAL.
    InvalidSegment,
    /// The object is of another layout than the type it was adopted as: EINVAL.
    LayoutDiffers,
    /// An argument is unaligned, too small, or otherwise not acceptable: EINVAL.
    InvalidArgument,
    /// There is no such object: ENOENT.
    NotFound,
    /// There is an object or a file of that name already: EEXIST.
    AlreadyExists,
    /// The memory file may still be changed: EPERM.
    NotSealed,
    /// This process or this handle may not do that: EPERM.
    NotPermitted,
    /// What this user is permitted does not let it: EACCES.
    Denied,
    /// A live owner has the name: EBUSY.
    Busy,
    /// It did not happen in the time given: ETIMEDOUT.
    TimedOut,
    /// The name has been retired, or its process-lifetime owner is gone: ESTALE.
    Retired,
    /// Somebody has the lock: EAGAIN.
    WouldBlock,
    /// This thread has the lock already: EDEADLK.
    Deadlock,
    /// The lock's holder died: EOWNERDEAD.
    HolderDied,
    /// The object is larger than relative offsets can span: EFBIG.
    TooLarge,
    /// Nothing is mapped at another process's address: EFAULT.
    NotMapped,
    /// The kernel refused; [`Error::errno`](crate::Error::errno) is its answer.
    System,
}
