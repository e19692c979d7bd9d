//! How far NUMA nodes are from each other, and which of them that puts together.
//!
//! Source: Linux, Documentation/ABI/stable/sysfs-devices-node (distance: the ACPI table SLIT).

use std::collections::BTreeMap;

use crate::model::builder::{Builder, NodeId};
use crate::model::facts::DistanceMatrix;
use crate::model::set::{Bits, CpuSet};

use super::files::{Files, NODE};
use super::memory::NumaNode;
use super::nest::Flat;

/// As many nodes as the kernel can have (NODES_SHIFT is at most 10).
const LIMIT: usize = 1 << 10;

/// Kind of a group that distances have made: hwloc's number.
const GROUP: u32 = 900;

/// A square of distances.
pub(super) struct Matrix {
    len: usize,
    values: Vec<u64>,
}

impl Matrix {
    /// The distances between all nodes, in their order; `None` if one of them does not say them all.
    pub(super) fn read(files: &Files<'_>, nodes: &[NumaNode]) -> Option<Self> {
        let len = nodes.len();
        if !(2..=LIMIT).contains(&len) {
            return None;
        }
        let mut values = Vec::with_capacity(len * len);
        for node in nodes {
            let text = files.text(&format!("{NODE}/node{}/distance", node.number)).ok()?;
            let row = text.split_whitespace().map_while(|value| value.parse::<u32>().ok());
            values.extend(row.take(len).map(u64::from));
            if values.len() % len != 0 {
                return None;
            }
        }
        (values.len() == len * len).then_some(Self { len, values })
    }

    pub(super) fn get(&self, from: usize, to: usize) -> u64 {
        self.values[from * self.len + to]
    }

    /// Adds the distances between the nodes that are in the builder.
    pub(super) fn build(&self, nodes: &[NumaNode], ids: &BTreeMap<u32, NodeId>, builder: &mut Builder) {
        let kept: Vec<(usize, NodeId)> = nodes
            .iter()
            .enumerate()
            .filter_map(|(index, node)| Some((index, *ids.get(&node.number)?)))
            .collect();
        if kept.len() < 2 {
            return;
        }
        let mut values = Vec::with_capacity(kept.len() * kept.len());
        for &(from, _) in &kept {
            values.extend(kept.iter().map(|&(to, _)| self.get(from, to)));
        }
        let objects: Vec<NodeId> = kept.into_iter().map(|(_, id)| id).collect();
        let kind = DistanceMatrix::FROM_OS | DistanceMatrix::LATENCY;
        builder.distances(Some("NUMALatency"), kind, objects, values);
    }

    /// Groups of nodes that are nearer to each other than to the rest, then groups of those groups, and so on:
    /// hwloc's rule. None if distances are not symmetric, or not smallest from a node to itself.
    pub(super) fn groups(&self, nodes: &[NumaNode]) -> Vec<Flat> {
        let pairs = || (0..self.len).flat_map(|one| (0..one).map(move |other| (one, other)));
        let regular = |(one, other): (usize, usize)| {
            let distance = self.get(one, other);
            distance == self.get(other, one) && self.get(one, one).max(self.get(other, other)) < distance
        };
        let mut flats = Vec::new();
        if !pairs().all(regular) {
            return flats;
        }
        let mut sets: Vec<CpuSet> = nodes.iter().map(|node| node.local.clone()).collect();
        let mut matrix = Self { len: self.len, values: self.values.clone() };
        for round in 0.. {
            let groups = matrix.nearest();
            if groups.is_empty() {
                break;
            }
            let union = |group: &Vec<usize>| group.iter().fold(CpuSet::new(), |set, &at| set.or(&sets[at]));
            sets = groups.iter().map(union).collect();
            let with_processors = sets.iter().filter(|set| !set.is_empty());
            flats.extend(with_processors.map(|set| Flat::group(GROUP, round, set.clone())));
            matrix = matrix.between(&groups);
        }
        flats
    }

    /// Groups of two and more that are connected by the smallest distance there is; none if that connects all.
    fn nearest(&self) -> Vec<Vec<usize>> {
        let others = || (0..self.len).flat_map(|one| (0..self.len).map(move |other| (one, other)));
        let distances = others().filter(|(one, other)| one != other).map(|(one, other)| self.get(one, other));
        let (Some(smallest), true) = (distances.min(), self.len > 2) else { return Vec::new() };
        let mut grouped = vec![false; self.len];
        let mut groups = Vec::new();
        for first in 0..self.len {
            if grouped[first] {
                continue;
            }
            let mut group = vec![first];
            let mut next = 0;
            while let Some(&one) = group.get(next) {
                grouped[one] = true;
                for (other, grouped) in grouped.iter_mut().enumerate() {
                    if !*grouped && self.get(one, other) == smallest {
                        *grouped = true;
                        group.push(other);
                    }
                }
                next += 1;
            }
            group.sort_unstable();
            match group.len() {
                1 => grouped[first] = false,
                _ => groups.push(group),
            }
        }
        if groups.len() == 1 && groups[0].len() == self.len { Vec::new() } else { groups }
    }

    /// The mean distances between groups.
    fn between(&self, groups: &[Vec<usize>]) -> Self {
        let mean = |from: &Vec<usize>, to: &Vec<usize>| {
            let sum = from.iter().flat_map(|&from| to.iter().map(move |&to| self.get(from, to))).sum::<u64>();
            sum / (from.len() * to.len()) as u64
        };
        let values = groups.iter().flat_map(|from| groups.iter().map(move |to| mean(from, to)));
        Self { len: groups.len(), values: values.collect() }
    }
}
