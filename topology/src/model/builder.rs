//! From a description of the tree to the tables: ordering, levels, numbering, sets, interning.
//!
//! The description is flat: each object is added below one that is already there, so a description cannot have
//! a cycle, and no step here recurses, whatever a hostile file describes.
//!
//! What is computed, in hwloc's order of things: cpusets from the processing units up; nodesets from the memory
//! children, inherited downward and merged upward; children sorted by their first processor (memory: by their
//! first node); levels; logical indexes; symmetric_subtree; total_memory; depths of groups.

mod assemble;
mod facts;
mod kinds;
mod merge;
mod sets;
mod shape;

use crate::model::error::BuildError;
use crate::model::object::{Bridge, Cache, Group, NONE, OsDevice, PageType, Pci, Type};
use crate::model::read::Topo;
use crate::model::set::{CpuSet, NodeSet};
use crate::model::topology::Topology;

pub use facts::Location;

use assemble::assemble;
use facts::Facts;
use sets::Sets;
use shape::{normal_levels, ordered_children};

/// How many normal levels a topology may have. hwloc's own machines have about ten.
const MAX_DEPTH: u32 = 128;

/// How many types and kinds of groups may differ: the bits of the mask that says which are below an object.
const MAX_KINDS: u32 = u128::BITS;

/// Description of one object: [`Builder::add`] puts it into the tree.
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
    fn fit(&self, ty: Type) -> bool {
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

/// An object of a [`Builder`], to add others below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NodeId(u32);

/// Collects the description of a machine and makes a [`Topology`] of it.
///
/// ```
/// use graven_topology::{Builder, BuildError, Node, Topo, Type};
///
/// let mut builder = Builder::new();
/// let package = builder.add(Builder::ROOT, Node::new(Type::Package).os_index(0));
/// assert_eq!(builder.clone().build(), Err(BuildError::NoPu));
/// builder.add(package, Node::new(Type::Pu).os_index(3));
/// let topology = builder.build()?;
/// assert_eq!(topology.root().cpuset().unwrap().to_string(), "3");
/// # Ok::<(), BuildError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Builder {
    nodes: Vec<(Node, u32)>,
    infos: Vec<(String, String)>,
    allowed_cpuset: Option<CpuSet>,
    allowed_nodeset: Option<NodeSet>,
    facts: Facts,
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

impl Builder {
    /// The Machine, which every builder has from the start.
    pub const ROOT: NodeId = NodeId(0);

    /// A machine without anything: os_index 0.
    pub fn new() -> Self {
        Self {
            nodes: vec![(Node::new(Type::Machine).os_index(0), NONE)],
            infos: Vec::new(),
            allowed_cpuset: None,
            allowed_nodeset: None,
            facts: Facts::new(),
        }
    }

    /// Adds an object below `parent`, in the list that its type belongs to.
    ///
    /// The order of adding decides only among I/O and among misc siblings; others are sorted by their sets. A
    /// `parent` of another builder, or one that may not hold this type, is an error of [`build`](Self::build).
    pub fn add(&mut self, parent: NodeId, node: Node) -> NodeId {
        let id = u32::try_from(self.nodes.len()).unwrap_or(NONE);
        self.nodes.push((node, parent.0));
        NodeId(id)
    }

    /// The description of an object, to change it; `None` if it is not of this builder.
    pub fn node_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(id.0 as usize).map(|(node, _)| node)
    }

    /// Adds an info of the topology itself.
    pub fn info(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.infos.push((name.into(), value.into()));
    }

    /// Says which processors are allowed; otherwise all of the machine's cpuset are.
    pub fn allow_cpus(&mut self, cpuset: CpuSet) {
        self.allowed_cpuset = Some(cpuset);
    }

    /// Says which NUMA nodes are allowed; otherwise all of the machine's nodeset are.
    pub fn allow_nodes(&mut self, nodeset: NodeSet) {
        self.allowed_nodeset = Some(nodeset);
    }

    /// Makes the topology. O(n log n) and, per level, O(n).
    ///
    /// # Errors
    /// The first thing that is wrong with the description: see [`BuildError`]. The result has passed
    /// [`Topo::check`].
    pub fn build(self) -> Result<Topology, BuildError> {
        self.validate()?;
        let sets = Sets::of(&self.nodes);
        let children = ordered_children(&self.nodes, &sets);
        let levels = normal_levels(&self.nodes, &children)?;
        let topology = assemble(&self, sets, &children, &levels)?;
        topology.check().map_err(BuildError::Inconsistent)?;
        Ok(topology)
    }

    fn validate(&self) -> Result<(), BuildError> {
        let infos: usize = self.nodes.iter().map(|(node, _)| node.infos.len()).sum();
        let pages: usize = self.nodes.iter().map(|(node, _)| pages(node).len()).sum();
        let count = self.nodes.len().max(infos + self.infos.len()).max(pages) as u64;
        if count >= u64::from(NONE) / 8 {
            return Err(BuildError::TooMany { count });
        }
        self.facts.validate(self.nodes.len())?;
        let mut numbers: Vec<(Type, u32)> = Vec::new();
        for (id, (node, parent)) in self.nodes.iter().enumerate() {
            let ty = node.ty;
            if id > 0 {
                let Some((above, _)) = self.nodes.get(*parent as usize).filter(|_| (*parent as usize) < id)
                else {
                    return Err(BuildError::UnknownParent { parent: *parent, child: ty });
                };
                if ty == Type::Machine || !above.ty.may_hold(ty.child_kind()) {
                    return Err(BuildError::Misplaced { child: ty, parent: above.ty });
                }
            } else if ty != Type::Machine {
                return Err(BuildError::Misplaced { child: ty, parent: Type::Machine });
            }
            if !node.attributes.fit(ty) {
                return Err(BuildError::Attributes { ty });
            }
            if matches!(ty, Type::Pu | Type::NumaNode) {
                let os_index = node.os_index.ok_or(BuildError::NoOsIndex { ty })?;
                if os_index == NONE {
                    return Err(BuildError::OsIndex { ty, os_index });
                }
                numbers.push((ty, os_index));
            }
        }
        numbers.sort_unstable();
        if let Some(pair) = numbers.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(BuildError::OsIndex { ty: pair[0].0, os_index: pair[0].1 });
        }
        match numbers.first() {
            Some((Type::Pu, _)) => Ok(()),
            _ => Err(BuildError::NoPu),
        }
    }
}

fn pages(node: &Node) -> &[PageType] {
    match &node.attributes {
        Attributes::Numa { page_types, .. } => page_types,
        _ => &[],
    }
}
