//! What is said of one object.

use crate::model::attributes::{Bridge, Cache, Group, OsDevice, PageType, Pci};
use crate::model::set::{CpuSet, NodeSet};
use crate::model::types::Type;

/// Description of one object: [`Builder::add`](super::Builder::add) puts it into the tree.
///
/// What is not given is computed or left out; sets only need to be given where they are not what the tree
/// implies (offline processors, disallowed nodes).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The type.
    pub ty: Type,
    /// The operating system's number: required for processing units and NUMA nodes.
    pub os_index: Option<u32>,
    /// The unique number; if absent, the next free one in the order of adding.
    pub gp_index: Option<u64>,
    /// The name.
    pub name: Option<String>,
    /// The subtype.
    pub subtype: Option<String>,
    /// Names with values.
    pub infos: Vec<(String, String)>,
    /// The attributes, which must be those of the type.
    pub attributes: Attributes,
    /// Processors besides those of the normal children (a processing unit: instead of its os_index).
    pub cpuset: Option<CpuSet>,
    /// Processors besides those of cpuset and of the normal children.
    pub complete_cpuset: Option<CpuSet>,
    /// NUMA nodes, instead of those that the tree implies.
    pub nodeset: Option<NodeSet>,
    /// NUMA nodes, instead of those that the tree implies.
    pub complete_nodeset: Option<NodeSet>,
}

/// Attributes of one object, by type.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Attributes {
    /// None given.
    #[default]
    None,
    /// Of a cache, of processors or of memory.
    Cache(Cache),
    /// Of a NUMA node.
    Numa {
        /// Bytes of memory.
        local_memory: u64,
        /// Page sizes with counts.
        page_types: Vec<PageType>,
    },
    /// Of a group; its depth is computed.
    Group(Group),
    /// Of a PCI device.
    Pci(Pci),
    /// Of a bridge.
    Bridge(Bridge),
    /// Of an OS device.
    OsDevice(OsDevice),
}

impl Attributes {
    pub(super) fn fit(&self, ty: Type) -> bool {
        match self {
            Self::None => true,
            Self::Cache(_) => ty.is_cache() || ty == Type::MemCache,
            Self::Numa { .. } => ty == Type::NumaNode,
            Self::Group(_) => ty == Type::Group,
            Self::Pci(_) => ty == Type::PciDevice,
            Self::Bridge(_) => ty == Type::Bridge,
            Self::OsDevice(_) => ty == Type::OsDevice,
        }
    }
}

impl Node {
    /// An object of this type, with nothing else said.
    pub fn new(ty: Type) -> Self {
        Self {
            ty,
            os_index: None,
            gp_index: None,
            name: None,
            subtype: None,
            infos: Vec::new(),
            attributes: Attributes::None,
            cpuset: None,
            complete_cpuset: None,
            nodeset: None,
            complete_nodeset: None,
        }
    }

    /// With the operating system's number.
    pub fn os_index(mut self, os_index: impl Into<Option<u32>>) -> Self {
        self.os_index = os_index.into();
        self
    }

    /// With these attributes.
    pub fn attributes(mut self, attributes: Attributes) -> Self {
        self.attributes = attributes;
        self
    }

    /// With a name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// With a subtype.
    pub fn subtype(mut self, subtype: impl Into<String>) -> Self {
        self.subtype = Some(subtype.into());
        self
    }

    /// With one more info.
    pub fn info(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.infos.push((name.into(), value.into()));
        self
    }

    /// With this cpuset.
    pub fn cpuset(mut self, cpuset: CpuSet) -> Self {
        self.cpuset = Some(cpuset);
        self
    }

    /// With this complete_cpuset.
    pub fn complete_cpuset(mut self, complete_cpuset: CpuSet) -> Self {
        self.complete_cpuset = Some(complete_cpuset);
        self
    }
}

/// An object of a [`Builder`](super::Builder), to add others below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NodeId(pub(super) u32);

impl Node {
    /// The page types of a NUMA node.
    pub(super) fn pages(&self) -> &[PageType] {
        match &self.attributes {
            Attributes::Numa { page_types, .. } => page_types,
            _ => &[],
        }
    }
}
