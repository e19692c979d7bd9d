//! A topology as records, one JSON value each: for programs, and for comparing.
//!
//! | `rec` | what |
//! |---|---|
//! | `topology` | depth, allowed sets, flags, infos, support |
//! | `level` | depth, type, number of objects |
//! | `obj` | an object, in tree order; `i` counts them, `parent` is the parent's `i` |
//! | `distances` | name, kind, objects as (type, gp_index), values row by row |
//! | `memattr` | id, name, flags, targets with a value or with initiators |
//! | `cpukind` | number, cpuset, efficiency, infos |
//! | `memtier`, `pci_locality` | as hwloc 3 has them |
//!
//! Sets are lists (`0-3,8`). Numbers that are unknown are -1, texts that are absent `null`. Types of OS devices are
//! those of hwloc 2, beside which `kinds` are those of hwloc 3.

use serde_json::{Value, json};

use super::attributes::Pci;
use super::handle::ObjectRef;
use super::hwloc2::os_device_type;
use super::memattrs::{Initiator, InitiatorRef};
use super::read::Topo;
use super::records::NONE;
use super::set::Bits;
use super::set_ref::SetRef;
use super::types::{ChildKind, Type};

/// hwloc's names of features, in the order of its tables; `supported` for a name of ours is 0 or 1.
const SUPPORT: [(&str, &[&str]); 3] = [
    ("discovery", &["pu", "numa", "numa_memory", "disallowed_pu", "disallowed_numa", "cpukind_efficiency"]),
    (
        "cpubind",
        &[
            "set_thisproc_cpubind",
            "get_thisproc_cpubind",
            "set_proc_cpubind",
            "get_proc_cpubind",
            "set_thisthread_cpubind",
            "get_thisthread_cpubind",
            "set_thread_cpubind",
            "get_thread_cpubind",
            "get_thisproc_last_cpu_location",
            "get_proc_last_cpu_location",
            "get_thisthread_last_cpu_location",
        ],
    ),
    (
        "membind",
        &[
            "set_thisproc_membind",
            "get_thisproc_membind",
            "set_proc_membind",
            "get_proc_membind",
            "set_thisthread_membind",
            "get_thisthread_membind",
            "set_area_membind",
            "get_area_membind",
            "alloc_membind",
            "firsttouch_membind",
            "bind_membind",
            "interleave_membind",
            "nexttouch_membind",
            "migrate_membind",
            "get_area_memlocation",
            "weighted_interleave_membind",
        ],
    ),
];

/// hwloc's flag that says that the topology is that of this machine.
const IS_THIS_SYSTEM: u64 = 1 << 1;

/// All records of a topology, owned or archived.
///
/// ```
/// use graven_topology::{Builder, Node, Type, records};
///
/// let mut builder = Builder::new();
/// builder.add(Builder::ROOT, Node::new(Type::Pu).os_index(0));
/// let topology = builder.build()?;
/// let objects: Vec<_> = records(&topology).filter(|record| record["rec"] == "obj").collect();
/// assert_eq!(objects[1]["type"], "PU");
/// assert_eq!(objects[1]["cpuset"], "0");
/// # Ok::<(), graven_topology::error::BuildError>(())
/// ```
pub fn records<T: Topo>(topology: &T) -> impl Iterator<Item = Value> {
    let mut ranks = vec![NONE; topology.object_count() as usize];
    for (rank, object) in topology.root().descendants().enumerate() {
        ranks[object.index() as usize] = rank as u32;
    }
    let levels = topology.levels().map(
        |level| json!({"rec": "level", "depth": level.depth(), "type": level.ty().name(), "nb": level.len()}),
    );
    let objects = topology.root().descendants().enumerate().map(move |(rank, object)| {
        let parent = object.parent().map_or(-1, |parent| i64::from(ranks[parent.index() as usize]));
        object_record(rank, parent, &object)
    });
    core::iter::once(topology_record(topology))
        .chain(levels)
        .chain(objects)
        .chain(distance_records(topology))
        .chain(memory_attribute_records(topology))
        .chain(cpu_kind_records(topology))
        .chain(machine_records(topology))
}

fn set<T: Topo>(set: Option<SetRef<'_, T>>) -> Value {
    set.map_or(Value::Null, |set| set.list().to_string().into())
}

fn infos<'a>(infos: impl Iterator<Item = (&'a str, &'a str)>) -> Value {
    infos.map(|(name, value)| json!([name, value])).collect()
}

fn topology_record<T: Topo>(topology: &T) -> Value {
    let own = infos(topology.infos());
    let mut support = serde_json::Map::new();
    for (category, names) in SUPPORT {
        let supported = |name: &&str| u32::from(topology.supports(&format!("{category}.{name}")));
        support.insert(category.into(), names.iter().map(supported).collect());
    }
    support.insert("misc".into(), json!([u32::from(topology.supports("custom.exported_support"))]));
    json!({
        "rec": "topology",
        "depth": topology.depth(),
        "allowed_cpuset": set(topology.allowed_cpuset()),
        "allowed_nodeset": set(topology.allowed_nodeset()),
        "is_thissystem": u32::from(topology.flags() & IS_THIS_SYSTEM != 0),
        "flags": topology.flags(),
        "infos": if own == json!([]) { Value::Null } else { own },
        "support": support,
    })
}

