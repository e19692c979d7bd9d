//! What must hold of whatever was restricted, and by which options.
#![allow(dead_code, unreachable_pub)] // each test file uses its part of this

use std::collections::BTreeMap;

use graven::rkyv;
use graven_topology::{ArchivedTopology, Bits, RestrictOptions, Set, Topo, Topology, Type};

pub const PLAIN: RestrictOptions = RestrictOptions::new();

/// What must hold of whatever was restricted.
pub fn sound(whole: &Topology, rest: &Topology, kept: &Set, options: RestrictOptions, name: &str) {
    rest.check().unwrap_or_else(|error| panic!("{name}: {error}"));
    let before: BTreeMap<u64, _> = whole.objects().map(|object| (object.gp_index(), object)).collect();
    let by_nodeset = options == options.by_nodeset();
    for object in rest.objects() {
        let old = before[&object.gp_index()];
        assert_eq!((object.ty(), object.os_index()), (old.ty(), old.os_index()), "{name}");
        assert_eq!((object.name(), object.subtype()), (old.name(), old.subtype()), "{name}");
        assert!(object.infos().eq(old.infos()), "{name}");
        let sets = [(object.cpuset(), old.cpuset()), (object.complete_cpuset(), old.complete_cpuset())];
        let nodesets =
            [(object.nodeset(), old.nodeset()), (object.complete_nodeset(), old.complete_nodeset())];
        for (new, old) in if by_nodeset { nodesets } else { sets } {
            let expected = old.map(|old| old.to_set().and(kept));
            assert_eq!(new.map(|new| new.to_set()), expected, "{name}: {object:?}");
        }
    }
    // Each processor of the set that there was is there.
    if !by_nodeset {
        let machine = whole.root().complete_cpuset().unwrap().to_set().and(kept);
        assert_eq!(rest.root().complete_cpuset().unwrap().to_set(), machine, "{name}");
        let pus = whole.by_type(Type::Pu).filter(|pu| kept.contains(pu.os_index().unwrap())).count();
        assert_eq!(rest.count(Type::Pu) as usize, pus, "{name}");
    }
    let again = rest.restrict(kept, options).unwrap();
    assert!(again == *rest, "{name}: twice is not once");
    let bytes = rkyv::to_bytes::<rkyv::rancor::Error>(rest).unwrap();
    let archived = rkyv::access::<ArchivedTopology, rkyv::rancor::Error>(&bytes).unwrap();
    assert_eq!(archived.digest(), rest.digest(), "{name}");
}

/// All that exclude nothing.
pub fn every_option() -> Vec<RestrictOptions> {
    let mut all = Vec::new();
    for options in [PLAIN, PLAIN.remove_cpuless(), PLAIN.by_nodeset(), PLAIN.by_nodeset().remove_memless()] {
        all.extend([options, options.adapt_io(), options.adapt_misc(), options.adapt_io().adapt_misc()]);
    }
    all
}
