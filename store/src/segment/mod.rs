//! Segments: opening one, looking into it, and adopting what is in it.
//!
//! | module | owns |
//! |---|---|
//! | `handle` | an open segment: its bytes, what is in it, values without types |
//! | `open` | the ways to a segment: mapped, sealed, read, from bytes |
//! | `adopt` | from a segment to typed handles: layouts compared, bytes validated |
//! | `part` | handles on archived values that keep the mapping alive |
//! | `known` | the layout of each adopted or written type, computed once per process |
//! | `schemas` | the schemas of a segment's objects, decoded for values without types |
//! | `valid` | which of a segment's objects were found valid |
//! | `threads` | validating one object with several threads |

mod adopt;
mod handle;
pub(crate) mod known;
pub(crate) mod open;
mod part;
mod schemas;
mod threads;
mod valid;

pub use handle::Segment;
pub use part::{Adopted, Part};
pub use threads::validate;