fn object_record<T: Topo>(rank: usize, parent: i64, object: &ObjectRef<'_, T>) -> Value {
    let list = match object.ty().child_kind() {
        _ if parent < 0 => "root",
        ChildKind::Normal => "normal",
        ChildKind::Memory => "memory",
        ChildKind::Io => "io",
        ChildKind::Misc => "misc",
    };
    json!({
        "rec": "obj",
        "i": rank,
        "parent": parent,
        "list": list,
        "type": object.ty().name(),
        "depth": object.depth(),
        "logical_index": object.logical_index(),
        "os_index": object.os_index().map_or(-1, i64::from),
        "gp_index": object.gp_index(),
        "sibling_rank": object.sibling_rank(),
        "arity": ChildKind::ALL.map(|kind| object.arity(kind)),
        "symmetric_subtree": u32::from(object.symmetric_subtree()),
        "total_memory": object.total_memory(),
        "name": object.name(),
        "subtype": object.subtype(),
        "cpuset": set(object.cpuset()),
        "complete_cpuset": set(object.complete_cpuset()),
        "nodeset": set(object.nodeset()),
        "complete_nodeset": set(object.complete_nodeset()),
        "attr": attributes(object),
        "infos": infos(object.infos()),
    })
}

fn pci_record(pci: &Pci) -> Value {
    json!({
        "domain": pci.domain, "bus": pci.bus, "dev": pci.dev, "func": pci.func, "class": pci.class,
        "vendor": pci.vendor, "device": pci.device, "subvendor": pci.subvendor, "subdevice": pci.subdevice,
        "revision": pci.revision, "prog_if": pci.prog_if, "linkspeed_bits": pci.link_speed_bits,
    })
}

fn attributes<T: Topo>(object: &ObjectRef<'_, T>) -> Value {
    if let Some(cache) = object.cache() {
        return json!({
            "size": cache.size, "depth": cache.level, "linesize": cache.line_size,
            "associativity": cache.associativity, "cache_type": cache.kind as u32,
        });
    }
    if let Some(group) = object.group() {
        return json!({
            "depth": group.depth, "kind": group.kind, "subkind": group.subkind,
            "dont_merge": u32::from(group.dont_merge),
        });
    }
    if let Some(bridge) = object.bridge() {
        let mut record = json!({
            "upstream_type": u32::from(!bridge.host), "downstream_type": 1, "depth": bridge.depth,
            "down_domain": bridge.domain, "secondary_bus": bridge.secondary_bus,
            "subordinate_bus": bridge.subordinate_bus,
        });
        if !bridge.host {
            record["up_pci"] = pci_record(&bridge.upstream);
        }
        return record;
    }
    if let Some(pci) = object.pci() {
        return json!({"pci": pci_record(&pci)});
    }
    if let Some(device) = object.os_device() {
        let ty = os_device_type(object).map_or(-1, |ty| ty as i64);
        return json!({"osdev_type": ty, "kinds": device.kinds});
    }
    if object.ty() == Type::NumaNode {
        let pages: Value = object.page_types().map(|pages| json!([pages.size, pages.count])).collect();
        return json!({"local_memory": object.local_memory().unwrap_or(0), "page_types": pages});
    }
    json!({})
}

fn named<T: Topo>(object: &ObjectRef<'_, T>) -> Value {
    json!([object.ty().name(), object.gp_index()])
}

fn distance_records<T: Topo>(topology: &T) -> impl Iterator<Item = Value> {
    topology.distances().map(|distances| {
        json!({
            "rec": "distances",
            "name": distances.name(),
            "kind": distances.kind(),
            "objs": distances.objects().map(|object| named(&object)).collect::<Value>(),
            "values": distances.values().collect::<Value>(),
        })
    })
}

fn memory_attribute_records<T: Topo>(topology: &T) -> impl Iterator<Item = Value> {
    topology.memory_attributes().map(|attribute| {
        let targets: Value = attribute
            .targets(Initiator::Any)
            .map(|(target, value)| match value {
                Some(value) => json!({"obj": named(&target), "value": value}),
                None => {
                    let initiators: Value = attribute
                        .initiators(&target)
                        .map(|(from, value)| match from {
                            InitiatorRef::Cpuset(cpuset) => {
                                json!({"loc": {"cpuset": cpuset.list().to_string()}, "value": value})
                            }
                            InitiatorRef::Object(object) => {
                                json!({"loc": {"obj": named(&object)}, "value": value})
                            }
                        })
                        .collect();
                    json!({"obj": named(&target), "initiators": initiators})
                }
            })
            .collect();
        let (id, name, flags) = (attribute.id(), attribute.name(), attribute.flags());
        json!({"rec": "memattr", "id": id, "name": name, "flags": flags, "targets": targets})
    })
}

fn cpu_kind_records<T: Topo>(topology: &T) -> impl Iterator<Item = Value> {
    topology.cpu_kinds().map(|kind| {
        json!({
            "rec": "cpukind",
            "i": kind.index(),
            "cpuset": set(kind.cpuset()),
            "efficiency": kind.efficiency().map_or(-1, i64::from),
            "infos": infos(kind.infos()),
        })
    })
}

fn machine_records<T: Topo>(topology: &T) -> impl Iterator<Item = Value> {
    let tiers = topology.memory_tiers().enumerate().map(|(number, tier)| {
        let (kinds, nodeset, infos) = (tier.kinds(), set(tier.nodeset()), infos(tier.infos()));
        json!({"rec": "memtier", "i": number, "kinds": kinds, "nodeset": nodeset, "infos": infos})
    });
    let localities = topology.pci_localities().map(|locality| {
        let (first, last) = locality.buses();
        json!({
            "rec": "pci_locality", "domain": locality.domain(), "bus_min": first, "bus_max": last,
            "cpuset": set(locality.cpuset()),
        })
    });
    tiers.chain(localities)
}
