//! The hierarchy of host bridges, bridges and devices, before it has its place in the topology.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::model::attributes::{Bridge, OsDevice};
use crate::model::builder::{Attributes, Builder, Node, NodeId};
use crate::model::set::{Bits, CpuSet};
use crate::model::types::Type;

use super::super::nest::Built;
use super::address::Address;
use super::pci::Device;

/// What a branch of the forest is below.
#[derive(Debug, Clone)]
pub(super) enum Below {
    /// Another branch, by index.
    Branch(usize),
    /// The object with these processors; the Machine if there are none.
    Near(CpuSet),
    /// The object that has this NUMA node.
    Numa(u32),
}

struct Branch {
    node: Node,
    place: Below,
    /// Nothing by itself: a bridge is only kept for what is behind it.
    only_bridge: bool,
    /// Whether it stays: see [`Forest::settle`].
    kept: bool,
}

/// Branches, each after the one it is below.
pub(super) struct Forest {
    branches: Vec<Branch>,
    devices: BTreeMap<Address, usize>,
    /// First and last bus behind bridges, and which: the widest first, so the last that fits is the nearest.
    bridges: BTreeMap<u32, Vec<(u8, u8, usize)>>,
}

impl Forest {
    /// Bridges above what is on their buses, and a host bridge above each bus that is behind no bridge.
    ///
    /// `devices` are sorted by address; `local` says which processors a device is near to. O(n log n), and 256
    /// steps for each bridge.
    pub(super) fn new(devices: Vec<Device>, local: impl Fn(Address) -> CpuSet) -> Self {
        let mut forest = Self { branches: Vec::new(), devices: BTreeMap::new(), bridges: BTreeMap::new() };
        for domain in devices.chunk_by(|one, other| one.address.domain == other.address.domain) {
            forest.add_domain(domain, &local);
        }
        forest
    }

    fn add_domain(&mut self, devices: &[Device], local: &impl Fn(Address) -> CpuSet) {
        let Some(domain) = devices.first().map(|device| device.address.domain) else { return };
        let mut bridges: Vec<(u8, u8, usize)> = devices
            .iter()
            .enumerate()
            .filter_map(|(index, device)| device.buses.map(|(first, last)| (first, last, index)))
            .collect();
        bridges.sort_by_key(|&(first, last, index)| (Reverse(last - first), Reverse(index)));
        // The nearest bridge before each bus.
        let mut before = [None; 256];
        for &(first, last, index) in &bridges {
            before[usize::from(first)..=usize::from(last)].fill(Some(index));
        }
        // A bridge's own bus has a lower number than those behind it, so parents come first.
        let mut branches = vec![0; devices.len()];
        let mut hosts: BTreeMap<u8, (usize, u8)> = BTreeMap::new();
        for (index, device) in devices.iter().enumerate() {
            let Address { bus, .. } = device.address;
            let place = match before[usize::from(bus)] {
                Some(bridge) => branches[bridge],
                None => {
                    let (host, last) = *hosts.entry(bus).or_insert_with(|| {
                        let place = Below::Near(local(device.address));
                        self.branches.push(Branch {
                            node: Node::new(Type::Bridge),
                            place,
                            only_bridge: true,
                            kept: false,
                        });
                        (self.branches.len() - 1, bus)
                    });
                    let last = device.buses.map_or(last, |(_, end)| end.max(last));
                    hosts.insert(bus, (host, last));
                    host
                }
            };
            branches[index] = self.branches.len();
            self.devices.insert(device.address, self.branches.len());
            self.branches.push(Branch::of(device, Below::Branch(place)));
        }
        let hosts = hosts.into_iter().map(|(first, (host, last))| {
            let (secondary_bus, subordinate_bus) = (first, last);
            let bridge = Bridge { host: true, domain, secondary_bus, subordinate_bus, ..Bridge::default() };
            self.branches[host].node.attributes = Attributes::Bridge(bridge);
            (first, last, host)
        });
        let mut ranges: Vec<_> = hosts.collect();
        ranges.extend(bridges.iter().map(|&(first, last, index)| (first, last, branches[index])));
        self.bridges.insert(domain, ranges);
    }

    /// Where the host bridges are.
    pub(super) fn localities(&self) -> impl Iterator<Item = &CpuSet> {
        self.branches.iter().filter_map(Branch::near)
    }

