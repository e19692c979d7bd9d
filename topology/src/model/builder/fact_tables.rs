//! What is said beside the tree, in its tables.

use crate::model::error::BuildError;
use crate::model::facts::{
    CpuKind, DistanceMatrix, Filter, InitiatorEntry, MemoryAttribute, MemoryTarget, MemoryTier, MemoryValue,
    PciLocality,
};
use crate::model::records::{NONE, Span};
use crate::model::set::{Bits, CpuSet, NodeSet, Set};
use crate::model::tables::{DistanceTables, MemoryAttributeTables};

use super::facts::{Facts, Location};
use super::kinds;
use super::pools::{SetInterner, Texts};

/// The tables of all this.
pub(super) struct FactTables {
    pub(super) distances: DistanceTables,
    pub(super) memory_attributes: MemoryAttributeTables,
    pub(super) cpu_kinds: Vec<CpuKind>,
    pub(super) memory_tiers: Vec<MemoryTier>,
    pub(super) pci_localities: Vec<PciLocality>,
    pub(super) support: Vec<u32>,
    pub(super) filters: Vec<Filter>,
    pub(super) flags: u64,
}

impl FactTables {
    /// `place` says where each described object went, `machine` is the machine's cpuset.
    pub(super) fn of(
        facts: &Facts,
        place: &[u32],
        machine: (&CpuSet, &NodeSet),
        texts: &mut Texts,
        pool: &mut SetInterner,
    ) -> Result<Self, BuildError> {
        let (cpus, nodes) = machine;
        let mut distances = DistanceTables::default();
        for matrix in &facts.matrices {
            let objects = Span { first: distances.objects.len() as u32, len: matrix.objects.len() as u32 };
            distances.matrices.push(DistanceMatrix {
                kind: matrix.kind,
                name: matrix.name.as_ref().map_or(NONE, |name| texts.string(name)),
                objects,
                first_value: distances.values.len() as u32,
            });
            distances.objects.extend(matrix.objects.iter().map(|id| place[id.0 as usize]));
            distances.values.extend_from_slice(&matrix.values);
        }
        let memory_attributes = memory_attributes(facts, place, cpus, texts, pool);
        let mut cpu_kinds = Vec::new();
        for (kind, efficiency) in kinds::ranked(kinds::registered(&facts.kinds, cpus)?) {
            cpu_kinds.push(CpuKind {
                cpuset: pool.intern(&kind.cpuset),
                efficiency: efficiency.unwrap_or(NONE),
                forced_efficiency: kind.forced_efficiency.unwrap_or(NONE),
                infos: texts.infos(&kind.infos),
            });
        }
        let mut memory_tiers = Vec::new();
        for (kinds, nodeset, infos) in &facts.tiers {
            let nodeset = pool.intern(&nodeset.and(nodes));
            memory_tiers.push(MemoryTier { kinds: *kinds, nodeset, infos: texts.infos(infos) });
        }
        let mut pci_localities = Vec::new();
        for (domain, first_bus, last_bus, cpuset) in &facts.localities {
            let cpuset = pool.intern(cpuset);
            let (domain, first_bus, last_bus) = (*domain, *first_bus, *last_bus);
            pci_localities.push(PciLocality { domain, first_bus, last_bus, cpuset });
        }
        Ok(Self {
            distances,
            memory_attributes,
            cpu_kinds,
            memory_tiers,
            pci_localities,
            support: facts.support.iter().map(|name| texts.string(name)).collect(),
            filters: facts.filters.to_vec(),
            flags: facts.flags,
        })
    }
}

fn memory_attributes(
    facts: &Facts,
    place: &[u32],
    cpus: &Set,
    texts: &mut Texts,
    pool: &mut SetInterner,
) -> MemoryAttributeTables {
    let mut tables = MemoryAttributeTables::default();
    for attribute in &facts.attributes {
        let first = tables.targets.len() as u32;
        for (target, values) in &attribute.targets {
            let first = tables.values.len() as u32;
            let mut known: Vec<CpuSet> = Vec::new();
            for (from, value) in values {
                let from = match from {
                    None => InitiatorEntry::Any,
                    Some(Location::Object(id)) => InitiatorEntry::Object { object: place[id.0 as usize] },
                    Some(Location::Cpuset(said)) => {
                        let cpuset = said.and(cpus);
                        // A question takes the first set that includes what it asks for.
                        let is_covered = || known.iter().any(|known| cpuset.is_included_in(known));
                        if cpuset.is_empty() || cpuset != *said && is_covered() {
                            continue;
                        }
                        let set = pool.intern(&cpuset);
                        known.push(cpuset);
                        InitiatorEntry::Cpuset { set }
                    }
                };
                tables.values.push(MemoryValue { value: *value, from });
            }
            let values = Span { first, len: tables.values.len() as u32 - first };
            if values.len > 0 {
                tables.targets.push(MemoryTarget { object: place[target.0 as usize], values });
            }
        }
        tables.attributes.push(MemoryAttribute {
            name: texts.string(&attribute.name),
            flags: attribute.flags,
            targets: Span { first, len: tables.targets.len() as u32 - first },
        });
    }
    tables
}
