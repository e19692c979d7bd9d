//! Machine topologies as archives: hwloc's object model, read in place.
//!
//! [`Detector`] reads the running machine from `/sys` and `/proc`; [`Builder`] makes a [`Topology`] from any
//! description. A topology archives to position-independent bytes in which every relation is an index, so that it is
//! read where it lies: [`Topo`] has the same methods for the owned [`Topology`] and for [`ArchivedTopology`].
//!
//! ```
//! use graven_topology::{Bits, Builder, ChildKind, Node, Topo, Type, render};
//!
//! // Usually `Detector::new().detect()?`.
//! let mut builder = Builder::new();
//! let package = builder.add(Builder::ROOT, Node::new(Type::Package).os_index(0));
//! for core in 0..2 {
//!     let core = builder.add(package, Node::new(Type::Core).os_index(core));
//!     for thread in 0..2 {
//!         let os_index = builder.node_mut(core).unwrap().os_index.unwrap() + 2 * thread;
//!         builder.add(core, Node::new(Type::Pu).os_index(os_index));
//!     }
//! }
//! builder.add(package, Node::new(Type::NumaNode).os_index(0));
//! let topology = builder.build()?;
//!
//! let core = topology.by_type(Type::Core).last();
//! let core = core.expect("two cores were added");
//! assert_eq!(core.cpuset().unwrap().to_string(), "1,3");
//! assert_eq!(core.arity(ChildKind::Normal), 2);
//! assert!(core.cpuset().unwrap().is_included_in(&topology.root().cpuset().unwrap()));
//! assert_eq!(topology.pu(0).unwrap().common_ancestor(&core).unwrap().ty(), Type::Package);
//! print!("{}", render(&topology));
//! # Ok::<(), graven_topology::error::BuildError>(())
//! ```
//!
//! A topology that came from elsewhere is adopted like any archive, and then checked once with [`Topo::check`].
//! Until then answers may be wrong, but no method panics or runs for ever.
//!
//! Each way to get a topology is a feature, on from the start: `live` is [`Detector`], `synthetic` [`synthetic()`], `xml`
//! hwloc's XML in [`xml`]; `json` is [`records`]. Without any there is [`Builder`].

#![forbid(unsafe_code)]

mod model;
mod source;

/// What objects of some types have beside what all have.
pub mod attributes {
    pub use crate::model::attributes::{Bridge, Cache, Group, OsDevice, PageType, Pci};
    pub use crate::model::types::CacheKind;
}

/// What is said of the objects beside the tree: distances, memory attributes, kinds of processors, tiers of memory.
pub mod facts {
    pub use crate::model::cpukinds::CpuKindRef;
    pub use crate::model::distances::DistancesRef;
    pub use crate::model::facts::{DistanceMatrix, MemoryAttribute, MemoryTier};
    pub use crate::model::machine::{MemoryTierRef, PciLocalityRef};
    pub use crate::model::memattrs::{Initiator, InitiatorRef, MemoryAttributeRef};
}

/// What can go wrong, one enum per task; that of reading XML is in [`xml`].
pub mod error {
    pub use crate::model::cpukinds::NoCpuKind;
    pub use crate::model::error::{BuildError, CheckError};
    pub use crate::model::restrict::RestrictError;
    pub use crate::model::set::ParseSetError;
    pub use crate::model::types::UnknownType;
    #[cfg(feature = "live")]
    pub use crate::source::live::DetectError;
    #[cfg(feature = "synthetic")]
    pub use crate::source::synthetic::SyntheticError;
}

pub use model::builder::{Attributes, Builder, Location, Node, NodeId};
pub use model::facts::Filter;
pub use model::handle::ObjectRef;
#[cfg(feature = "json")]
pub use model::json::records;
pub use model::level::LevelRef;
pub use model::read::{Topo, TypeDepth};
pub use model::render::{Render, render};
pub use model::restrict::RestrictOptions;
pub use model::set::{Bits, CpuSet, END, NodeSet, Set};
pub use model::set_ref::SetRef;
pub use model::tables::{ArchivedTopology, Topology};
pub use model::types::{ChildKind, Type};
pub use model::user_data::UserData;
#[cfg(feature = "live")]
pub use source::live::Detector;
#[cfg(feature = "synthetic")]
pub use source::synthetic::synthetic;
#[cfg(feature = "xml")]
pub use source::xml;
