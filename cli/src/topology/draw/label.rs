//! What a picture says of an object.

use graven_topology::attributes::{CacheKind, Pci};
use graven_topology::{Bits, ObjectRef, SetRef, Topo, Type};

use crate::text::{printable, short, size};

/// Characters of a name that stand in a box; the tooltip has more of it.
const NAME: usize = 24;
/// Infos that a tooltip has.
const INFOS: usize = 24;

/// What stands in a box.
pub(super) struct Label {
    /// The title, in versions from long to short: the longest that fits is taken.
    pub(super) titles: Vec<String>,
    /// The version for which there must be room.
    pub(super) needed: usize,
    /// A second line.
    pub(super) second: Option<String>,
}

/// The label of an object; shorter ones in a `dense` picture.
pub(super) fn label<T: Topo>(object: &ObjectRef<'_, T>, dense: bool) -> Label {
    let (ty, index) = (object.ty(), object.logical_index());
    let typed = |name: &str| match object.subtype() {
        Some(subtype) => format!("{name}({}) L#{index}", cut(subtype)),
        None => format!("{name} L#{index}"),
    };
    let named = || match (object.name(), object.subtype()) {
        (Some(name), _) if !name.is_empty() => cut(name),
        (_, Some(subtype)) => format!("{} L#{index}", cut(subtype)),
        _ => format!("{ty} L#{index}"),
    };
    let p = object.os_index().map_or(String::new(), |index| format!(" P#{index}"));
    let mut second = None;
    let (titles, required) = match ty {
        Type::Machine => match object.total_memory() {
            0 => (vec!["Machine".to_owned()], 0),
            memory => (vec![format!("Machine ({} total)", size(memory))], 0),
        },
        Type::Package => {
            let model = object
                .info("CPUModel")
                .map(|model| format!("{} · {}", typed("Package"), short(printable(model.trim()))));
            let titles: Vec<String> = model.into_iter().chain([typed("Package")]).collect();
            let needed = titles.len() - 1;
            (titles, needed)
        }
        Type::Pu if dense => (vec![p.trim_start().to_owned()], 0),
        Type::Pu => {
            second = Some(p.trim_start().to_owned());
            (vec![format!("PU L#{index}")], 0)
        }
        Type::NumaNode => {
            let memory = object.local_memory().filter(|&memory| memory > 0);
            let memory = memory.map_or(String::new(), |memory| format!(" ({})", size(memory)));
            let numa = typed("NUMANode");
            (vec![format!("{numa}{p}{memory}"), format!("{numa}{memory}"), format!("NUMA L#{index}")], 0)
        }
        Type::PciDevice => (vec![pci(object)], 0),
        Type::OsDevice => {
            second = memory(object);
            (vec![named()], 0)
        }
        Type::Misc => (vec![named()], 0),
        _ => match object.cache() {
            Some(cache) => {
                let kind = match cache.kind {
                    CacheKind::Unified => "",
                    CacheKind::Data => "d",
                    CacheKind::Instruction => "i",
                };
                let name = match ty {
                    Type::MemCache => "MemCache".to_owned(),
                    _ => format!("L{}{kind}", cache.level),
                };
                match cache.size {
                    0 => (vec![format!("{name} L#{index}"), name], 0),
                    bytes => {
                        let bytes = size(bytes);
                        (vec![format!("{name} L#{index} ({bytes})"), format!("{name} ({bytes})"), name], 0)
                    }
                }
            }
            None => (vec![typed(ty.name())], 0),
        },
    };
    let needed = match dense {
        // A cache keeps its size.
        true if object.cache().is_some() => titles.len().saturating_sub(2),
        true => titles.len() - 1,
        false => required,
    };
    Label { titles, needed, second }
}

/// At most 24 characters of a text, made harmless.
fn cut(text: &str) -> String {
    let mut cut: String = text.chars().take(NAME).collect();
    if text.chars().nth(NAME).is_some() {
        cut.push('…');
    }
    printable(&cut).to_string()
}

