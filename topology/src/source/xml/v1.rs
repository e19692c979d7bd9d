//! Format 1.x: memory was in the normal tree, and some things had other names.

use crate::model::attributes::Group;
use crate::model::builder::{Attributes, Builder, Node, NodeId};
use crate::model::facts::DistanceMatrix;
use crate::model::set::Bits;
use crate::model::types::Type;

use super::drafts::Drafts;
use super::error::XmlError;
use super::object::{Reading, number_u64};
use super::scan::{Item, MAX_VALUES, Scanner, Tag};

/// Where a NUMA node goes: to its parent, or to a group with its own processors that is put in between.
///
/// Not so for MCDRAM without processors beside one other node (KNL): that is attached where the other is.
pub(super) fn memory_parent(tree: &mut Drafts, reading: &Reading, parent: usize) -> usize {
    let above = &tree.drafts[parent].node;
    if above.complete_cpuset == reading.node.complete_cpuset {
        return parent;
    }
    if reading.node.subtype.as_deref() == Some("MCDRAM")
        && reading.node.complete_cpuset.as_ref().is_none_or(Bits::is_empty)
        && let Some(&(sibling, 1)) = tree.nodes_of.get(&parent)
        && tree.drafts[sibling].node.subtype.is_none()
    {
        return parent;
    }
    let mut group = Node::new(Type::Group).attributes(Attributes::Group(Group::of(Group::MEMORY, 0)));
    group.cpuset = reading.node.cpuset.clone();
    group.complete_cpuset = reading.node.cpuset.clone();
    group.nodeset = reading.node.nodeset.clone();
    group.complete_nodeset = reading.node.complete_nodeset.clone();
    // hwloc takes a number here, and another one at the end, which is the one that is kept.
    tree.take_gp_index();
    tree.push(group, Some(parent), reading.offset)
}

/// Numbers for the groups that [`memory_parent`] made, when all of the file's are known.
pub(super) fn number_groups(tree: &mut Drafts) {
    for id in 1..tree.drafts.len() {
        if tree.drafts[id].node.gp_index.is_none() {
            tree.drafts[id].node.gp_index = Some(tree.take_gp_index());
        }
    }
}

/// A matrix of latencies of the root.
#[derive(Debug)]
pub(super) struct Latencies {
    count: usize,
    values: Vec<f32>,
}

/// Reads the element `distances` just opened; nothing if it says too little.
pub(super) fn distances(scanner: &mut Scanner<'_>, tag: &Tag) -> Result<Option<Latencies>, XmlError> {
    let count = number_u64(scanner, tag, "nbobjs")?.unwrap_or(0);
    let depth = number_u64(scanner, tag, "relative_depth")?.unwrap_or(0);
    let base = float(scanner, tag, "latency_base")?.unwrap_or(0.0);
    let expected = count.saturating_mul(count);
    if expected > MAX_VALUES {
        let at = scanner.place_of(tag.offset);
        return Err(XmlError::TooMany { at, what: "distances", limit: MAX_VALUES });
    }
    let mut values = Vec::new();
    loop {
        match scanner.next()? {
            Item::Open(child) if child.name == "latency" => {
                let value = float(scanner, &child, "value")?;
                values.push(value.ok_or_else(|| scanner.missing(&child, "value"))? * base);
                scanner.close()?;
                if values.len() as u64 > expected {
                    break;
                }
            }
            Item::Open(child) => return Err(scanner.unexpected(&child)),
            Item::Text(_) => {}
            Item::Close | Item::End => break,
        }
    }
    if values.len() as u64 != expected {
        let (at, found) = (scanner.place_of(tag.offset), values.len() as u64);
        return Err(XmlError::Count { at, what: "latencies", expected, found });
    }
    let says_something = count >= 2 && depth > 0 && base > 0.0;
    Ok(says_something.then_some(Latencies { count: count as usize, values }))
}

fn float(scanner: &Scanner<'_>, tag: &Tag, attribute: &'static str) -> Result<Option<f32>, XmlError> {
    let Some(text) = tag.get(attribute) else { return Ok(None) };
    let value = text.trim().parse::<f64>().ok().filter(|value| value.is_finite() && value.abs() < 1e15);
    value.map(|value| Some(value as f32)).ok_or_else(|| scanner.value(tag, attribute, "a decimal number"))
}

/// Rule "1.x: distances": those with as many objects as there are NUMA nodes are theirs, others are dropped.
///
/// Integers stay what they are; others are scaled by 1000, and the root gets an info that says so.
pub(super) fn add_distances(builder: &mut Builder, matrices: Vec<Latencies>, nodes: &[NodeId]) {
    for matrix in matrices.into_iter().filter(|matrix| matrix.count == nodes.len()) {
        let integer = |&value: &f32| {
            let fraction = value.fract();
            value >= 0.0 && !(fraction > 0.001 && fraction < 0.999)
        };
        let values: Vec<u64> = if matrix.values.iter().all(integer) {
            matrix.values.iter().map(|value| (value + 0.5) as u64).collect()
        } else {
            if let Some(root) = builder.node_mut(Builder::ROOT) {
                root.infos.push(("xmlv1DistancesScale".to_owned(), "1000.000000".to_owned()));
            }
            matrix.values.iter().map(|value| (value * 1000.0) as u64).collect()
        };
        builder.distances(None, DistanceMatrix::FROM_OS | DistanceMatrix::LATENCY, nodes, values);
    }
}
