//! How fast the memory of a NUMA node is from where it is reached best: memory attributes.
//!
//! Source: Linux, Documentation/admin-guide/mm/numaperf.rst, "NUMA Performance" (MiB/s and nanoseconds).

use std::collections::BTreeMap;

use crate::model::builder::{Builder, Location, NodeId};
use crate::model::facts::MemoryAttribute;
use crate::model::set::Bits;

use super::files::Files;
use super::locality;
use super::memory::NumaNode;

/// What is known of one node: memory attributes with their values, by id.
pub(super) struct Performance {
    values: BTreeMap<u32, u64>,
}

impl Performance {
    pub(super) fn read(files: &Files<'_>, number: u32) -> Self {
        type Id = MemoryAttribute;
        let mut values = BTreeMap::new();
        let kinds = [
            ("bandwidth", Id::READ_BANDWIDTH, Id::WRITE_BANDWIDTH, Id::BANDWIDTH),
            ("latency", Id::READ_LATENCY, Id::WRITE_LATENCY, Id::LATENCY),
        ];
        let Some(directory) = locality::access(files, number) else { return Self { values } };
        for (name, reading, writing, both) in kinds {
            let value = |direction: &str| {
                let value = files.number::<u32>(&format!("{directory}/{direction}_{name}"));
                value.map(u64::from).filter(|&value| value > 0)
            };
            let (read, write) = (value("read"), value("write"));
            values.extend(read.map(|read| (reading, read)));
            values.extend(write.map(|write| (writing, write)));
            values.extend(read.zip(write).map(|(read, write)| (both, (read + write) / 2)));
        }
        Self { values }
    }

    /// In MiB/s.
    pub(super) fn bandwidth(&self) -> Option<u64> {
        self.values.get(&MemoryAttribute::BANDWIDTH).copied()
    }

    /// In nanoseconds.
    pub(super) fn latency(&self) -> Option<u64> {
        self.values.get(&MemoryAttribute::LATENCY).copied()
    }

    /// Adds what is known of a node that is in the builder.
    pub(super) fn build(&self, node: &NumaNode, id: NodeId, builder: &mut Builder) {
        for (&attribute, &value) in self.values.iter().filter(|_| !node.local.is_empty()) {
            let from = Location::Cpuset(node.local.clone());
            builder.memory_value(attribute, id, Some(from), value);
        }
    }
}
