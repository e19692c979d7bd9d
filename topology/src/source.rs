//! Where topologies come from, and hwloc's XML also to where they go. A feature each.

#[cfg(feature = "live")]
pub(crate) mod live;
#[cfg(feature = "synthetic")]
pub(crate) mod synthetic;
#[cfg(feature = "xml")]
pub mod xml;
