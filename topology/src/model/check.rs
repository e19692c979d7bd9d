//! The structural invariants, rule by rule.
//!
//! Nothing here trusts the tables it has not yet checked: the order of the passes is the order in which facts
//! become available. First the runs of children tile the objects (so there is one tree, and it is all of them),
//! then levels are a bijection onto the objects, then each set is well-formed, and only then are sets compared.
//! Equal sets are compared once: pairs that passed are remembered, and sets are stored apart (their records
//! tile the tables too), so the work stays near-linear whatever the bytes say.

mod facts;

use std::collections::BTreeSet;

use crate::model::error::CheckError;
use crate::model::handle::ObjectRef;
use crate::model::object::{ChildKind, NONE, Object, Span, Type};
use crate::model::read::Topo;
use crate::model::set::{Bits, END, Set};
use crate::model::set_ref::SetRef;
use crate::model::topology::{SPECIAL, SetEntry};

pub(crate) fn check<T: Topo>(topology: &T) -> Result<(), CheckError> {
    tree(topology)?;
    levels(topology)?;
    gp_indexes(topology)?;
    set_table(topology)?;
    object_sets(topology)?;
    os_index_tables(topology)?;
    references(topology)?;
    facts::facts(topology)
}

fn record<T: Topo>(topology: &T, index: u32) -> Object {
    topology.object_record(index).unwrap_or(Object::VACANT)
}

/// One run of children after the other, each child naming its parent: all objects, once, and no cycle.
fn tree<T: Topo>(topology: &T) -> Result<(), CheckError> {
    let objects = topology.record_count();
    if objects == 0 {
        return Err(CheckError::Empty);
    }
    let root = record(topology, 0);
    if root.parent != NONE {
        return Err(CheckError::Parent { object: 0, found: root.parent, expected: NONE });
    }
    if root.depth != 0 {
        return Err(CheckError::Depth { object: 0, ty: root.ty, found: root.depth, parent: 0 });
    }
    let mut next = 1;
    for object in 0..objects {
        let this = record(topology, object);
        if (this.ty == Type::Machine) != (object == 0) {
            return Err(CheckError::Machine { object, found: this.ty });
        }
        if object >= next {
            return Err(CheckError::Orphan { object });
        }
        let arity = this.arity.all();
        let len: u64 = arity.into_iter().map(u64::from).sum();
        if this.first_child != next || len > u64::from(objects - next) {
            let first = this.first_child;
            return Err(CheckError::ChildRun { object, first, len, expected: next, objects });
        }
        for (kind, len) in ChildKind::ALL.into_iter().zip(arity) {
            for child in next..next + len {
                child_of(&this, object, kind, child, &record(topology, child))?;
            }
            next += len;
        }
    }
    Ok(())
}

fn child_of(
    parent: &Object,
    expected: u32,
    kind: ChildKind,
    object: u32,
    child: &Object,
) -> Result<(), CheckError> {
    if child.parent != expected {
        return Err(CheckError::Parent { object, found: child.parent, expected });
    }
    if child.ty.child_kind() != kind || !parent.ty.may_hold(kind) {
        return Err(CheckError::ChildType { object, found: child.ty, parent: parent.ty, kind });
    }
    let depth_fits = match child.ty.special_depth() {
        Some(depth) => child.depth == depth,
        None => child.depth > parent.depth,
    };
    if !depth_fits {
        return Err(CheckError::Depth { object, ty: child.ty, found: child.depth, parent: parent.depth });
    }
    Ok(())
}

/// The levels' runs tile the table of cousins, which has a slot for each object, and each object is in its own.
fn levels<T: Topo>(topology: &T) -> Result<(), CheckError> {
    let objects = topology.record_count();
    let depth = topology.normal_depth();
    let differs = |level, field, found: u32, expected: u64| {
        (u64::from(found) != expected).then(|| CheckError::Level {
            level,
            field,
            found: i64::from(found),
            expected: expected as i64,
        })
    };
    let expected = u64::from(depth) + SPECIAL.len() as u64;
    if let Some(error) = differs(depth, "number of levels", topology.level_count(), expected) {
        return Err(error);
    }
    let mut next = 0u64;
    for index in 0..topology.level_count() {
        let Some(level) = topology.level_record(index) else { break };
        let special = index.checked_sub(depth).map(|special| SPECIAL[special as usize]);
        let expected = special.and_then(Type::special_depth).unwrap_or(index as i32);
        if level.depth != expected {
            let (found, expected) = (i64::from(level.depth), i64::from(expected));
            return Err(CheckError::Level { level: index, field: "depth", found, expected });
        }
        match special {
            Some(expected) if level.ty == expected => {}
            None if (level.ty == Type::Pu) == (index + 1 == depth) && level.ty.is_normal() => {}
            _ => return Err(CheckError::PuLevel { level: index, found: level.ty }),
        }
        if let Some(error) = differs(index, "first slot", level.members.first, next) {
            return Err(error);
        }
        next += u64::from(level.members.len);
    }
    if let Some(error) = differs(depth, "number of slots", topology.cousin_count(), next) {
        return Err(error);
    }
    if let Some(error) = differs(depth, "number of slots", topology.cousin_count(), u64::from(objects)) {
        return Err(error);
    }
    // As many slots as objects, and each object in its own: so each slot has its object.
    for object in topology.objects() {
        let (depth, logical_index) = (object.depth(), object.logical_index());
        let level = topology.level(depth);
        let found = level.and_then(|level| level.get(logical_index)).map(|found| found.index());
        if found != Some(object.index()) {
            return Err(CheckError::Slot { object: object.index(), depth, logical_index, found });
        }
        if let Some(level) = level.filter(|level| level.ty() != object.ty()) {
            let (found, expected) = (object.ty(), level.ty());
            return Err(CheckError::LevelType { object: object.index(), found, expected });
        }
    }
    // Where a walk meets each object.
    let mut rank = vec![0u32; objects as usize];
    for (position, object) in topology.root().descendants().enumerate() {
        rank[object.index() as usize] = position as u32;
    }
    for level in topology.levels() {
        let mut last: Option<ObjectRef<'_, T>> = None;
        for object in level.iter() {
            if let Some(last) =
                last.filter(|last| rank[last.index() as usize] > rank[object.index() as usize])
            {
                return Err(CheckError::LevelOrder { object: object.index(), previous: last.index() });
            }
            last = Some(object);
        }
    }
    Ok(())
}

