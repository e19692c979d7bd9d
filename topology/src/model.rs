//! hwloc's data model: what is stored, how it is read, checked, made and changed. From the ground up:
//!
//! | module | owns |
//! |---|---|
//! | `types`, `debug`, `records`, `attributes`, `facts` | types of objects; the records of the archive |
//! | `set` | sets of processors and nodes: owned, tests on any, text forms |
//! | `tables` | what is archived, and access to it by index: all that the modules below need of a topology |
//! | `set_ref`, `handle`, `level`, `distances`, `memattrs`, `cpukinds`, `machine` | handles on what is stored |
//! | `check`, `digest` | what is right, and what is equal |
//! | `read` | the reading methods, each one of the above |
//! | `render`, `json`, `hwloc2`, `user_data` | what is built on reading |
//! | `builder`, `restrict` | from a description to the tables; from a topology to a smaller one |

pub(crate) mod attributes;
pub(crate) mod builder;
mod check;
pub(crate) mod cpukinds;
pub(crate) mod debug;
mod digest;
pub(crate) mod distances;
pub(crate) mod error;
pub(crate) mod facts;
pub(crate) mod handle;
#[cfg(any(feature = "json", feature = "xml"))]
pub(crate) mod hwloc2;
#[cfg(feature = "json")]
pub(crate) mod json;
pub(crate) mod level;
pub(crate) mod machine;
pub(crate) mod memattrs;
pub(crate) mod read;
pub(crate) mod records;
pub(crate) mod render;
pub(crate) mod restrict;
pub(crate) mod set;
pub(crate) mod set_ref;
pub(crate) mod tables;
#[cfg(all(test, feature = "json", feature = "xml"))]
mod tests;
pub(crate) mod types;
pub(crate) mod user_data;
