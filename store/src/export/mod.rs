//! Memory handed to another process by descriptor rather than by name.
//!
//! What cannot change any more is an [`Export`]: a sealed segment, which the other process adopts without `unsafe`. What goes
//! on changing is an [`ExportMemory`]: one sparse file of memory, which the kernel lets importers write or not. Either is handed
//! over at the socket of an [`Exporter`], and got there as an [`Import`].
//!
//! | module | owns |
//! |---|---|
//! | `sealed` | values that nobody can change any more |
//! | `memory` | memory that goes on changing |
//! | `convert` | memory that the program has, and that becomes such |
//! | `protocol` | what importer and exporter say to each other |
//! | `permit` | who may import what |
//! | `handed` | what can be handed over |
//! | `exporter` | handing over at a socket |
//! | `import` | what another process hands over |
//! | `attachment` | a range of imported memory, mapped |
//! | `process` | reading another process's memory |

mod attachment;
mod convert;
mod exporter;
mod handed;
mod import;
mod memory;
mod permit;
mod process;
mod protocol;
mod sealed;

pub use attachment::{AttachOptions, Attachment};
pub use exporter::Exporter;
pub use import::Import;
pub use memory::{ExportMemory, ExportMemoryOptions, MemoryStat};
pub use permit::{Access, Permit};
pub use process::read_process;
pub use sealed::Export;
