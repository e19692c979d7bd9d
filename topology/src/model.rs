//! hwloc's data model: what is stored, how it is read, checked, made and changed.

pub(crate) mod attributes;
pub(crate) mod builder;
mod check;
pub(crate) mod cpukinds;
mod digest;
pub(crate) mod distances;
pub(crate) mod error;
pub(crate) mod facts;
pub(crate) mod handle;
pub(crate) mod hwloc2;
pub(crate) mod jsonl;
pub(crate) mod level;
pub(crate) mod machine;
pub(crate) mod memattrs;
mod native;
pub(crate) mod read;
pub(crate) mod records;
pub(crate) mod render;
pub(crate) mod restrict;
pub(crate) mod set;
pub(crate) mod set_ref;
pub(crate) mod tables;
#[cfg(test)]
mod tests;
pub(crate) mod types;
pub(crate) mod user_data;