    /// The device at an address, or the nearest bridge before it.
    pub(super) fn find(&self, address: Address) -> Option<usize> {
        let bridge = || {
            let ranges = self.bridges.get(&address.domain)?.iter().rev();
            let mut ranges = ranges.filter(|range| (range.0..=range.1).contains(&address.bus));
            ranges.next().map(|range| range.2)
        };
        self.devices.get(&address).copied().or_else(bridge)
    }

    /// Adds an OS device. It is the last of its siblings.
    pub(super) fn add(&mut self, place: Below, node: Node) {
        self.branches.push(Branch { node, place, only_bridge: false, kept: false });
    }

    /// Decides what stays: all if `whole`, else no bridges with nothing behind them.
    pub(super) fn settle(&mut self, whole: bool) {
        for index in (0..self.branches.len()).rev() {
            let branch = &mut self.branches[index];
            branch.kept |= whole || !branch.only_bridge;
            if let (true, &Below::Branch(above)) = (branch.kept, &branch.place) {
                self.branches[above].kept = true;
            }
        }
    }

    /// Where what stays is.
    pub(super) fn kept_localities(&self) -> impl Iterator<Item = &CpuSet> {
        self.branches.iter().filter(|branch| branch.kept).filter_map(Branch::near)
    }

    /// Adds what stays to the builder.
    pub(super) fn build(mut self, built: &Built, builder: &mut Builder) {
        self.say_localities(built, builder);
        let mut ids: Vec<(NodeId, u32)> = vec![(Builder::ROOT, 0); self.branches.len()];
        for (index, branch) in self.branches.iter_mut().enumerate().filter(|(_, branch)| branch.kept) {
            let (parent, depth) = match &branch.place {
                &Below::Branch(above) => (ids[above].0, ids[above].1 + 1),
                Below::Near(cpus) => (built.io_parent(cpus), 0),
                Below::Numa(number) => (built.memory_parent(*number), 0),
            };
            let mut node = std::mem::replace(&mut branch.node, Node::new(Type::Misc));
            if let Attributes::Bridge(bridge) = &mut node.attributes {
                bridge.depth = depth;
            }
            ids[index] = (builder.add(parent, node), depth);
        }
    }

    /// Which buses are near to which processors, neighbours of one kind together.
    fn say_localities(&self, built: &Built, builder: &mut Builder) {
        let mut last: Option<(u32, u32, u32, CpuSet)> = None;
        for branch in &self.branches {
            let (Below::Near(cpus), Attributes::Bridge(bridge)) = (&branch.place, &branch.node.attributes)
            else {
                continue;
            };
            let cpus = built.kept(cpus);
            if cpus.is_empty() {
                continue;
            }
            let (first, end) = (u32::from(bridge.secondary_bus), u32::from(bridge.subordinate_bus));
            match &mut last {
                Some((domain, _, to, same))
                    if *domain == bridge.domain && *to + 1 >= first && *same == cpus =>
                {
                    *to = end.max(*to);
                }
                _ => {
                    let before = last.replace((bridge.domain, first, end, cpus));
                    if let Some((domain, first, end, cpus)) = before {
                        builder.pci_locality(domain, first, end, cpus);
                    }
                }
            }
        }
        if let Some((domain, first, end, cpus)) = last {
            builder.pci_locality(domain, first, end, cpus);
        }
    }
}

impl Branch {
    fn near(&self) -> Option<&CpuSet> {
        match &self.place {
            Below::Near(cpus) => Some(cpus),
            _ => None,
        }
    }

    fn of(device: &Device, place: Below) -> Self {
        let (ty, attributes) = match device.buses {
            Some((secondary_bus, subordinate_bus)) => {
                let (upstream, domain) = (device.pci, device.address.domain);
                let bridge = Bridge { upstream, domain, secondary_bus, subordinate_bus, ..Bridge::default() };
                (Type::Bridge, Attributes::Bridge(bridge))
            }
            None => (Type::PciDevice, Attributes::Pci(device.pci)),
        };
        let mut node = Node::new(ty).attributes(attributes);
        node.infos = device.infos.clone();
        // A bridge to something else than PCI is a device, but no more than a bridge either.
        Self { node, place, only_bridge: device.pci.class >> 8 == 0x06, kept: false }
    }
}

/// An OS device of these kinds.
pub(super) fn os_device(name: &str, kinds: u64) -> Node {
    Node::new(Type::OsDevice).name(name).attributes(Attributes::OsDevice(OsDevice { kinds }))
}
