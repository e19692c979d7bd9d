//! The structural invariants, rule by rule.
//!
//! Nothing here trusts the tables it has not yet checked: the order of the passes is the order in which facts
//! become available. First the runs of children tile the objects (so there is one tree, and it is all of them),
//! then levels are a bijection onto the objects, then each set is well-formed, and only then are sets compared.
//! Equal sets are compared once: pairs that passed are remembered, and sets are stored apart (their records
//! tile the tables too), so the work stays near-linear whatever the bytes say.

mod facts;
mod sets;

use super::error::CheckError;
use super::handle::ObjectRef;
use super::level::LevelRef;
use super::records::{NONE, Object, SPECIAL, Span};
use super::tables::{Tables, record};
use super::types::{ChildKind, Type};

pub(crate) fn check<T: Tables>(topology: &T) -> Result<(), CheckError> {
    tree(topology)?;
    levels(topology)?;
    gp_indexes(topology)?;
    sets::form(topology)?;
    sets::objects(topology)?;
    os_index_tables(topology)?;
    references(topology)?;
    facts::facts(topology)
}

/// One run of children after the other, each child naming its parent: all objects, once, and no cycle.
fn tree<T: Tables>(topology: &T) -> Result<(), CheckError> {
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
fn levels<T: Tables>(topology: &T) -> Result<(), CheckError> {
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
    for object in ObjectRef::all(topology) {
        let (depth, logical_index) = (object.depth(), object.logical_index());
        let level = LevelRef::at(topology, depth);
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
    for (position, object) in ObjectRef::new(topology, 0).descendants().enumerate() {
        rank[object.index() as usize] = position as u32;
    }
    for level in LevelRef::all(topology) {
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

fn gp_indexes<T: Tables>(topology: &T) -> Result<(), CheckError> {
    let mut all: Vec<_> =
        ObjectRef::all(topology).map(|object| (object.gp_index(), object.index())).collect();
    all.sort_unstable();
    match all.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => Err(CheckError::GpIndex { object: pair[0].1, other: pair[1].1, gp_index: pair[0].0 }),
        None => Ok(()),
    }
}

/// Each PU and NUMA node is found by its os_index, and each entry leads to one that has it.
fn os_index_tables<T: Tables>(topology: &T) -> Result<(), CheckError> {
    for table in [Type::Pu, Type::NumaNode] {
        let find = |os_index| ObjectRef::by_os_index(topology, table, os_index);
        for object in LevelRef::objects(topology, table) {
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
fn references<T: Tables>(topology: &T) -> Result<(), CheckError> {
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
