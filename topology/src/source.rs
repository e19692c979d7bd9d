//! Where topologies come from, and hwloc's XML also to where they go.

pub(crate) mod live;
pub(crate) mod synthetic;
pub mod xml;
