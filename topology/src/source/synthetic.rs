//! Topologies from a line of text: hwloc's synthetic descriptions.
//!
//! ```text
//! parse     the levels in the order of the text, each with a type and how many per object of the level before
//! chains    levels of which there is one per object of the level before have its processors: they are ordered
//!           by type, whatever the text says. NUMA nodes are attached to the first object of the chain
//! build     chain after chain, from left to right
//! ```
//! The tests compare the result with that of lstopo.

mod error;
mod indexes;
mod parse;

use crate::model::attributes::{Cache, Group};
use crate::model::builder::{Attributes, Builder, Node, NodeId};
use crate::model::tables::Topology;
use crate::model::types::{CacheKind, Type};

pub use error::SyntheticError;

use parse::{Description, Level, Memory};

/// hwloc's number for groups of a synthetic description.
const SYNTHETIC_GROUP: u32 = 10;

/// Makes the topology that a line of text describes, as `lstopo -i` does.
///
/// Each word is a type and how many of it there are in each object of the word before: `pack:2 core:4 pu:2` are 2
/// packages, 8 cores and 16 processing units. Without types, as in `2 4 2`, they are chosen. Types are hwloc's names
/// in any case, or the first letters of them, two at least. A NUMA node is put into each object of the last word by
/// `[numa]`, or into groups of processors of its own by a word such as `numa:4`; without either, there is one for the
/// whole machine. Attributes follow in parentheses:
///
/// | | |
/// |---|---|
/// | `l3:1(size=32MiB)` | size of a cache; 32 KiB, 4 MiB, 16 MiB, ... by level if not given |
/// | `[numa(memory=64GB)]` | memory of a NUMA node; 1 GiB if not given |
/// | `[numa(memorysidecachesize=1GB)]` | a cache in front of it |
/// | `pu:2(indexes=0,2,1,3)` | os_index of all objects of the level, from left to right |
/// | `pu:2(indexes=2*2:1*2)`, `(indexes=core:pack)` | the same, by loops: step and number, or a type that is counted first |
///
/// ```
/// use graven_topology::{Topo, Type, synthetic};
///
/// let topology = synthetic("pack:2 [numa(memory=8GiB)] l3:2 core:4 pu:2(indexes=core:pack)")?;
/// assert_eq!(topology.count(Type::Pu), 32);
/// assert_eq!(topology.root().total_memory(), 16 << 30);
/// assert_eq!(topology.by_type(Type::Core).next().unwrap().cpuset().unwrap().to_string(), "0,16");
///
/// let error = synthetic("pack:2 numa:x pu:2").unwrap_err();
/// assert!(error.to_string().starts_with("byte 12: `x`"));
/// # Ok::<(), graven_topology::error::SyntheticError>(())
/// ```
///
/// O(n log n) in the number of objects, of which there may be 1,048,576 (about 1 KiB each while they are built).
///
/// # Errors
/// The first thing that is wrong, with its place: see [`SyntheticError`].
///
/// Source: hwloc's documentation, "Synthetic topologies"; `topology-synthetic.c`. Unlike there, the machine itself
/// has no attributes, a level of caches is not described twice, and a number with a leading zero is not octal but
/// refused. Nodes have no page sizes, as in hwloc 3 (hwloc 2 made some up).
pub fn synthetic(description: &str) -> Result<Topology, SyntheticError> {
    let parsed = parse::parse(description)?;
    let mut builder = Builder::new();
    builder.info("Backend", "Synthetic");
    builder.info("SyntheticDescription", description);
    for name in ["discovery.pu", "discovery.numa", "discovery.numa_memory"] {
        builder.support(name);
    }
    let chains = chains(&parsed);
    build(&parsed, &chains, &mut builder)?;
    let may_merge =
        |member: &Option<&Level>| member.is_none_or(|level| matches!(level.ty, Type::Group | Type::Die));
    if chains.iter().flat_map(|chain| &chain.members).any(may_merge) {
        builder.keep_structure().map_err(SyntheticError::Build)?;
    }
    builder.build().map_err(SyntheticError::Build)
}

/// Where a NUMA node gets its number from.
enum Source<'a> {
    /// The level's object of the same position.
    Level(&'a Level),
    /// It is the so manieth of those attached to each object of the level.
    Attached(usize, usize, &'a Memory),
}

/// Levels with the same processors. There are as many objects in each.
struct Chain<'a> {
    /// How many in each object of the chain before.
    arity: u64,
    /// From the outermost; `None` is a group for memory.
    members: Vec<Option<&'a Level>>,
    /// The member that memory is attached to.
    host: usize,
    memory: Vec<Source<'a>>,
}

fn chains(description: &Description) -> Vec<Chain<'_>> {
    let mut chains: Vec<Chain<'_>> = Vec::new();
    for (depth, level) in description.levels.iter().enumerate() {
        if level.arity != 1 || chains.is_empty() {
            let (members, memory) = (Vec::new(), Vec::new());
            chains.push(Chain { arity: level.arity, members, host: 0, memory });
        }
        let Some(chain) = chains.last_mut() else { continue };
        if level.ty == Type::NumaNode {
            chain.memory.push(Source::Level(level));
        } else {
            chain.members.push(Some(level));
        }
        let attached = level.attached.iter().enumerate();
        chain.memory.extend(attached.map(|(position, memory)| Source::Attached(depth, position, memory)));
    }
    for chain in &mut chains {
        chain.members.sort_by_key(|level| level.map_or(0, |level| level.ty.nesting()));
        if chain.memory.is_empty() {
            continue;
        }
        // Not the machine, as hwloc: where that is in place of the group, the group goes again.
        let may_hold =
            |level: &Option<&Level>| level.is_none_or(|level| !matches!(level.ty, Type::Machine | Type::Pu));
        chain.host = chain.members.iter().position(may_hold).unwrap_or_else(|| {
            let machine =
                chain.members.first().is_some_and(|level| level.is_some_and(|l| l.ty == Type::Machine));
            chain.members.insert(usize::from(machine), None);
            usize::from(machine)
        });
    }
    chains
}

