//! Memory handed to another process by descriptor rather than by name.
//!
//! What cannot change any more is an [`Export`]: a sealed segment, which the other process adopts without `unsafe`. What goes
//! on changing is an [`ExportMemory`]: one sparse file of memory, which the kernel lets importers write or not.
//!
//! | module | owns |
//! |---|---|
//! | `sealed` | values that nobody can change any more |
//! | `memory` | memory that goes on changing |
//! | `convert` | memory that the program has, and that becomes such |
//! | `process` | reading another process's memory |

mod convert;
mod memory;
mod process;
mod sealed;

pub use memory::{ExportMemory, ExportMemoryOptions, MemoryStat};
pub use process::read_process;
pub use sealed::Export;
