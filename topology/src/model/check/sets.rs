//! The rules of sets: each in its form, objects' within their parents'.

use std::collections::BTreeSet;

use crate::model::error::CheckError;
use crate::model::handle::ObjectRef;
use crate::model::records::{NONE, Object, SetEntry, Span};
use crate::model::set::{Bits, END, Set};
use crate::model::set_ref::SetRef;
use crate::model::tables::{Tables, record};
use crate::model::types::{ChildKind, Type};

/// Each set in its form, and the records of all sets one after the other.
pub(super) fn form<T: Tables>(topology: &T) -> Result<(), CheckError> {
    let (mut runs, mut words) = (0, 0);
    for set in 0..topology.set_count() {
        let broken = |rule| Err(CheckError::SetForm { set, rule });
        let Some(entry) = topology.set_entry(set) else { break };
        match entry {
            SetEntry::Run { start, end } => {
                if start >= end && (start, end) != (0, 0) {
                    return broken("a run must end after it starts");
                }
            }
            SetEntry::Runs { first, len } => {
                if first != runs || !(Span { first, len }).fits(topology.run_count()) {
                    return broken("its runs must follow those of the set before it, within the table");
                }
                if len < 2 {
                    return broken("fewer than two runs must be stored in place");
                }
                let mut floor = None;
                for run in (first..first + len).filter_map(|index| topology.run(index)) {
                    if run.start >= run.end || floor.is_some_and(|floor| run.start <= floor) {
                        return broken("runs must ascend, with gaps between them");
                    }
                    floor = Some(run.end);
                }
                runs += len;
            }
            SetEntry::Words { first, len, base } => {
                if first != words || !(Span { first, len }).fits(topology.word_count()) {
                    return broken("its words must follow those of the set before it, within the table");
                }
                if (u64::from(base) + u64::from(len)) * 64 > u64::from(END) {
                    return broken("its words must end before the last index");
                }
                let ends = [len.checked_sub(1).map(|last| first + last), Some(first)];
                if ends.iter().any(|end| end.and_then(|end| topology.word(end)).unwrap_or(0) == 0) {
                    return broken("its first and last word must not be zero");
                }
                words += len;
            }
        }
    }
    let rule = match () {
        () if runs != topology.run_count() => "runs that belong to no set",
        () if words != topology.word_count() => "words that belong to no set",
        () => return Ok(()),
    };
    Err(CheckError::SetForm { set: topology.set_count(), rule })
}

