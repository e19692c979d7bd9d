//! Detection of kinds of processors, on trees of files.

#[path = "support/live.rs"]
mod live_support;

use graven_topology::{Topo, Topology};
use live_support::{Fake, packages};

/// Cpuset, efficiency, infos.
type Kind<'a> = (String, Option<u32>, Vec<(&'a str, &'a str)>);

fn kinds(topology: &Topology) -> Vec<Kind<'_>> {
    topology
        .cpu_kinds()
        .map(|kind| {
            let infos = kind.infos().collect();
            (kind.cpuset().unwrap().to_string(), kind.efficiency(), infos)
        })
        .collect()
}

fn frequencies(fake: &Fake, cpu: u32, max: u32, base: u32) {
    fake.cpu(cpu, "cpufreq/cpuinfo_max_freq", max).cpu(cpu, "cpufreq/base_frequency", base);
}

#[test]
fn large_and_small_cores_are_told_apart_by_type_and_frequencies() {
    let fake = packages(1, 8);
    for cpu in 0..8 {
        let (max, base) = if cpu < 4 { (5_000_000, 3_000_000) } else { (3_800_000, 2_200_000) };
        frequencies(&fake, cpu, max, base);
    }
    fake.file("sys/devices/cpu_core/cpus", "0-3").file("sys/devices/cpu_atom/cpus", "4-7");
    let topology = fake.detect();
    let info = |max, base, ty| vec![("FrequencyMaxMHz", max), ("FrequencyBaseMHz", base), ("CoreType", ty)];
    let expected = [
        ("4-7".to_owned(), Some(0), info("3800", "2200", "IntelAtom")),
        ("0-3".to_owned(), Some(1), info("5000", "3000", "IntelCore")),
    ];
    assert_eq!(kinds(&topology), expected);
    assert!(topology.supports("discovery.cpukind_efficiency"));
}

#[test]
fn the_best_cores_of_one_kind_may_be_a_little_faster() {
    let fake = packages(1, 4);
    for cpu in 0..4 {
        frequencies(&fake, cpu, if cpu == 2 { 4_900_000 } else { 4_700_000 }, 3_000_000);
        fake.cpu(cpu, "cpu_capacity", if cpu == 2 { 1024 } else { 982 });
    }
    let topology = fake.detect();
    let infos = vec![("FrequencyMaxMHz", "4700"), ("FrequencyBaseMHz", "3000"), ("LinuxCapacity", "982")];
    assert_eq!(kinds(&topology), [("0-3".to_owned(), Some(0), infos)]);
}

#[test]
fn frequencies_far_apart_or_without_a_base_make_kinds() {
    let fake = packages(1, 2);
    frequencies(&fake, 0, 4_000_000, 2_000_000);
    frequencies(&fake, 1, 3_000_000, 2_000_000);
    assert_eq!(kinds(&fake.detect()).len(), 2);
    let fake = packages(1, 2);
    fake.cpu(0, "cpufreq/cpuinfo_max_freq", 4_000_000).cpu(1, "cpufreq/cpuinfo_max_freq", 3_900_000);
    let sets: Vec<_> = kinds(&fake.detect()).into_iter().map(|(set, rank, _)| (set, rank)).collect();
    assert_eq!(sets, [("1".to_owned(), Some(0)), ("0".to_owned(), Some(1))]);
}

#[test]
fn capacities_rank_what_nothing_else_does() {
    let fake = packages(1, 6);
    for cpu in 0..6 {
        fake.cpu(cpu, "cpu_capacity", [446, 446, 446, 1024, 871, 871][cpu as usize]);
    }
    let sets: Vec<_> = kinds(&fake.detect()).into_iter().map(|(set, rank, _)| (set, rank)).collect();
    assert_eq!(sets, [("0-2".to_owned(), Some(0)), ("4-5".to_owned(), Some(1)), ("3".to_owned(), Some(2))]);
}

#[test]
fn the_nominal_frequency_stands_in_for_the_base_one() {
    let fake = packages(1, 2);
    for cpu in 0..2 {
        fake.cpu(cpu, "acpi_cppc/nominal_freq", 2450);
    }
    assert_eq!(kinds(&fake.detect())[0].2, [("FrequencyBaseMHz", "2450")]);
}

#[test]
fn processors_of_older_amd_machines_are_alike() {
    let fake = packages(1, 2);
    fake.cpu(0, "cpufreq/cpuinfo_max_freq", 4_000_000).cpu(1, "cpufreq/cpuinfo_max_freq", 3_000_000);
    let cpu = |family| format!("processor: 0\nvendor_id: AuthenticAMD\ncpu family: {family}");
    fake.file("proc/cpuinfo", cpu(25));
    assert_eq!(kinds(&fake.detect()).len(), 0);
    fake.file("proc/cpuinfo", cpu(26));
    assert_eq!(kinds(&fake.detect()).len(), 2);
}

#[test]
fn what_differs_from_processor_to_processor_is_no_kind() {
    let fake = packages(1, 600);
    for cpu in 0..600 {
        fake.cpu(cpu, "cpu_capacity", cpu + 1);
    }
    assert_eq!(kinds(&fake.detect()).len(), 0);
}

#[test]
fn garbage_says_nothing_of_kinds() {
    let fake = packages(1, 2);
    fake.cpu(0, "cpufreq/cpuinfo_max_freq", "fast").cpu(1, "cpu_capacity", "-3");
    fake.file("sys/devices/cpu_core/cpus", "all of them");
    assert_eq!(kinds(&fake.detect()).len(), 0);
}