fn pci<T: Topo>(object: &ObjectRef<'_, T>) -> String {
    let Some(pci) = object.pci() else { return format!("PCI L#{}", object.logical_index()) };
    let domain = if pci.domain == 0 { String::new() } else { format!("{:04x}:", pci.domain) };
    let what = match (object.subtype(), class(&pci)) {
        (Some(subtype), _) => format!(" ({})", cut(subtype)),
        (None, Some(class)) => format!(" ({class})"),
        (None, None) => String::new(),
    };
    format!("PCI {domain}{:02x}:{:02x}.{:01x}{what}", pci.bus, pci.dev, pci.func)
}

/// The PCI database's names of those classes that are drawn, in short.
fn class(pci: &Pci) -> Option<&'static str> {
    Some(match pci.class {
        0x0100 => "SCSI",
        0x0101 => "IDE",
        0x0104 => "RAID",
        0x0106 => "SATA",
        0x0107 => "SAS",
        0x0108 => "NVMe",
        0x0200 => "Ethernet",
        0x0207 => "InfiniBand",
        0x0300 => "VGA",
        0x0302 => "3D",
        0x0502 => "CXL",
        0x0b40 => "Co-Processor",
        0x0c04 => "Fibre Channel",
        0x0c06 => "InfiniBand",
        class => match class >> 8 {
            0x01 => "Storage",
            0x02 => "Network",
            0x03 => "Display",
            0x0b => "Processor",
            0x12 => "Accelerator",
            _ => return None,
        },
    })
}

/// Whether a PCI device is of the classes that hwloc calls important.
pub(super) fn important(pci: &Pci) -> bool {
    let base = pci.class >> 8;
    matches!(base, 0x00..=0x03 | 0x0b | 0x12) || matches!(pci.class, 0x0c04 | 0x0c06 | 0x0502)
}

/// How much a device holds.
fn memory<T: Topo>(object: &ObjectRef<'_, T>) -> Option<String> {
    const NAMES: [&str; 4] = ["Size", "CUDAGlobalMemorySize", "OpenCLGlobalMemorySize", "MICMemorySize"];
    let value = NAMES.iter().find_map(|name| object.info(name))?;
    let kib: u64 = value.strip_suffix("KiB").unwrap_or(value).parse().ok()?;
    Some(size(kib.checked_mul(1024)?))
}

/// All that there is room for beside a pointer: who it is, its sets, its infos.
pub(super) fn tooltip<T: Topo>(object: &ObjectRef<'_, T>) -> String {
    let ty = object.ty();
    let mut lines = vec![format!("{ty} L#{}", object.logical_index())];
    if let Some(index) = object.os_index() {
        lines[0] += &format!(" P#{index}");
    }
    let texts = [("name", object.name()), ("subtype", object.subtype())];
    lines.extend(texts.iter().filter_map(|(what, text)| Some(line(what, (*text)?))));
    if let Some(cache) = object.cache() {
        let associativity = match cache.associativity {
            -1 => "fully associative".to_owned(),
            0 => "associativity unknown".to_owned(),
            ways => format!("{ways} ways"),
        };
        lines.push(format!("{}, lines of {} bytes, {associativity}", size(cache.size), cache.line_size));
    }
    if let Some(memory) = object.local_memory() {
        lines.push(format!("local memory: {}", size(memory)));
    }
    if let Some(pci) = object.pci() {
        lines.push(format!("{:04x}:{:04x}, class {:04x}", pci.vendor, pci.device, pci.class));
    }
    if let Some(bridge) = object.bridge() {
        let (first, last) = (bridge.secondary_bus, bridge.subordinate_bus);
        let what = if bridge.host { "host bridge" } else { "PCI bridge" };
        lines.push(format!("{what}, buses {:04x}:[{first:02x}-{last:02x}]", bridge.domain));
    }
    let sets = [("cpuset", object.cpuset()), ("nodeset", object.nodeset())];
    let set = |(what, set): &(&str, Option<_>)| {
        set.as_ref().map(|set: &SetRef<_>| format!("{what}: {}", short(set.list())))
    };
    lines.extend(sets.iter().filter_map(set));
    lines.extend(object.infos().take(INFOS).map(|(name, value)| line(name, value)));
    lines.join("\n")
}

fn line(name: &str, value: &str) -> String {
    format!("{}: {}", short(printable(name)), short(printable(value)))
}
