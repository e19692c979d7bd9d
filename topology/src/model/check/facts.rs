//! The rules of the tables beside the tree.
//!
//! Runs tile the tables they are in, as those of sets do: so what a walk reads of them is linear in what is stored.

use super::sets::sorted_runs;
use crate::model::error::CheckError;
use crate::model::facts::{InitiatorEntry, MemoryAttribute};
use crate::model::handle::ObjectRef;
use crate::model::records::{NONE, Span};
use crate::model::set::{Bits, Set};
use crate::model::set_ref::SetRef;
use crate::model::tables::Tables;
use crate::model::types::Type;

pub(super) fn facts<T: Tables>(topology: &T) -> Result<(), CheckError> {
    distances(topology)?;
    memory_attributes(topology)?;
    cpu_kinds(topology)?;
    machine(topology)
}

fn within(record: u32, field: &'static str, found: u32, len: u32) -> Result<(), CheckError> {
    match found < len {
        true => Ok(()),
        false => Err(CheckError::Reference { object: record, field, found, len }),
    }
}

/// A run must start where the one before it ended, and end within its table.
fn tiles(record: u32, field: &'static str, run: Span, next: &mut u32, len: u32) -> Result<(), CheckError> {
    if run.first != *next || !run.fits(len) {
        return Err(CheckError::Run {
            record,
            field,
            first: run.first,
            len: run.len,
            expected: *next,
            table: len,
        });
    }
    *next += run.len;
    Ok(())
}

/// All records of a table must be in some run.
fn used(field: &'static str, next: u32, len: u32) -> Result<(), CheckError> {
    let run = Span { first: next, len: 0 };
    match next == len {
        true => Ok(()),
        false => {
            Err(CheckError::Run { record: NONE, field, first: run.first, len, expected: next, table: len })
        }
    }
}

fn rule(record: u32, rule: &'static str) -> CheckError {
    CheckError::Fact { record, rule }
}

fn distances<T: Tables>(topology: &T) -> Result<(), CheckError> {
    let (objects, values) = (topology.distance_object_count(), topology.distance_value_count());
    let (mut next_object, mut next_value) = (0, 0);
    for index in 0..topology.distance_matrix_count() {
        let Some(matrix) = topology.distance_matrix(index) else { break };
        tiles(index, "matrix.objects", matrix.objects, &mut next_object, objects)?;
        let len = u64::from(matrix.objects.len);
        let square = u32::try_from(len * len).unwrap_or(NONE);
        let run = Span { first: matrix.first_value, len: square };
        tiles(index, "matrix.values", run, &mut next_value, values)?;
        if matrix.objects.len < 2 {
            return Err(rule(index, "a matrix of distances must have two objects or more"));
        }
        if matrix.name != NONE {
            within(index, "matrix.name", matrix.name, topology.string_count())?;
        }
        let slots = matrix.objects.within(objects);
        let mut named: Vec<u32> = slots.filter_map(|slot| topology.distance_object(slot)).collect();
        for &object in &named {
            within(index, "matrix.object", object, topology.record_count())?;
        }
        named.sort_unstable();
        if named.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(rule(index, "a matrix of distances must have each object once"));
        }
    }
    used("matrix.objects", next_object, objects)?;
    used("matrix.values", next_value, values)
}