fn build(
    description: &Description,
    chains: &[Chain<'_>],
    builder: &mut Builder,
) -> Result<(), SyntheticError> {
    let numbers = Numbers::of(description)?;
    // The innermost objects of the chain before.
    let mut parents = vec![Builder::ROOT];
    for chain in chains {
        let mut innermost = Vec::with_capacity(parents.len() * chain.arity as usize);
        for position in 0..parents.len() * chain.arity as usize {
            let mut at = parents[position / chain.arity as usize];
            let mut host = at;
            for (number, member) in chain.members.iter().enumerate() {
                at = match member {
                    Some(level) if level.ty == Type::Machine => at,
                    Some(level) => builder.add(at, numbers.node(level, position)),
                    None => {
                        let group = Attributes::Group(Group::of(Group::MEMORY, 0));
                        builder.add(at, Node::new(Type::Group).attributes(group))
                    }
                };
                if number == chain.host {
                    host = at;
                }
            }
            for source in &chain.memory {
                numbers.add_memory(builder, host, source, position);
            }
            innermost.push(at);
        }
        parents = innermost;
    }
    Ok(())
}

/// The os_indexes.
struct Numbers {
    /// Of each level, if they are given.
    levels: Vec<Option<Vec<u32>>>,
    attached: Option<Vec<u32>>,
    /// Of each level: how many objects there are in one of the level before, how many nodes are attached to each, and
    /// how many to it and to what is below.
    counts: Vec<(u64, u64, u64)>,
}

impl Numbers {
    fn of(description: &Description) -> Result<Self, SyntheticError> {
        let Description { levels, attached_indexes } = description;
        let mut counts = vec![(0, 0, 0); levels.len()];
        let mut below = 0;
        for (depth, level) in levels.iter().enumerate().rev() {
            let own = level.attached.len() as u64;
            let all = own + below;
            counts[depth] = (level.arity, own, all);
            below = all * level.arity;
        }
        let all = counts.first().map_or(0, |count| count.2);
        let of = |level: &Level| match &level.indexes {
            Some(indexes) => indexes::resolve(indexes, level.width, levels).map(Some),
            None => Ok(None),
        };
        Ok(Self {
            levels: levels.iter().map(of).collect::<Result<_, _>>()?,
            attached: match attached_indexes {
                Some(indexes) => Some(indexes::resolve(indexes, all, levels)?),
                None => None,
            },
            counts,
        })
    }

    fn os_index(&self, level: &Level, position: usize) -> Option<u32> {
        match self.levels.get(level.depth) {
            Some(Some(indexes)) => indexes.get(position).copied(),
            _ if level.ty.is_cache() || level.ty == Type::Group => None,
            _ => Some(position as u32),
        }
    }

    /// hwloc numbers attached nodes when it leaves the object they are attached to.
    fn attached(&self, depth: usize, position: usize, own: usize) -> u32 {
        let (_, count, all) = self.counts[depth];
        let mut number = all - count + own as u64;
        let mut position = position as u64;
        for &(arity, _, all) in self.counts[1..=depth].iter().rev() {
            number += position % arity * all;
            position /= arity;
        }
        let given = self.attached.as_ref().and_then(|indexes| indexes.get(number as usize));
        given.copied().unwrap_or(number as u32)
    }

    fn node(&self, level: &Level, position: usize) -> Node {
        let attributes = match level.ty {
            Type::Group => {
                Attributes::Group(Group::of(SYNTHETIC_GROUP, level.group_depth.unwrap_or(1).wrapping_sub(1)))
            }
            ty => match ty.cache_level() {
                Some(number) => Attributes::Cache(cache(number, level.size, level.cache_kind)),
                None => Attributes::None,
            },
        };
        Node::new(level.ty).os_index(self.os_index(level, position)).attributes(attributes)
    }

    fn add_memory(&self, builder: &mut Builder, host: NodeId, source: &Source<'_>, position: usize) {
        let (os_index, memory) = match source {
            Source::Level(level) => (self.os_index(level, position), &level.memory),
            Source::Attached(depth, own, memory) => (Some(self.attached(*depth, position, *own)), *memory),
        };
        let host = match memory.side_cache {
            0 => host,
            size => {
                let cache = Attributes::Cache(cache(1, size, CacheKind::Unified));
                builder.add(host, Node::new(Type::MemCache).attributes(cache))
            }
        };
        let local_memory = if memory.size == 0 { 1 << 30 } else { memory.size };
        let attributes = Attributes::Numa { local_memory, page_types: Vec::new() };
        builder.add(host, Node::new(Type::NumaNode).os_index(os_index).attributes(attributes));
    }
}

/// Of 32 KiB, 4 MiB, 16 MiB, ... if its size is not given.
fn cache(level: u32, size: u64, kind: CacheKind) -> Cache {
    let size = match (size, level) {
        (0, 1) => 32 << 10,
        (0, level) => (256 << 10) << (2 * level),
        (size, _) => size,
    };
    Cache { size, level, line_size: 64, associativity: 0, kind }
}
