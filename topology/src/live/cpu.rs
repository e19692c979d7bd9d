//! Processors: which there are, and what groups them.

use crate::builder::{Attributes, Node};
use crate::error::DetectError;
use crate::object::{Cache, CacheKind, Group, Type};
use crate::set::{Bits, CpuSet, Set};

use super::files::Files;
use super::machine::CpuInfo;
use super::nest::Flat;

const CPU: &str = "sys/devices/system/cpu";

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
        match (online, present) {
            ((name, Ok(text)), present) => {
                let online = parse((name, text))?;
                let present = present.1.ok().and_then(|text| parse((present.0, text)).ok());
                let present = present.unwrap_or_default().or(&online);
                Ok(Self { online, present })
            }
            // Only `present`: which of them are online, each processor says itself.
            (_, (name, Ok(text))) => {
                let present = parse((name, text))?;
                let offline = |cpu: &u32| files.number::<u32>(&format!("{CPU}/cpu{cpu}/online")) == Some(0);
                let online: Set = present.iter().filter(|cpu| !offline(cpu)).collect();
                let online = if online.is_empty() { present.clone() } else { online };
                Ok(Self { online, present })
            }
            ((name, Err(source)), _) => Err(DetectError::Unreadable { path: files.path(name), source }),
        }
    }
}

/// Everything that is described by the processors in it, in no order.
pub(super) fn objects(files: &Files<'_>, online: &CpuSet) -> Vec<Flat> {
    let cpu_info = CpuInfo::read(files);
    let mut flats = Vec::new();
    for cpu in online.iter() {
        flats.push(Flat::new(Node::new(Type::Pu).os_index(cpu), Set::only(cpu)));
        let file = |name: &str| format!("{CPU}/cpu{cpu}/topology/{name}");
        // The set that this processor is the first member of; others describe theirs.
        let set = |lists: &[&str]| {
            let set = lists.iter().find_map(|name| {
                let list = || files.list(&file(&format!("{name}_list")));
                list().or_else(|| files.mask(&file(name)))
            })?;
            Some(set.and(online)).filter(|set| set.contains(cpu))
        };
        let first = |set: &Set| set.first() == Some(cpu);
        let id = |name: &str| files.number::<u32>(&file(name)).filter(|&id| id != u32::MAX);

        // The newer name first: kernels before 5.3 have only the other one.
        if let Some(core) = set(&["core_cpus", "thread_siblings"]).filter(first) {
            flats.push(Flat::new(Node::new(Type::Core).os_index(id("core_id")), core));
        }
        let package = set(&["package_cpus", "core_siblings"]);
        if let Some(die) = set(&["die_cpus"]).filter(first).filter(|die| Some(die) != package.as_ref()) {
            flats.push(Flat::new(Node::new(Type::Die).os_index(id("die_id")), die));
        }
        if let Some(package) = package.filter(first) {
            let mut node = Node::new(Type::Package).os_index(id("physical_package_id"));
            node.infos = cpu_info.infos(cpu);
            flats.push(Flat::new(node, package));
        }
        let groups = [
            ("cluster", Group::of(Group::CLUSTER, 0)),
            ("book", Group::of(Group::BOOK, 0)),
            ("drawer", Group::of(Group::BOOK, 1)),
        ];
        for (name, group) in groups {
            let names = [format!("{name}_cpus"), format!("{name}_siblings")];
            if let Some(members) = set(&names.each_ref().map(String::as_str)).filter(first) {
                let node = Node::new(Type::Group).os_index(id(&format!("{name}_id")));
                flats.push(Flat::new(node.attributes(Attributes::Group(group)), members));
            }
        }
        caches(files, cpu, online, &mut flats);
    }
    flats
}

/// The caches of which `cpu` is the first processor.
fn caches(files: &Files<'_>, cpu: u32, online: &CpuSet, flats: &mut Vec<Flat>) {
    let directory = format!("{CPU}/cpu{cpu}/cache");
    for index in files.numbered(&directory, "index") {
        let file = |name: &str| format!("{directory}/index{index}/{name}");
        let shared = files.list(&file("shared_cpu_list")).or_else(|| files.mask(&file("shared_cpu_map")));
        let Some(shared) = shared.map(|set| set.and(online)).filter(|set| set.first() == Some(cpu)) else {
            continue;
        };
        let kind = match files.text(&file("type")).as_deref() {
            Ok("Data") => CacheKind::Data,
            Ok("Instruction") => CacheKind::Instruction,
            Ok("Unified") => CacheKind::Unified,
            _ => continue,
        };
        let Some((level, ty)) =
            files.number(&file("level")).and_then(|level| Some((level, Type::cache(level, kind)?)))
        else {
            continue;
        };
        let associativity = match files.number::<i32>(&file("ways_of_associativity")) {
            // No ways but one set: any line may go anywhere.
            Some(0) if files.number::<u32>(&file("number_of_sets")) == Some(1) => -1,
            ways => ways.filter(|&ways| ways > 0).unwrap_or(0),
        };
        let cache = Cache {
            size: files.some_text(&file("size")).and_then(|size| bytes(&size)).unwrap_or(0),
            level,
            line_size: files.number(&file("coherency_line_size")).unwrap_or(0),
            associativity,
            kind,
        };
        let id = files.number::<u32>(&file("id")).filter(|&id| id != u32::MAX);
        flats.push(Flat::new(Node::new(ty).os_index(id).attributes(Attributes::Cache(cache)), shared));
    }
}

/// A size as the kernel prints it, `32K`.
fn bytes(text: &str) -> Option<u64> {
    let (digits, unit) = match text.strip_suffix(['K', 'k']) {
        Some(digits) => (digits, 1 << 10),
        None => match text.strip_suffix(['M', 'm']) {
            Some(digits) => (digits, 1 << 20),
            None => (text, 1),
        },
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}