/// One of the sets of an object: its name, and where it is.
type SetField = (&'static str, fn(&Object) -> u32);

/// The four sets of an object, the complete ones first.
const SETS: [SetField; 4] = [
    ("complete_cpuset", |object| object.complete_cpuset),
    ("complete_nodeset", |object| object.complete_nodeset),
    ("cpuset", |object| object.cpuset),
    ("nodeset", |object| object.nodeset),
];

/// Pairs (part, whole) of sets that are known to be included.
type Included = BTreeSet<(u32, u32)>;

pub(super) fn objects<T: Tables>(topology: &T) -> Result<(), CheckError> {
    let sets = topology.set_count();
    for object in 0..topology.record_count() {
        let this = record(topology, object);
        for (field, get) in SETS {
            let found = get(&this);
            if if this.ty.has_sets() { found >= sets } else { found != NONE } {
                return Err(CheckError::SetIndex { object, field, found, sets });
            }
        }
    }
    for (field, ty) in [("allowed_cpuset", Type::Pu), ("allowed_nodeset", Type::NumaNode)] {
        let found = topology.allowed(ty);
        if found >= sets {
            return Err(CheckError::SetIndex { object: NONE, field, found, sets });
        }
    }

    let mut known = Included::new();
    for object in ObjectRef::all(topology).filter(|object| object.ty().has_sets()) {
        let this = record(topology, object.index());
        own_sets(topology, object.index(), &this, &mut known)?;
        for (number, (field, get)) in SETS.into_iter().enumerate() {
            let normal = object.children(ChildKind::Normal);
            let memory = object.children(ChildKind::Memory);
            if number == 0 {
                disjoint(
                    topology,
                    object.index(),
                    normal.clone().map(|child| get(&record(topology, child.index()))),
                )?;
            }
            let children = normal.chain(memory).map(|child| (get(&record(topology, child.index())), child));
            included(topology, object.index(), field, get(&this), children, &mut known)?;
        }
        for child in object.children(ChildKind::Memory) {
            let below = record(topology, child.index());
            for (field, get) in [SETS[0], SETS[2]] {
                if get(&below) != get(&this) && !same(topology, get(&below), get(&this)) {
                    return Err(CheckError::MemoryCpuset { object: child.index(), field });
                }
            }
        }
    }
    Ok(())
}

fn same<T: Tables>(topology: &T, a: u32, b: u32) -> bool {
    match (SetRef::new(topology, a), SetRef::new(topology, b)) {
        (Some(a), Some(b)) => a.equals(&b),
        _ => false,
    }
}

/// The plain sets of an object are in its complete ones, and that of a PU or NUMA node is its os_index.
fn own_sets<T: Tables>(
    topology: &T,
    object: u32,
    this: &Object,
    known: &mut Included,
) -> Result<(), CheckError> {
    for (complete, plain) in [(SETS[0], SETS[2]), (SETS[1], SETS[3])] {
        let (part, whole) = (plain.1(this), complete.1(this));
        if part != whole && known.insert((part, whole)) {
            let (Some(part), Some(whole)) = (SetRef::new(topology, part), SetRef::new(topology, whole))
            else {
                continue;
            };
            if !part.is_included_in(&whole) {
                return Err(CheckError::SetInclusion {
                    object,
                    field: plain.0,
                    within: object,
                    within_field: complete.0,
                });
            }
        }
    }
    let (field, own) = match this.ty {
        Type::Pu => SETS[0],
        Type::NumaNode => SETS[1],
        _ => return Ok(()),
    };
    let os_index = Some(this.os_index).filter(|&index| index != NONE);
    let own = SetRef::new(topology, own(this));
    if !own.zip(os_index).is_some_and(|(own, index)| own.equals(&Set::only(index))) {
        return Err(CheckError::OwnIndex { object, field, os_index });
    }
    Ok(())
}

/// Runs of all these sets together, ascending.
pub(super) fn sorted_runs<T: Tables>(topology: &T, sets: &[u32]) -> Vec<(u32, u32)> {
    let sets = sets.iter().filter_map(|&set| SetRef::new(topology, set));
    let mut runs = Vec::new();
    for set in sets {
        runs.extend(set.runs().map(|run| (run.start, run.end)));
    }
    runs.sort_unstable();
    runs
}

fn disjoint<T: Tables>(topology: &T, object: u32, sets: impl Iterator<Item = u32>) -> Result<(), CheckError> {
    let mut sets: Vec<u32> = sets.collect();
    if sets.len() < 2 {
        return Ok(());
    }
    sets.sort_unstable();
    // The same set twice: found here, so that below each set is there once and the runs fit in memory.
    let twice = sets.windows(2).filter(|pair| pair[0] == pair[1]);
    if let Some(index) = twice.filter_map(|pair| SetRef::new(topology, pair[0])?.first()).next() {
        return Err(CheckError::SiblingOverlap { object, index });
    }
    sets.dedup();
    let runs = sorted_runs(topology, &sets);
    match runs.windows(2).find(|pair| pair[1].0 < pair[0].1) {
        Some(pair) => Err(CheckError::SiblingOverlap { object, index: pair[1].0 }),
        None => Ok(()),
    }
}

/// The children's sets are in their parent's. All of them are merged first: one pass over the parent's runs.
fn included<'a, T: Tables>(
    topology: &'a T,
    parent: u32,
    field: &'static str,
    whole: u32,
    children: impl Iterator<Item = (u32, ObjectRef<'a, T>)> + Clone,
    known: &mut Included,
) -> Result<(), CheckError> {
    let Some(all) = SetRef::new(topology, whole) else { return Ok(()) };
    let mut parts: Vec<u32> = children.clone().map(|(part, _)| part).filter(|&part| part != whole).collect();
    parts.retain(|&part| known.insert((part, whole)));
    if parts.is_empty() {
        return Ok(());
    }
    let mut merged = Set::new();
    for (start, end) in sorted_runs(topology, &parts) {
        merged.insert_range(start..end);
    }
    if merged.is_included_in(&all) {
        return Ok(());
    }
    let outside = |&(part, _): &(u32, ObjectRef<'a, T>)| {
        SetRef::new(topology, part).is_some_and(|part| !part.is_included_in(&all))
    };
    let object = children.into_iter().find(outside).map_or(parent, |(_, child)| child.index());
    Err(CheckError::SetInclusion { object, field, within: parent, within_field: field })
}