fn memory_attributes<T: Tables>(topology: &T) -> Result<(), CheckError> {
    let (targets, values) = (topology.memory_target_count(), topology.memory_value_count());
    let (mut next_target, mut next_value) = (0, 0);
    if topology.memory_attribute_count() < MemoryAttribute::DEFAULT.len() as u32 {
        return Err(rule(
            topology.memory_attribute_count(),
            "the first eight memory attributes must be there",
        ));
    }
    let mut names: Vec<u32> = Vec::new();
    for id in 0..topology.memory_attribute_count() {
        let Some(attribute) = topology.memory_attribute_record(id) else { break };
        within(id, "attribute.name", attribute.name, topology.string_count())?;
        names.push(attribute.name);
        let orders = MemoryAttribute::HIGHER_FIRST | MemoryAttribute::LOWER_FIRST;
        let known = orders | MemoryAttribute::NEED_INITIATOR;
        if attribute.flags & !known != 0 || (attribute.flags & orders).count_ones() != 1 {
            return Err(rule(id, "flags of a memory attribute must say one order, and nothing unknown"));
        }
        if let Some(&(name, flags)) = MemoryAttribute::DEFAULT.get(id as usize)
            && (topology.string(attribute.name) != Some(name) || attribute.flags != flags)
        {
            return Err(rule(id, "the first eight memory attributes must be the default ones"));
        }
        tiles(id, "attribute.targets", attribute.targets, &mut next_target, targets)?;
        if MemoryAttribute::is_computed(id) && attribute.targets.len > 0 {
            return Err(rule(id, "memory attributes that are computed must not be stored"));
        }
        let needed = attribute.flags & MemoryAttribute::NEED_INITIATOR != 0;
        let mut objects = Vec::new();
        for index in attribute.targets.within(targets) {
            let Some(target) = topology.memory_target(index) else { break };
            within(index, "target.object", target.object, topology.record_count())?;
            objects.push(target.object);
            tiles(index, "target.values", target.values, &mut next_value, values)?;
            if target.values.len == 0 || !needed && target.values.len > 1 {
                return Err(rule(
                    index,
                    "a target must have a value, and one only where no initiator is needed",
                ));
            }
            for index in target.values.within(values) {
                let Some(value) = topology.memory_value(index) else { break };
                match value.from {
                    InitiatorEntry::Any if !needed => {}
                    InitiatorEntry::Cpuset { set } if needed => {
                        within(index, "value.cpuset", set, topology.set_count())?;
                    }
                    InitiatorEntry::Object { object } if needed => {
                        within(index, "value.object", object, topology.record_count())?;
                    }
                    _ => {
                        return Err(rule(
                            index,
                            "a value must have an initiator exactly where one is needed",
                        ));
                    }
                }
            }
        }
        objects.sort_unstable();
        if objects.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(rule(id, "a memory attribute must have each target once"));
        }
    }
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(rule(NONE, "no two memory attributes may have one name"));
    }
    used("attribute.targets", next_target, targets)?;
    used("target.values", next_value, values)
}

fn cpu_kinds<T: Tables>(topology: &T) -> Result<(), CheckError> {
    let count = topology.cpu_kind_count();
    let (mut sets, mut ranked) = (Vec::new(), None);
    for index in 0..count {
        let Some(kind) = topology.cpu_kind_record(index) else { break };
        within(index, "kind.cpuset", kind.cpuset, topology.set_count())?;
        if SetRef::new(topology, kind.cpuset).is_none_or(|set| set.is_empty()) {
            return Err(rule(index, "a kind of processors must have some"));
        }
        sets.push(kind.cpuset);
        let rank = (kind.efficiency != NONE).then_some(kind.efficiency);
        if rank.is_some_and(|rank| rank != index) || *ranked.get_or_insert(rank.is_some()) != rank.is_some() {
            return Err(rule(
                index,
                "kinds of processors must be in the order of their efficiency, or none have any",
            ));
        }
        infos(index, "kind.infos", kind.infos, topology)?;
    }
    // The same set twice is found first, so that the runs of all sets fit in memory.
    let overlap = || Err(rule(NONE, "kinds of processors must not overlap"));
    sets.sort_unstable();
    if sets.windows(2).any(|pair| pair[0] == pair[1]) {
        return overlap();
    }
    let runs = sorted_runs(topology, &sets);
    if runs.windows(2).any(|pair| pair[1].0 < pair[0].1) {
        return overlap();
    }
    let all: Set = runs.into_iter().map(|(start, end)| start..end).collect();
    match ObjectRef::new(topology, 0).cpuset() {
        Some(machine) if all.is_included_in(&machine) => Ok(()),
        _ => Err(rule(NONE, "kinds of processors must be within the machine's")),
    }
}

fn infos<T: Tables>(record: u32, field: &'static str, run: Span, topology: &T) -> Result<(), CheckError> {
    let len = topology.info_count();
    match run.fits(len) {
        true => Ok(()),
        false => Err(CheckError::Reference { object: record, field, found: run.first, len }),
    }
}

fn machine<T: Tables>(topology: &T) -> Result<(), CheckError> {
    for index in 0..topology.memory_tier_count() {
        let Some(tier) = topology.memory_tier_record(index) else { break };
        within(index, "tier.nodeset", tier.nodeset, topology.set_count())?;
        infos(index, "tier.infos", tier.infos, topology)?;
    }
    for index in 0..topology.pci_locality_count() {
        let Some(locality) = topology.pci_locality_record(index) else { break };
        within(index, "locality.cpuset", locality.cpuset, topology.set_count())?;
    }
    let mut last: Option<&str> = None;
    for index in 0..topology.support_count() {
        let Some(name) = topology.support_record(index) else { break };
        within(index, "support.name", name, topology.string_count())?;
        let name = topology.string(name);
        if last.is_some() && last >= name {
            return Err(rule(index, "names of features must ascend"));
        }
        last = name;
    }
    if topology.filter_count() != Type::ALL.len() as u32 {
        return Err(rule(topology.filter_count(), "there must be a filter for each type"));
    }
    Ok(())
}
