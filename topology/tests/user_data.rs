//! Values beside a topology: found through any handle on the object, and never in the topology.

use graven::rkyv;
use graven_topology::{ArchivedTopology, RestrictOptions, Set, Topo, Type, UserData, synthetic};

#[test]
fn a_value_is_found_through_the_owned_and_the_archived_object() {
    let owned = synthetic("pack:2 core:2 pu:2").unwrap();
    let bytes = rkyv::to_bytes::<rkyv::rancor::Error>(&owned).unwrap();
    let archived = rkyv::access::<ArchivedTopology, rkyv::rancor::Error>(&bytes).unwrap();
    let mut data = UserData::new();
    assert_eq!(data.insert(&archived.pu(3).unwrap(), "three"), None);
    assert_eq!(data.insert(&owned.pu(3).unwrap(), "3"), Some("three"));
    assert_eq!(data.get(&archived.pu(3).unwrap()), Some(&"3"));
    assert_eq!(data.get(&archived.pu(2).unwrap()), None);
    *data.get_mut(&archived.pu(3).unwrap()).unwrap() = "drei";
    assert_eq!(data.remove(&owned.pu(3).unwrap()), Some("drei"));
    assert!(data.is_empty() && data.remove(&owned.pu(3).unwrap()).is_none());
    // Nothing of it is in the topology.
    assert_eq!(*rkyv::to_bytes::<rkyv::rancor::Error>(&owned).unwrap(), *bytes);
}

#[test]
fn values_outlive_restriction_until_those_of_objects_that_went_are_dropped() {
    let machine = synthetic("pack:2 [numa] core:2 pu:2").unwrap();
    let mut data = UserData::default();
    for object in machine.objects() {
        data.insert(&object, (object.ty(), object.os_index()));
    }
    let rest = machine.restrict(&Set::from(6..8), RestrictOptions::new().remove_cpuless()).unwrap();
    assert!(rest.objects().all(|object| data.get(&object) == Some(&(object.ty(), object.os_index()))));
    assert_eq!(data.len() as u32, machine.object_count());
    data.retain_objects(&rest);
    assert_eq!(data.len() as u32, rest.object_count());
    assert_eq!(data.get(&machine.pu(0).unwrap()), None);
    assert_eq!(data.get(&machine.pu(6).unwrap()), Some(&(Type::Pu, Some(6))));
}

#[test]
fn values_are_listed_by_object_and_by_number() {
    let machine = synthetic("core:2 pu:1").unwrap();
    let mut data = UserData::new();
    for number in [1, 0] {
        data.insert(&machine.pu(number).unwrap(), number);
    }
    let listed: Vec<_> = data.iter(&machine).map(|(object, value)| (object.os_index(), *value)).collect();
    assert_eq!(listed, [(Some(0), 0), (Some(1), 1)]);
    let rest = machine.restrict(&Set::only(1), RestrictOptions::new()).unwrap();
    assert_eq!(data.iter(&rest).count(), 1);
    let numbers: Vec<_> = data.entries().map(|(gp_index, value)| (gp_index, *value)).collect();
    let expected = [0, 1].map(|number| (machine.pu(number).unwrap().gp_index(), number));
    assert_eq!(numbers, expected);
    assert_eq!(format!("{data:?}"), format!("{{{}: 0, {}: 1}}", expected[0].0, expected[1].0));
    let mut other = data.clone();
    assert_eq!(other, data);
    other.clear();
    assert_eq!((other.len(), other.entries().len()), (0, 0));
}
