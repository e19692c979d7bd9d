//! The topology of the running machine, from `/sys` and `/proc`.
//!
//! Nothing but text files is read, and no C library is asked. Only the list of processors is essential; whatever
//! else is missing or unreadable (containers hide much) is left out of the description. Objects that cross
//! others, as firmware tables sometimes describe, are dropped, the smaller one first met last.
//!
//! Source: Linux, Documentation/ABI/stable/sysfs-devices-system-cpu, sysfs-devices-node;
//! Documentation/admin-guide/cputopology.rst; proc(5).

mod cpu;
mod files;
mod machine;
mod memory;
mod nest;

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::builder::{Attributes, Builder, Node};
use crate::error::DetectError;
use crate::object::{Group, Type};
use crate::set::{Bits, Set};
use crate::topology::Topology;

use files::Files;
use nest::Flat;

/// Reads the topology of the running Linux machine.
///
/// ```
/// use graven_topology::{Detector, Topo, Type};
///
/// # if !std::path::Path::new("/sys/devices/system/cpu/online").exists() { return Ok(()); }
/// let topology = Detector::new().detect()?;
/// assert!(topology.count(Type::Pu) > 0);
/// # Ok::<(), graven_topology::DetectError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Detector {
    root: PathBuf,
}

impl Default for Detector {
    fn default() -> Self {
        Self::new()
    }
}

impl Detector {
    /// Reads below `/`.
    pub fn new() -> Self {
        Self { root: PathBuf::from("/") }
    }

    /// Reads below `root` instead, where `sys` and `proc` have been copied to (hwloc: HWLOC_FSROOT).
    pub fn root(mut self, root: impl Into<PathBuf>) -> Self {
        self.root = root.into();
        self
    }

    /// Describes the machine: packages, dies, clusters (as groups), caches, cores, processing units and NUMA
    /// nodes, with the machine's infos.
    ///
    /// Costs about a dozen small file reads per processor. Offline processors have no object; the Machine's
    /// complete_cpuset has them.
    ///
    /// # Errors
    /// [`DetectError::Unreadable`], [`Malformed`](DetectError::Malformed) and
    /// [`TooManyCpus`](DetectError::TooManyCpus) if the list of processors is not to be had, naming the file;
    /// [`Build`](DetectError::Build) if the files contradict each other.
    pub fn detect(&self) -> Result<Topology, DetectError> {
        let files = Files::below(&self.root);
        let cpus = cpu::Cpus::read(&files)?;
        let mut flats = cpu::objects(&files, &cpus.online);
        let nodes = memory::nodes(&files, &cpus.online);

        // Groups without structure go: those that hold what another object holds.
        let mut known: BTreeSet<Set> =
            flats.iter().filter(|flat| flat.node.ty != Type::Group).map(|flat| flat.set.clone()).collect();
        known.insert(cpus.online.clone());
        flats.retain(|flat| flat.node.ty != Type::Group || known.insert(flat.set.clone()));
        // Memory needs a parent with its processors, and a processing unit cannot be one.
        let mut parents: BTreeSet<Set> =
            flats.iter().filter(|flat| flat.node.ty != Type::Pu).map(|flat| flat.set.clone()).collect();
        parents.insert(cpus.online.clone());
        for (_, local) in nodes.iter().filter(|(_, local)| !local.is_empty()) {
            if parents.insert(local.clone()) {
                let group = Attributes::Group(Group::of(Group::MEMORY, 0));
                flats.push(Flat::new(Node::new(Type::Group).attributes(group), local.clone()));
            }
        }

        let mut builder = Builder::new();
        if let Some(machine) = builder.node_mut(Builder::ROOT) {
            machine.infos = machine::infos(&files);
            machine.cpuset = Some(cpus.online.clone());
            machine.complete_cpuset = Some(cpus.present);
        }
        let placed = nest::nest(&mut builder, &cpus.online, flats);
        for (node, local) in nodes {
            builder.add(placed.memory_parent(&local), node);
        }
        Ok(builder.build()?)
    }
}
