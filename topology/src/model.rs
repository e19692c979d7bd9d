//! hwloc's data model: what is stored, how it is read, checked, made and changed.

pub(crate) mod builder;
mod check;
pub(crate) mod cpukinds;
mod digest;
pub(crate) mod distances;
pub(crate) mod error;
pub(crate) mod handle;
pub(crate) mod jsonl;
pub(crate) mod machine;
pub(crate) mod memattrs;
mod native;
pub(crate) mod object;
pub(crate) mod read;
pub(crate) mod render;
pub(crate) mod restrict;
pub(crate) mod set;
pub(crate) mod set_ref;
#[cfg(test)]
mod tests;
pub(crate) mod topology;
pub(crate) mod user_data;
