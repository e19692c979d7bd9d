//! The topology of the running machine, from `/sys` and `/proc`.
//!
//! Nothing but small files is read, all through one reader, and no C library is asked. Only the list of
//! processors is essential; whatever else is missing, cut or unreadable (containers hide much) is left out of the
//! description. Objects that cross others, as firmware tables sometimes describe, are dropped, the smaller one
//! first met last.
//!
//! | module | owns |
//! |---|---|
//! | `files` | the reader and its bounds |
//! | `cpu`, `cache` | processors, and the objects that are described by the processors in them |
//! | `memory`, `dax` | NUMA nodes, memory-side caches, memory that comes as a device |
//! | `locality`, `distances` | which processors a NUMA node is near to, how far nodes are from each other |
//! | `performance`, `tiers` | how fast memory is, and what kind of memory it is |
//! | `kinds` | kinds of processors |
//! | `allowed` | what the control group lets us use |
//! | `io` | PCI devices, bridges, OS devices |
//! | `machine` | infos of the machine and of packages |
//! | `nest` | from sets to a tree, and what is left of it |
//!
//! Source: Linux, Documentation/ABI/stable/sysfs-devices-system-cpu, sysfs-devices-node;
//! Documentation/admin-guide/cputopology.rst; proc(5).

mod allowed;
mod cache;
mod cpu;
mod dax;
mod distances;
mod error;
mod files;
mod io;
mod kinds;
mod locality;
mod machine;
mod memory;
mod nest;
mod performance;
mod tiers;

use std::path::PathBuf;

use crate::model::attributes::Group;
use crate::model::builder::Builder;
use crate::model::facts::Filter;
use crate::model::set::{Bits, CpuSet, NodeSet};
use crate::model::tables::Topology;

pub use error::DetectError;

use allowed::Allowed;
use distances::Matrix;
use files::Files;
use io::Devices;
use machine::CpuInfo;
use memory::NumaNode;
use nest::{Flat, Nest};
use performance::Performance;

/// Kind of a group that was added so that devices have a parent with the processors they are near to: hwloc's
/// number.
const IO_GROUP: u32 = 1000;

/// hwloc's topology flag for [`Detector::include_disallowed`].
const INCLUDE_DISALLOWED: u64 = 1;

/// Reads the topology of the running Linux machine.
///
/// ```
/// use graven_topology::{Detector, Topo, Type};
///
/// # if !std::path::Path::new("/sys/devices/system/cpu/online").exists() { return Ok(()); }
/// let topology = Detector::new().detect()?;
/// assert!(topology.count(Type::Pu) > 0);
/// # Ok::<(), graven_topology::error::DetectError>(())
/// ```
///
/// What is described by default is what lstopo shows:
///
/// - Processors that are offline, or that the process's control group does not allow, have no object, and neither
///   have NUMA nodes that it does not allow; the complete sets have them. See
///   [`include_disallowed`](Self::include_disallowed).
/// - Of PCI devices those that programs choose their place by, and bridges with something behind them; of OS
///   devices all but graphics cards as the kernel sees them and DMA engines. See [`io`](Self::io).
#[derive(Debug, Clone)]
pub struct Detector {
    root: PathBuf,
    io: Filter,
    include_disallowed: bool,
}

impl Default for Detector {
    fn default() -> Self {
        Self::new()
    }
}

impl Detector {
    /// Reads below `/`.
    pub fn new() -> Self {
        Self { root: PathBuf::from("/"), io: Filter::KeepImportant, include_disallowed: false }
    }

    /// Reads below `root` instead, where `sys`, `proc` and, if there is one, `run/udev` have been copied to
    /// (hwloc: HWLOC_FSROOT).
    ///
    /// Symbolic links are followed as if `root` were `/`: nothing outside it is opened (openat2, since Linux 5.6).
    pub fn root(mut self, root: impl Into<PathBuf>) -> Self {
        self.root = root.into();
        self
    }

    /// Which PCI devices, bridges and OS devices to describe: hwloc's type filter for I/O objects.
    ///
    /// [`KeepImportant`](Filter::KeepImportant), the default here and in lstopo (the hwloc library's own default
    /// is `KeepNone`), has
    /// - PCI devices of the classes storage, network, display, processor, accelerator, Fibre Channel, InfiniBand,
    ///   CXL memory, and those without a class;
    /// - bridges that one of them, or an OS device, is behind;
    /// - OS devices of the classes block (but not partitions), dax, net, infiniband and cxl memory.
    ///
    /// [`KeepAll`](Filter::KeepAll) has all PCI devices and bridges, OS devices of the classes drm (`card0`,
    /// `renderD128`) and dma, and those on USB. [`KeepNone`](Filter::KeepNone) has none of all this and reads none
    /// of the files. `KeepStructure` means nothing for devices, and is taken for `KeepImportant`.
    ///
    /// In any case left out are virtual devices (`lo`, `loop0`, `dm-0`, bridges and tunnels): they are nowhere in
    /// the machine, so they have no place in a description of it.
    pub fn io(mut self, filter: Filter) -> Self {
        self.io = if filter == Filter::KeepStructure { Filter::KeepImportant } else { filter };
        self
    }

