//! Kinds of processors: what tells them apart on machines where not all are alike.
//!
//! Said in hwloc's order (frequencies, capacity, type of core), by its names. Which kind is the more efficient
//! is found out by the builder.
//!
//! Source: Linux, Documentation/ABI/testing/sysfs-devices-system-cpu (cpufreq, acpi_cppc, cpu_capacity),
//! Documentation/admin-guide/pm/intel_pstate.rst (base_frequency).

use std::collections::{BTreeMap, BTreeSet};

use crate::model::builder::Builder;
use crate::model::set::{Bits, CpuSet};

use super::files::{CPU, Files};
use super::machine::CpuInfo;

/// More kinds than a machine has. With more of them we have not seen kinds, but noise.
const LIMIT: usize = 512;

/// How much the highest frequencies of processors of one kind differ where the best of them may run faster.
const TURBO_PERCENT: u64 = 10;

/// Frequencies in kHz; 0 where not known.
#[derive(Clone, Copy, Default)]
struct Processor {
    cpu: u32,
    max: u32,
    base: u32,
    capacity: u32,
}

/// Processors of one type by the name of its performance counters.
const INTEL: [(&str, &str); 3] =
    [("cpu_atom", "IntelAtom"), ("cpu_core", "IntelCore"), ("cpu_lowpower", "IntelLowPower")];

/// Says what kinds there are among the processors `online`, and whether there was anything to say.
pub(super) fn build(files: &Files<'_>, cpu_info: &CpuInfo, online: &CpuSet, builder: &mut Builder) -> bool {
    // Before family 0x1a all processors of an AMD package were alike, and some files slow to read.
    let first = online.first().and_then(|cpu| cpu_info.amd_family(cpu));
    if first.is_some_and(|family| family < 0x1a) {
        return false;
    }
    let mut processors = read(files, online);
    if processors.iter().all(|processor| processor.max == 0 || processor.base != 0) {
        without_turbo(&mut processors);
    }
    let types: Vec<(&str, CpuSet)> = INTEL
        .into_iter()
        .filter_map(|(name, ty)| Some((ty, files.list(&format!("sys/devices/{name}/cpus"))?.and(online))))
        .collect();
    let different: BTreeSet<_> = processors
        .iter()
        .map(|&Processor { cpu, max, base, capacity }| {
            let types: Vec<bool> = types.iter().map(|(_, set)| set.contains(cpu)).collect();
            (max / 1000, base / 1000, capacity, types)
        })
        .collect();
    if different.len() > LIMIT {
        return false;
    }
    let mut any = !types.is_empty();
    let mut by = |name: &str, efficiency: bool, value: fn(&Processor) -> u32| {
        let mut sets: BTreeMap<u32, CpuSet> = BTreeMap::new();
        for processor in &processors {
            if value(processor) > 0 {
                sets.entry(value(processor)).or_default().insert(processor.cpu);
            }
        }
        any |= !sets.is_empty();
        for (value, set) in sets {
            let infos = vec![(name.to_owned(), value.to_string())];
            builder.cpu_kind(set, efficiency.then_some(value), infos);
        }
    };
    by("FrequencyMaxMHz", false, |processor| processor.max / 1000);
    by("FrequencyBaseMHz", false, |processor| processor.base / 1000);
    by("LinuxCapacity", true, |processor| processor.capacity);
    for (ty, set) in types {
        builder.cpu_kind(set, None, vec![("CoreType".to_owned(), ty.to_owned())]);
    }
    any
}

fn read(files: &Files<'_>, online: &CpuSet) -> Vec<Processor> {
    let number = |cpu: u32, name: &str| files.number::<u32>(&format!("{CPU}/cpu{cpu}/{name}")).unwrap_or(0);
    let mut processors: Vec<Processor> = online
        .iter()
        .map(|cpu| Processor {
            cpu,
            max: number(cpu, "cpufreq/cpuinfo_max_freq"),
            base: number(cpu, "cpufreq/base_frequency"),
            capacity: number(cpu, "cpu_capacity"),
        })
        .collect();
    // What the firmware calls nominal is less reliable, and only looked at where nothing else is known. In MHz.
    if processors.iter().all(|processor| processor.base == 0) {
        for processor in &mut processors {
            processor.base = number(processor.cpu, "acpi_cppc/nominal_freq").saturating_mul(1000);
        }
    }
    processors
}

/// Processors with one base frequency are of one kind even if the best of them may run a little faster.
fn without_turbo(processors: &mut [Processor]) {
    // Lowest and highest of the maximum, lowest capacity.
    let mut ranges: BTreeMap<u32, (u32, u32, u32)> = BTreeMap::new();
    for &Processor { base, max, capacity, .. } in processors.iter() {
        let range = ranges.entry(base).or_insert((max, max, capacity));
        *range = (range.0.min(max), range.1.max(max), range.2.min(capacity));
    }
    for processor in processors {
        let Some(&(low, high, capacity)) = ranges.get(&processor.base) else { continue };
        let differ = u64::from(high - low) * 100;
        if differ > 0 && differ < TURBO_PERCENT * u64::from(low) {
            (processor.max, processor.capacity) = (low, capacity);
        }
    }
}
