//! Regions: named memory that processes change together, under locks.
//!
//! | module | owns |
//! |---|---|
//! | `map` | the pages in memory |
//! | `lock` | who may touch which bytes |
//! | `any` | an attached region, whatever it holds, and the end of its name |
//! | `root` | where the value of a typed region is |
//! | `handle` | handles, and what is done with a region as a whole |
//! | `options` | creating and attaching |
//! | `guard` | the bytes of a lock that is held |
//! | `access` | checked copies in and out |
//! | `typed` | regions that hold an archived value |
//! | `saved` | snapshots in files |
//! | `notify` | counted wake-ups |
//! | `store` | the regions of a store |
//!
//! A region is a file `KEY.rgn` of the store: a header page with a few shared words, and the body. It appears with all of
//! its blocks allocated, or not at all, and never changes its size.
//!
//! Arithmetic on what a header says is under `clippy::arithmetic_side_effects` where it is decoded; its sizes fit each other and
//! the file from there on, and ranges are compared with them before they are added to.
//!
//! Source: SPEC 16.

mod access;
mod any;
mod guard;
mod handle;
mod lock;
mod map;
mod notify;
mod options;
mod root;
mod saved;
mod store;
mod typed;

pub use access::Number;
pub use guard::{Guard, SharedGuard};
pub use handle::Region;
pub use options::RegionOptions;