fn gp_indexes<T: Topo>(topology: &T) -> Result<(), CheckError> {
    let mut all: Vec<_> = topology.objects().map(|object| (object.gp_index(), object.index())).collect();
    all.sort_unstable();
    match all.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => Err(CheckError::GpIndex { object: pair[0].1, other: pair[1].1, gp_index: pair[0].0 }),
        None => Ok(()),
    }
}

/// Each set in its form, and the records of all sets one after the other.
fn set_table<T: Topo>(topology: &T) -> Result<(), CheckError> {
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

fn object_sets<T: Topo>(topology: &T) -> Result<(), CheckError> {
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
    for object in topology.objects().filter(|object| object.ty().has_sets()) {
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

fn same<T: Topo>(topology: &T, a: u32, b: u32) -> bool {
    match (SetRef::new(topology, a), SetRef::new(topology, b)) {
        (Some(a), Some(b)) => a.equals(&b),
        _ => false,
    }
}

/// The plain sets of an object are in its complete ones, and that of a PU or NUMA node is its os_index.
fn own_sets<T: Topo>(
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
fn sorted_runs<T: Topo>(topology: &T, sets: &[u32]) -> Vec<(u32, u32)> {
    let sets = sets.iter().filter_map(|&set| SetRef::new(topology, set));
    let mut runs = Vec::new();
    for set in sets {
        runs.extend(set.runs().map(|run| (run.start, run.end)));
    }
    runs.sort_unstable();
    runs
}

fn disjoint<T: Topo>(topology: &T, object: u32, sets: impl Iterator<Item = u32>) -> Result<(), CheckError> {
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
fn included<'a, T: Topo>(
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

/// Each PU and NUMA node is found by its os_index, and each entry leads to one that has it.
fn os_index_tables<T: Topo>(topology: &T) -> Result<(), CheckError> {
    for table in [Type::Pu, Type::NumaNode] {
        let find = |os_index| match table {
            Type::Pu => topology.pu(os_index),
            _ => topology.numa_node(os_index),
        };
        for object in topology.by_type(table) {
            let os_index = object.os_index().unwrap_or(NONE);
            if find(os_index) != Some(object) {
                let found = find(os_index).map(|found| found.index());
                return Err(CheckError::OsIndexTable { table, os_index, found });
            }
        }
        let dense = topology.dense_count(table);
        let entries = (0..dense)
            .filter_map(|os_index| Some((os_index, topology.dense(table, os_index)?)))
            .filter(|&(_, object)| object != NONE)
            .chain((0..topology.sparse_count(table)).filter_map(|index| {
                let entry = topology.sparse(table, index)?;
                Some((entry.os_index, entry.object))
            }));
        let mut after = None;
        for (os_index, found) in entries {
            let object = record(topology, found);
            let ascends = after.is_none_or(|after| os_index > after);
            if object.ty != table || object.os_index != os_index || !ascends {
                return Err(CheckError::OsIndexTable { table, os_index, found: Some(found) });
            }
            after = Some(os_index);
        }
    }
    Ok(())
}

/// Indexes into side tables are within them.
fn references<T: Topo>(topology: &T) -> Result<(), CheckError> {
    let within = |object, field, found: u32, len: u32| match found == NONE || found < len {
        true => Ok(()),
        false => Err(CheckError::Reference { object, field, found, len }),
    };
    let span = |object, field, span: Span, len: u32| match span.fits(len) {
        true => Ok(()),
        false => Err(CheckError::Reference { object, field, found: span.first, len }),
    };
    for object in 0..topology.record_count() {
        let this = record(topology, object);
        within(object, "attributes", this.attributes, topology.attribute_count(this.ty))?;
        within(object, "extra", this.extra, topology.extra_count())?;
    }
    let strings = topology.string_count();
    for index in 0..topology.extra_count() {
        let Some(extra) = topology.extra(index) else { break };
        within(index, "extra.name", extra.name, strings)?;
        within(index, "extra.subtype", extra.subtype, strings)?;
        span(index, "extra.infos", extra.infos, topology.info_count())?;
    }
    span(NONE, "own_infos", topology.own_infos(), topology.info_count())?;
    for index in 0..topology.info_count() {
        let Some(info) = topology.info_record(index) else { break };
        for (field, string) in [("info.name", info.name), ("info.value", info.value)] {
            if string >= strings {
                return Err(CheckError::Reference { object: index, field, found: string, len: strings });
            }
        }
    }
    for index in 0..topology.attribute_count(Type::NumaNode) {
        let Some(numa) = topology.numa_record(index) else { break };
        span(index, "numa.page_types", numa.page_types, topology.page_type_count())?;
    }
    Ok(())
}
