//! Taking objects out of an owned topology: hwloc's `hwloc_topology_restrict`, by its rules.
//!
//! ```text
//! what is kept   one set is given. The other is everything, or without the nodes that lose all their processors
//!                (the processors that lose all their nodes)
//! top-down       an object is met if its parent lost something, the root always; it loses what its complete sets
//!                have outside of what is kept
//! bottom-up      an object that was met goes if nothing normal and no memory stays below it, and its own set is
//!                empty
//! ```
//! What stays is described to a [`Builder`](crate::Builder), so that order, levels, numbers and tables are made in
//! one place (`rebuild`).
//!
//! Where we differ from hwloc:
//!
//! | rule | |
//! |---|---|
//! | nothing to take out | leaves an equal topology: hwloc would also merge levels, which loading has done before |
//! | siblings without processors keep their order | hwloc turns them around each time |
//! | memory is sorted | memory children are in the order of their first node again; hwloc leaves them |
//! | unreachable values go | of two values of a memory attribute whose cpusets become such that no question reaches the second, hwloc keeps both |
//! | infos stay | they are texts: an info that counts memory tiers, say, is not changed (nor by hwloc) |

mod apply;
mod kept;
mod options;
mod rebuild;

pub use options::{RestrictError, RestrictOptions};
