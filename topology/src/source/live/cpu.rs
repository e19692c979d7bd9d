//! Processors: which there are, and what groups them.

use super::error::DetectError;
use crate::model::attributes::Group;
use crate::model::builder::{Attributes, Node};
use crate::model::set::{Bits, CpuSet, END, Set};
use crate::model::types::Type;

use super::cache;
use super::files::{CPU, Files};
use super::machine::CpuInfo;
use super::nest::Flat;

/// Far above the kernel's NR_CPUS (8,192 on x86), and little enough to list one by one.
const LIMIT: u64 = 1 << 17;

/// Which processors there are.
pub(super) struct Cpus {
    pub(super) online: CpuSet,
    /// Online or not.
    pub(super) present: CpuSet,
}

impl Cpus {
    pub(super) fn read(files: &Files<'_>) -> Result<Self, DetectError> {
        let names = [format!("{CPU}/online"), format!("{CPU}/present")];
        let [online, present] = names.each_ref().map(|name| (name, files.text(name)));
        let parse = |(name, text): (&String, String)| {
            let malformed =
                || DetectError::Malformed { path: files.path(name), line: 1, value: text.clone() };
            let set = Set::from_list(&text).map_err(|_| malformed())?;
            match set.weight() {
                Some(0) => Err(malformed()),
                Some(weight) if weight <= LIMIT => Ok(set),
                weight => Err(DetectError::TooManyCpus {
                    path: files.path(name),
                    count: weight.unwrap_or(u64::MAX),
                    limit: LIMIT,
                }),
            }
        };
        let directories: Set = files.numbered(CPU, "cpu", "").into_iter().filter(|&cpu| cpu != END).collect();
        let present = match (online, present) {
            ((name, Ok(text)), present) => {
                let online = parse((name, text))?;
                let present = present.1.ok().and_then(|text| parse((present.0, text)).ok());
                return Ok(Self { present: present.unwrap_or(directories).or(&online), online });
            }
            (_, (name, Ok(text))) => parse((name, text))?,
            (_, _) if !directories.is_empty() => directories,
            ((name, Err(source)), _) => {
                return Err(DetectError::Unreadable { path: files.path(name), source });
            }
        };
        // Which of them are online, each processor says itself.
        let offline = |cpu: &u32| files.number::<u32>(&format!("{CPU}/cpu{cpu}/online")) == Some(0);
        let online: Set = present.iter().filter(|cpu| !offline(cpu)).collect();
        let online = if online.is_empty() { present.clone() } else { online };
        Ok(Self { online, present })
    }
}

/// Everything that is described by the processors in it, in no order.
pub(super) fn objects(files: &Files<'_>, cpu_info: &CpuInfo, online: &CpuSet) -> Vec<Flat> {
    let mut flats = Vec::new();
    for cpu in online.iter() {
        flats.push(Flat::new(Node::new(Type::Pu).os_index(cpu), Set::only(cpu)));
        let processor = Processor { files, online, cpu };
        // The newer name first: kernels before 5.3 have only the other one.
        let threads = processor.set(&["core_cpus", "thread_siblings"]);
        processor.core(cpu_info, threads.as_ref(), &mut flats);
        let package = processor.set(&["package_cpus", "core_siblings"]);
        let die = processor.set(&["die_cpus"]);
        // Some architectures have a default here that means nothing.
        let die = die.filter(|die| die.weight() != Some(1) && Some(die) != package.as_ref());
        if let Some(die) = processor.if_first(die) {
            flats.push(Flat::new(Node::new(Type::Die).os_index(processor.id("die_id")), die));
        }
        if let Some(package) = processor.if_first(package) {
            let mut node = Node::new(Type::Package).os_index(processor.id("physical_package_id"));
            node.infos = cpu_info.infos(cpu);
            flats.push(Flat::new(node, package));
        }
        processor.groups(&mut flats);
        cache::caches(files, cpu, online, threads.as_ref(), &mut flats);
    }
    flats
}

/// A processor, of which we look at sets: it describes those that it is the first member of.
struct Processor<'a> {
    files: &'a Files<'a>,
    online: &'a CpuSet,
    cpu: u32,
}

impl Processor<'_> {
    fn file(&self, name: &str) -> String {
        format!("{CPU}/cpu{}/topology/{name}", self.cpu)
    }

    /// The first of these sets that there is, if the processor is in it.
    fn set(&self, names: &[&str]) -> Option<CpuSet> {
        let set = names
            .iter()
            .find_map(|name| self.files.set(&self.file(name), &self.file(&format!("{name}_list"))))?;
        Some(set.and(self.online)).filter(|set| set.contains(self.cpu))
    }

    fn if_first(&self, set: Option<CpuSet>) -> Option<CpuSet> {
        set.filter(|set| set.first() == Some(self.cpu))
    }

    /// A number of which -1 means that it is not known.
    fn id(&self, name: &str) -> Option<u32> {
        self.files.number::<u32>(&self.file(name)).filter(|&id| id != u32::MAX)
    }

    fn core(&self, cpu_info: &CpuInfo, threads: Option<&CpuSet>, flats: &mut Vec<Flat>) {
        let Some(threads) = threads else { return };
        let core_id = self.id("core_id");
        // What these call the threads of a core are cores: they have core ids of their own.
        let own = cpu_info.has_compute_units(self.cpu) && {
            let other = threads.iter().find(|&cpu| cpu != self.cpu);
            other.is_some_and(|cpu| Processor { cpu, ..*self }.id("core_id") != core_id)
        };
        let core = if own { Some(Set::only(self.cpu)) } else { self.if_first(Some(threads.clone())) };
        if let Some(core) = core {
            flats.push(Flat::new(Node::new(Type::Core).os_index(core_id), core));
        }
    }

    fn groups(&self, flats: &mut Vec<Flat>) {
        let groups = [
            ("cluster", "Cluster", Group::of(Group::CLUSTER, 0)),
            ("book", "Book", Group::of(Group::BOOK, 0)),
            ("drawer", "Drawer", Group::of(Group::BOOK, 1)),
        ];
        for (name, subtype, group) in groups {
            let names = [format!("{name}_cpus"), format!("{name}_siblings")];
            let members = self.set(&names.each_ref().map(String::as_str));
            if let Some(members) = self.if_first(members).filter(|members| members.weight() != Some(1)) {
                let node = Node::new(Type::Group).os_index(self.id(&format!("{name}_id"))).subtype(subtype);
                flats.push(Flat::new(node.attributes(Attributes::Group(group)), members));
            }
        }
    }
}
