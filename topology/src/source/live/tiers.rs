//! Tiers of memory: NUMA nodes whose memory is of one kind and equally fast, by hwloc's rules.
//!
//! The kernel says of some memory what it is (see `dax`). Of the rest only how fast it is is known: where there
//! are two tiers and one has more than twice the bandwidth of the other, that one is taken for high-bandwidth
//! memory.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::model::builder::{Builder, NodeId};
use crate::model::facts::MemoryTier;
use crate::model::set::{Bits, NodeSet};

use super::memory::NumaNode;
use super::performance::Performance;

const UNKNOWN: u64 = 0;

/// Values of two neighbours in one tier differ by less than a tenth.
const THRESHOLD: f64 = 1.1;

#[derive(Default)]
struct Tier {
    kinds: u64,
    nodes: NodeSet,
    /// Highest and lowest bandwidth; 0 if not known.
    bandwidth: (u64, u64),
}

/// Adds the tiers of the nodes that are in the builder, and says of each node what it is if that is known.
pub(super) fn build(
    nodes: &[NumaNode],
    performances: &[Performance],
    ids: &BTreeMap<u32, NodeId>,
    builder: &mut Builder,
) {
    let mut known: Vec<_> = nodes
        .iter()
        .zip(performances)
        .filter_map(|(node, performance)| {
            let id = *ids.get(&node.number)?;
            let kinds = kinds(builder, id);
            let value = |value: Option<u64>| value.filter(|_| !node.local.is_empty()).unwrap_or(0);
            Some((kinds, value(performance.bandwidth()), value(performance.latency()), node.number))
        })
        .collect();
    known.sort_by_key(|&(kinds, bandwidth, ..)| (kinds, Reverse(bandwidth)));
    let mut tiers: Vec<Tier> = Vec::new();
    let mut last = None;
    for (kinds, bandwidth, latency, number) in known {
        let same = last.is_some_and(|(other, fast, late)| {
            kinds == other && alike(bandwidth, fast) && alike(latency, late)
        });
        last = Some((kinds, bandwidth, latency));
        if !same {
            let bandwidth = (bandwidth, bandwidth);
            tiers.push(Tier { kinds, bandwidth, ..Tier::default() });
        }
        if let Some(tier) = tiers.last_mut() {
            tier.nodes.insert(number);
            tier.bandwidth.1 = bandwidth;
        }
    }
    guess(&mut tiers);
    if let [Tier { kinds: UNKNOWN, .. }] = tiers[..] {
        return;
    }
    // The fastest first; without bandwidths by kind, whose numbers are in that order.
    tiers.sort_by_key(|tier| (Reverse(tier.bandwidth.0 + tier.bandwidth.1), tier.kinds));
    for Tier { kinds, nodes, .. } in tiers {
        for number in nodes.iter() {
            let node = ids.get(&number).and_then(|&id| builder.node_mut(id));
            if let (Some(node), Some(name)) = (node, name(kinds)) {
                node.subtype.get_or_insert_with(|| name.to_owned());
            }
        }
        builder.memory_tier(kinds, nodes, Vec::new());
    }
}

/// What the kernel has said of a node's memory.
fn kinds(builder: &mut Builder, id: NodeId) -> u64 {
    let Some(node) = builder.node_mut(id) else { return UNKNOWN };
    if node.subtype.as_deref() == Some("GPUMemory") {
        return MemoryTier::GPU;
    }
    let info =
        |name: &str| node.infos.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
    let kinds = match info("DAXType") {
        Some("NVM") => MemoryTier::NVM,
        Some("SPM") => MemoryTier::SPM,
        _ => UNKNOWN,
    };
    // Memory on CXL is always set aside by the firmware: that says nothing.
    match info("CXLDevice") {
        Some(_) => kinds & MemoryTier::NVM | MemoryTier::CXL,
        None => kinds,
    }
}

fn alike(one: u64, other: u64) -> bool {
    let (low, high) = (one.min(other), one.max(other));
    low == 0 || high as f64 / low as f64 <= THRESHOLD
}

/// Tells ordinary from high-bandwidth memory if there are two tiers that may be that.
fn guess(tiers: &mut [Tier]) {
    let with = |kinds: u64| (0..tiers.len()).filter(|&tier| tiers[tier].kinds == kinds).collect::<Vec<_>>();
    let (one, other) = match (&with(UNKNOWN)[..], &with(MemoryTier::SPM)[..]) {
        (&[one, other], []) => (one, other),
        (&[one], &[other]) => (one, other),
        _ => return,
    };
    let (slow, fast) =
        if tiers[one].bandwidth.1 <= tiers[other].bandwidth.1 { (one, other) } else { (other, one) };
    // All of the fast tier has more than twice the bandwidth of all of the slow one.
    if tiers[slow].bandwidth.1 > 0 && tiers[fast].bandwidth.1 > tiers[slow].bandwidth.0.saturating_mul(2) {
        tiers[slow].kinds = MemoryTier::DRAM;
        tiers[fast].kinds = MemoryTier::HBM;
    }
}

/// hwloc's name for such memory, which is the subtype of its nodes.
fn name(kinds: u64) -> Option<&'static str> {
    const CXL: u64 = MemoryTier::CXL;
    Some(match kinds {
        MemoryTier::DRAM => "DRAM",
        MemoryTier::HBM => "HBM",
        MemoryTier::GPU => "GPUMemory",
        MemoryTier::SPM => "SPM",
        MemoryTier::NVM => "NVM",
        CXL => "CXL-DRAM",
        kinds if kinds == CXL | MemoryTier::NVM => "CXL-NVM",
        _ => return None,
    })
}