    /// Also describes online processors and NUMA nodes that this process may not use (hwloc:
    /// HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED). What it may use are then the topology's allowed sets.
    ///
    /// Right for a topology that is shared with processes of other control groups.
    pub fn include_disallowed(mut self) -> Self {
        self.include_disallowed = true;
        self
    }

    /// Describes the machine: packages, dies, clusters (as groups), caches, cores, processing units, NUMA nodes
    /// with memory-side caches, devices, distances, memory attributes and kinds of processors, with infos.
    ///
    /// Costs about two dozen small file reads per processor and per device. A file that is longer than 1 MiB is
    /// not read (of those with a record for each processor the first 1 MiB is), and a directory with more than
    /// 65,536 entries is not followed.
    ///
    /// # Errors
    /// [`DetectError::Unreadable`], [`Malformed`](DetectError::Malformed) and
    /// [`TooManyCpus`](DetectError::TooManyCpus) if the list of processors is not to be had, naming the file;
    /// [`Build`](DetectError::Build) if the files contradict each other.
    pub fn detect(&self) -> Result<Topology, DetectError> {
        let files = Files::below(&self.root);
        let cpus = cpu::Cpus::read(&files)?;
        let cpu_info = CpuInfo::read(&files);
        let mut nodes = memory::nodes(&files, &cpus.online);
        let distances = Matrix::read(&files, &nodes);
        locality::complete(&files, &mut nodes, distances.as_ref());
        let devices = Devices::read(&files, self.io);
        let allowed = Allowed::read(&files);
        let (allowed_cpus, allowed_nodes) = usable(&allowed, &cpus.online, &nodes);

        let mut flats = cpu::objects(&files, &cpu_info, &cpus.online);
        let group = |kind, set: &CpuSet| {
            let set = set.and(&cpus.online);
            (!set.is_empty()).then(|| Flat::group(kind, 0, set))
        };
        flats.extend(nodes.iter().filter_map(|node| group(Group::MEMORY, &node.local)));
        flats.extend(distances.iter().flat_map(|distances| distances.groups(&nodes)));
        flats.extend(devices.localities().filter_map(|set| group(IO_GROUP, set)));
        nest::without_redundant_groups(&mut flats, &cpus.online);
        let mut tree = Nest::of(&cpus.online, flats);
        for node in &nodes {
            tree.attach(node.memory(&files), &node.local);
        }
        devices.kept_localities().for_each(|cpus| tree.expect_devices(cpus));

        let mut builder = Builder::new();
        if self.include_disallowed {
            builder.flags(INCLUDE_DISALLOWED);
            builder.allow_cpus(allowed_cpus);
            builder.allow_nodes(allowed_nodes);
        } else {
            tree.restrict(&allowed_cpus, &allowed_nodes);
        }
        if let Some(machine) = builder.node_mut(Builder::ROOT) {
            machine.infos = machine::infos(&files, &cpu_info, allowed.group);
            machine.complete_cpuset = Some(cpus.present);
        }
        let built = tree.build(&mut builder);
        devices.build(&built, &mut builder);
        if let Some(distances) = &distances {
            distances.build(&nodes, &built.numa, &mut builder);
        }
        let performances: Vec<_> = nodes.iter().map(|node| Performance::read(&files, node.number)).collect();
        for (node, performance) in nodes.iter().zip(&performances) {
            if let Some(&id) = built.numa.get(&node.number) {
                performance.build(node, id, &mut builder);
            }
        }
        tiers::build(&nodes, &performances, &built.numa, &mut builder);
        let kinds = kinds::build(&files, &cpu_info, &cpus.online, &mut builder);
        let support = ["pu", "disallowed_pu", "numa", "numa_memory", "disallowed_numa"];
        for name in support.into_iter().chain(kinds.then_some("cpukind_efficiency")) {
            builder.support(format!("discovery.{name}"));
        }
        // What is left of groups and dies may say nothing more.
        builder.keep_structure()?;
        Ok(builder.build()?)
    }
}

/// What may be used of the machine; all of it if what we were told leaves nothing.
fn usable(allowed: &Allowed, online: &CpuSet, nodes: &[NumaNode]) -> (CpuSet, NodeSet) {
    let all: NodeSet = nodes.iter().map(|node| node.number).collect();
    let cpus = allowed.cpus.as_ref().map(|cpus| cpus.and(online)).filter(|cpus| !cpus.is_empty());
    let nodes = allowed.nodes.as_ref().map(|nodes| nodes.and(&all)).filter(|nodes| !nodes.is_empty());
    (cpus.unwrap_or_else(|| online.clone()), nodes.unwrap_or(all))
}
