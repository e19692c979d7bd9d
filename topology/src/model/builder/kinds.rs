//! Kinds of processors: which sets are apart, and which are ranked above which.

use std::collections::BTreeSet;

use crate::model::error::BuildError;
use crate::model::set::{Bits, Set};

use super::facts::Kind;

/// More kinds of processors, or more infos of all of them together, than any machine has.
const MAX_KINDS: usize = 1024;
const MAX_INFOS: usize = 1 << 18;

/// The kinds as sets that do not overlap, each with the infos of all that were said of its processors.
///
/// As in hwloc: what a new kind shares with an older one becomes a kind of its own with both their infos, unless
/// the new one has all of the older, which then just learns the new infos.
pub(super) fn registered(described: &[Kind], machine: &Set) -> Result<Vec<Kind>, BuildError> {
    let mut kinds: Vec<Kind> = Vec::new();
    let mut count = 0;
    for new in described {
        let mut rest = new.cpuset.and(machine);
        for position in 0..kinds.len() {
            if rest.is_empty() {
                break;
            }
            let common = rest.and(&kinds[position].cpuset);
            if common.is_empty() {
                continue;
            }
            let old = &mut kinds[position];
            if common == old.cpuset {
                count += add_infos(&mut old.infos, &new.infos);
                old.forced_efficiency = old.forced_efficiency.or(new.forced_efficiency);
            } else {
                old.cpuset = old.cpuset.and_not(&common);
                let mut infos = old.infos.clone();
                count += infos.len() + add_infos(&mut infos, &new.infos);
                let forced_efficiency = new.forced_efficiency;
                kinds.push(Kind { cpuset: common.clone(), forced_efficiency, infos });
            }
            rest = rest.and_not(&common);
        }
        if !rest.is_empty() {
            let mut infos = Vec::new();
            count += add_infos(&mut infos, &new.infos);
            kinds.push(Kind { cpuset: rest, forced_efficiency: new.forced_efficiency, infos });
        }
        if kinds.len() > MAX_KINDS || count > MAX_INFOS {
            return Err(BuildError::TooMany { count: count.max(kinds.len()) as u64 });
        }
    }
    Ok(kinds)
}

/// Adds the infos that are not there yet; how many.
fn add_infos(infos: &mut Vec<(String, String)>, new: &[(String, String)]) -> usize {
    let mut known: BTreeSet<(String, String)> = infos.iter().cloned().collect();
    let before = infos.len();
    infos.extend(new.iter().filter(|&info| known.insert(info.clone())).cloned());
    infos.len() - before
}

/// The kinds in ascending order of what they can do, with their ranks; in the given order without ranks if
/// nothing tells them apart.
pub(super) fn ranked(mut kinds: Vec<Kind>) -> Vec<(Kind, Option<u32>)> {
    let forced = kinds.iter().map(|kind| kind.forced_efficiency.map(u64::from)).collect();
    let ranks = match kinds.len() {
        0 | 1 => Some(vec![0; kinds.len()]),
        _ => distinct(forced).or_else(|| distinct(by_infos(&kinds))),
    };
    let Some(ranks) = ranks else { return kinds.into_iter().map(|kind| (kind, None)).collect() };
    let mut order: Vec<usize> = (0..kinds.len()).collect();
    order.sort_by_key(|&position| ranks[position]);
    let taken = Kind { cpuset: Set::new(), forced_efficiency: None, infos: Vec::new() };
    let take = |(rank, position): (usize, usize)| {
        (core::mem::replace(&mut kinds[position], taken.clone()), Some(rank as u32))
    };
    order.into_iter().enumerate().map(take).collect()
}

fn distinct(ranks: Vec<Option<u64>>) -> Option<Vec<u64>> {
    let ranks: Vec<u64> = ranks.into_iter().collect::<Option<_>>()?;
    let different: BTreeSet<u64> = ranks.iter().copied().collect();
    (different.len() == ranks.len()).then_some(ranks)
}

/// First by the type of core, then by frequency, the base one if all have it. `None` where neither is known of all.
fn by_infos(kinds: &[Kind]) -> Vec<Option<u64>> {
    let last = |kind: &Kind, name: &str| {
        kind.infos.iter().rev().find(|(found, _)| found == name).map(|(_, value)| value.clone())
    };
    let frequency = |name: &str| -> Vec<u64> {
        kinds.iter().map(|kind| last(kind, name).map_or(0, |text| leading_number(&text))).collect()
    };
    let core_types: Vec<u64> = kinds
        .iter()
        .map(|kind| match last(kind, "CoreType").as_deref() {
            Some("IntelLowPower") => 1,
            Some("IntelAtom") => 2,
            Some("IntelCore") => 3,
            _ => 0,
        })
        .collect();
    let (base, max) = (frequency("FrequencyBaseMHz"), frequency("FrequencyMaxMHz"));
    let all = |known: &[u64]| known.iter().all(|&value| value != 0);
    if !all(&core_types) && !all(&base) && !all(&max) {
        return vec![None; kinds.len()];
    }
    let frequencies = if all(&base) { base } else { max };
    core_types
        .into_iter()
        .zip(frequencies)
        .map(|(core_type, frequency)| Some((core_type << 20) + frequency.min((1 << 20) - 1)))
        .collect()
}

/// The number that a text starts with, as C's `atoi` reads it.
fn leading_number(text: &str) -> u64 {
    let text = text.trim_start();
    let end = text.find(|digit: char| !digit.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().unwrap_or(0)
}
