//! Named segments: publishing generations under a name, and following them.
//!
//! | module | owns |
//! |---|---|
//! | `store` | a directory of named segments |
//! | `owner` | publishing under a name |
//! | `reader` | following what is published |
//! | `descriptor` | a descriptor that says that a name may have something new |
//! | `control` | the page that a name's owner and readers share |
//! | `protocol` | the order of steps when a name changes while somebody waits for it |
//! | `lifecycle` | who may change a name's files, and how it ends |
//! | `life` | whether a name's owner lives |
//! | `published` | the file of the newest generation |
//! | `name` | names of a store, and of their files |

mod control;
mod descriptor;
mod life;
mod lifecycle;
pub(crate) mod name;
mod owner;
mod protocol;
mod published;
mod reader;
mod store;

pub use owner::{Draft, Lifetime, Owner, OwnerOptions};
pub use reader::{Reader, Segments};
pub use store::{Stat, Store};
