//! A 64-bit digest of everything a walk can read.

use xxhash_rust::xxh64::Xxh64;

use super::cpukinds::CpuKindRef;
use super::distances::DistancesRef;
use super::handle::ObjectRef;
use super::level::LevelRef;
use super::machine::{MemoryTierRef, PciLocalityRef};
use super::memattrs::{Initiator, InitiatorRef, MemoryAttributeRef};
use super::set::Bits;
use super::set_ref::SetRef;
use super::tables::{Tables, infos};
use super::types::{ChildKind, Type};

/// Words and texts into one number. For comparing answers, not against forgery.
struct Mixer(Xxh64);

impl Mixer {
    fn word(&mut self, word: u64) {
        self.0.update(&word.to_le_bytes());
    }

    fn option(&mut self, word: Option<u64>) {
        self.word(word.is_some().into());
        self.word(word.unwrap_or(0));
    }

    fn text(&mut self, text: Option<&str>) {
        self.option(text.map(|text| text.len() as u64));
        self.0.update(text.unwrap_or("").as_bytes());
    }

    fn set<T: Tables>(&mut self, set: Option<SetRef<'_, T>>) {
        self.word(set.is_some().into());
        for run in set.iter().flat_map(Bits::runs) {
            self.word(u64::from(run.start) << 32 | u64::from(run.end));
        }
        self.word(u64::MAX);
    }

    fn infos<'a>(&mut self, infos: impl Iterator<Item = (&'a str, &'a str)>) {
        for (name, value) in infos {
            self.text(Some(name));
            self.text(Some(value));
        }
        self.word(u64::MAX);
    }

    fn object<T: Tables>(&mut self, object: ObjectRef<'_, T>) {
        self.word(object.ty() as u64);
        self.word(object.depth() as u64);
        self.option(object.os_index().map(u64::from));
        self.word(object.gp_index());
        self.word(object.logical_index().into());
        self.word(object.sibling_rank().into());
        self.word(object.total_memory());
        self.word(object.symmetric_subtree().into());
        self.option(object.parent().map(|parent| parent.index().into()));
        for kind in ChildKind::ALL {
            self.word(object.arity(kind).into());
        }
        self.text(object.name());
        self.text(object.subtype());
        self.infos(object.infos());
        self.set(object.cpuset());
        self.set(object.complete_cpuset());
        self.set(object.nodeset());
        self.set(object.complete_nodeset());
        if let Some(cache) = object.cache() {
            self.word(cache.size);
            self.word(u64::from(cache.level) << 32 | u64::from(cache.line_size));
            self.word(cache.associativity as u64);
            self.word(cache.kind as u64);
        }
        self.option(object.local_memory());
        for pages in object.page_types() {
            self.word(pages.size);
            self.word(pages.count);
        }
        if let Some(group) = object.group() {
            self.word(u64::from(group.depth) << 32 | u64::from(group.kind));
            self.word(u64::from(group.subkind) << 1 | u64::from(group.dont_merge));
        }
        if let Some(bridge) = object.bridge() {
            self.word(u64::from(bridge.depth) << 32 | u64::from(bridge.domain));
            let buses = u64::from(bridge.secondary_bus) << 8 | u64::from(bridge.subordinate_bus);
            self.word(buses << 1 | u64::from(bridge.host));
        }
        if let Some(pci) = object.pci().or(object.bridge().map(|bridge| bridge.upstream)) {
            self.word(u64::from(pci.domain) << 32 | u64::from(pci.link_speed_bits));
            let numbers = [pci.class, pci.vendor, pci.device, pci.subvendor, pci.subdevice];
            let bytes = [pci.bus, pci.dev, pci.func, pci.revision, pci.prog_if];
            numbers.into_iter().for_each(|number| self.word(number.into()));
            bytes.into_iter().for_each(|byte| self.word(byte.into()));
        }
        self.option(object.os_device().map(|device| device.kinds));
    }
}

pub(crate) fn digest<T: Tables>(topology: &T) -> u64 {
    let mut mixer = Mixer(Xxh64::new(0));
    for object in ObjectRef::new(topology, 0).descendants() {
        mixer.object(object);
    }
    for level in LevelRef::all(topology) {
        mixer.word(level.depth() as u64);
        mixer.word(level.ty() as u64);
        level.iter().for_each(|object| mixer.word(object.index().into()));
    }
    mixer.set(SetRef::new(topology, topology.allowed(Type::Pu)));
    mixer.set(SetRef::new(topology, topology.allowed(Type::NumaNode)));
    mixer.infos(infos(topology, topology.own_infos()));
    facts(topology, &mut mixer);
    mixer.0.digest()
}

/// What is said beside the tree.
fn facts<T: Tables>(topology: &T, mixer: &mut Mixer) {
    for distances in DistancesRef::all(topology) {
        mixer.text(distances.name());
        mixer.word(distances.kind());
        mixer.word(distances.len().into());
        distances.objects().for_each(|object| mixer.word(object.index().into()));
        distances.values().for_each(|value| mixer.word(value));
    }
    mixer.word(u64::MAX);
    for attribute in MemoryAttributeRef::all(topology) {
        mixer.text(Some(attribute.name()));
        mixer.word(attribute.flags().into());
        for (target, value) in attribute.targets(Initiator::Any) {
            mixer.word(target.index().into());
            mixer.option(value);
            for (from, value) in attribute.initiators(&target) {
                match from {
                    InitiatorRef::Cpuset(cpuset) => mixer.set(Some(cpuset)),
                    InitiatorRef::Object(object) => mixer.word(object.index().into()),
                }
                mixer.word(value);
            }
        }
        mixer.word(u64::MAX);
    }
    for kind in CpuKindRef::all(topology) {
        mixer.set(kind.cpuset());
        mixer.option(kind.efficiency().map(u64::from));
        mixer.option(kind.forced_efficiency().map(u64::from));
        mixer.infos(kind.infos());
    }
    mixer.word(u64::MAX);
    for tier in MemoryTierRef::all(topology) {
        mixer.word(tier.kinds());
        mixer.set(tier.nodeset());
        mixer.infos(tier.infos());
    }
    mixer.word(u64::MAX);
    for locality in PciLocalityRef::all(topology) {
        let (first, last) = locality.buses();
        [locality.domain(), first, last].into_iter().for_each(|number| mixer.word(number.into()));
        mixer.set(locality.cpuset());
    }
    mixer.word(u64::MAX);
    for index in 0..topology.support_count() {
        mixer.text(topology.support_record(index).and_then(|name| topology.string(name)));
    }
    Type::ALL
        .into_iter()
        .for_each(|ty| mixer.word(topology.filter_record(ty as u32).unwrap_or_default() as u64));
    mixer.word(topology.flag_bits());
}
