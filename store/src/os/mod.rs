//! The kernel, one file per concern: directories, files, locks, memory, time.
//!
//! | module | owns |
//! |---|---|
//! | `dir` | an open directory |
//! | `temp` | files that appear in a directory complete or not at all |
//! | `held` | descriptors that carry locks, closed in forked children |
//! | `ofd` | byte-range locks of the kernel |
//! | `attach` | attachments: locks that live with a mapping, and how many there are |
//! | `blocks` | blocks of a file, allocated ahead or given back |
//! | `memfd` | memory without a name, and its seals |
//! | `room` | how much memory there is to be had |
//! | `mapping` | pages of a file in memory, shared, anywhere or at an exact address |
//! | `smaps` | what the kernel tells of this process's mappings |
//! | `memory` | a segment's bytes: mapped, or a private copy; and seals |
//! | `page` | pages: how large, runs of them in a file, where in memory they go |
//! | `socket` | sockets at a path, and descriptors that come with their messages |
//! | `sync` | counters in shared memory, to be read at any time and slept on |
//! | `watch` | descriptors that tell of a file, or of the time |
//! | `timeout` | how long to wait |
//! | `file_system` | what some file systems do otherwise |

pub(crate) mod attach;
pub(crate) mod blocks;
pub(crate) mod dir;
pub(crate) mod file_system;
pub(crate) mod held;
pub(crate) mod mapping;
pub(crate) mod memfd;
pub(crate) mod memory;
pub(crate) mod ofd;
pub(crate) mod page;
pub(crate) mod room;
pub(crate) mod smaps;
pub(crate) mod socket;
pub(crate) mod sync;
pub(crate) mod temp;
pub(crate) mod timeout;
pub(crate) mod watch;
