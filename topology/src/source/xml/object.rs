//! The attributes of one `<object>`.

use crate::model::attributes::{Bridge, Cache, Group, OsDevice, PageType};
use crate::model::builder::{Attributes, Node};
use crate::model::records::NONE;
use crate::model::set::Set;
use crate::model::types::{CacheKind, Type};

use super::error::XmlError;
use super::scan::{Scanner, Tag};

/// An object while its tag and infos are read. What its attributes mean is known when all of them are.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) node: Node,
    pub(super) offset: usize,
    /// A cache of 1.x, whose type follows from its level and kind.
    pub(super) old_cache: bool,
    pub(super) cache: Cache,
    pub(super) group: Group,
    pub(super) bridge: Bridge,
    pub(super) os_device: u64,
    /// hwloc 3's kinds, where we wrote them beside 2's type.
    pub(super) os_device_kinds: Option<u64>,
    pub(super) local_memory: u64,
    pub(super) page_types: Vec<PageType>,
    pub(super) allowed_cpuset: Option<Set>,
    pub(super) allowed_nodeset: Option<Set>,
    /// Whether a child was met: after that there are only children.
    pub(super) settled: Option<usize>,
}

/// hwloc's kinds of groups that have a meaning here.
pub(super) const INTEL_MODULE: u32 = 102;
pub(super) const INTEL_TILE: u32 = 103;
pub(super) const INTEL_DIE: u32 = 104;

pub(super) fn number<N: TryFrom<u64>>(
    scanner: &Scanner<'_>,
    tag: &Tag,
    attribute: &'static str,
    expected: &'static str,
) -> Result<Option<N>, XmlError> {
    let Some(text) = tag.get(attribute) else { return Ok(None) };
    let number = text.trim().parse::<u64>().ok().and_then(|number| N::try_from(number).ok());
    number.map(Some).ok_or_else(|| scanner.value(tag, attribute, expected))
}

const U32: &str = "a number below 2^32";
const U64: &str = "a number below 2^64";
const MASK: &str = "a set in hwloc's form, such as 0x0000ffff";

pub(super) fn number_u32(
    scanner: &Scanner<'_>,
    tag: &Tag,
    attribute: &'static str,
) -> Result<Option<u32>, XmlError> {
    number(scanner, tag, attribute, U32)
}

pub(super) fn number_u64(
    scanner: &Scanner<'_>,
    tag: &Tag,
    attribute: &'static str,
) -> Result<Option<u64>, XmlError> {
    number(scanner, tag, attribute, U64)
}

pub(super) fn set(
    scanner: &Scanner<'_>,
    tag: &Tag,
    attribute: &'static str,
) -> Result<Option<Set>, XmlError> {
    let Some(text) = tag.get(attribute) else { return Ok(None) };
    Set::from_mask(text).map(Some).map_err(|_| scanner.value(tag, attribute, MASK))
}

/// The type of an attribute that names one.
pub(super) fn type_of(
    scanner: &Scanner<'_>,
    tag: &Tag,
    attribute: &'static str,
) -> Result<Option<Type>, XmlError> {
    let Some(text) = tag.get(attribute) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| scanner.value(tag, attribute, "a type of object"))
}

/// The object of a tag. `root` says whether it has no parent.
pub(super) fn read(scanner: &Scanner<'_>, tag: &Tag, root: bool) -> Result<Reading, XmlError> {
    let name = tag.get("type").ok_or_else(|| scanner.missing(tag, "type"))?;
    let same = |other: &str| name.eq_ignore_ascii_case(other);
    let mut group = Group::default();
    let (mut old_cache, mut ty) = (false, Type::Group);
    if same("Cache") {
        (old_cache, ty) = (true, Type::L1Cache);
    } else if same("System") && root {
        ty = Type::Machine;
    } else if same("Tile") {
        group.kind = INTEL_TILE;
    } else if same("Module") {
        group.kind = INTEL_MODULE;
    } else if same("Cluster") {
        group.kind = Group::CLUSTER;
    } else if let Some(known) = type_of(scanner, tag, "type")? {
        ty = known;
    }
    let mut reading = Reading {
        node: Node::new(ty),
        offset: tag.offset,
        old_cache,
        cache: Cache { size: 0, level: 0, line_size: 0, associativity: 0, kind: CacheKind::Unified },
        group,
        bridge: Bridge::default(),
        os_device: 0,
        os_device_kinds: number_u64(scanner, tag, "osdev_kinds")?,
        local_memory: number_u64(scanner, tag, "local_memory")?.unwrap_or(0),
        page_types: Vec::new(),
        allowed_cpuset: set(scanner, tag, "allowed_cpuset")?,
        allowed_nodeset: set(scanner, tag, "allowed_nodeset")?,
        settled: None,
    };
    common(scanner, tag, &mut reading.node)?;
    match ty {
        _ if ty.is_cache() || ty == Type::MemCache => cache(scanner, tag, &mut reading)?,
        Type::Group => {
            reading.group.kind = number_u32(scanner, tag, "kind")?.unwrap_or(reading.group.kind);
            reading.group.subkind = number_u32(scanner, tag, "subkind")?.unwrap_or(0);
            reading.group.dont_merge = number_u32(scanner, tag, "dont_merge")?.unwrap_or(0) != 0;
        }
        Type::Bridge | Type::PciDevice => bridge(scanner, tag, &mut reading)?,
        Type::OsDevice => reading.os_device = number_u64(scanner, tag, "osdev_type")?.unwrap_or(0),
        _ => {}
    }
    Ok(reading)
}

fn common(scanner: &Scanner<'_>, tag: &Tag, node: &mut Node) -> Result<(), XmlError> {
    node.os_index = match tag.get("os_index") {
        Some("-1") => None,
        _ => number_u32(scanner, tag, "os_index")?.filter(|&index| index != NONE),
    };
    node.gp_index = number_u64(scanner, tag, "gp_index")?;
    if let (None, Some(id)) = (node.gp_index, tag.get("id").and_then(|id| id.strip_prefix("obj"))) {
        node.gp_index = Some(id.parse().map_err(|_| scanner.value(tag, "id", "`obj` and a number"))?);
    }
    node.cpuset = set(scanner, tag, "cpuset")?;
    node.complete_cpuset = set(scanner, tag, "complete_cpuset")?;
    node.nodeset = set(scanner, tag, "nodeset")?;
    node.complete_nodeset = set(scanner, tag, "complete_nodeset")?;
    node.name = tag.get("name").map(str::to_owned);
    node.subtype = tag.get("subtype").map(str::to_owned);
    for (attribute, info) in [("dmi_board_vendor", "DMIBoardVendor"), ("dmi_board_name", "DMIBoardName")] {
        if let Some(value) = tag.get(attribute).filter(|value| !value.is_empty()) {
            node.infos.push((info.to_owned(), value.to_owned()));
        }
    }
    Ok(())
}

fn cache(scanner: &Scanner<'_>, tag: &Tag, reading: &mut Reading) -> Result<(), XmlError> {
    let cache = &mut reading.cache;
    cache.size = number_u64(scanner, tag, "cache_size")?.unwrap_or(0);
    cache.level = number_u32(scanner, tag, "depth")?.unwrap_or(0);
    cache.line_size = number_u32(scanner, tag, "cache_linesize")?.unwrap_or(0);
    if let Some(text) = tag.get("cache_associativity") {
        let ways = text.trim().parse();
        cache.associativity =
            ways.map_err(|_| scanner.value(tag, "cache_associativity", "a number of ways, or -1"))?;
    }
    cache.kind = match number_u32(scanner, tag, "cache_type")? {
        None | Some(0) => CacheKind::Unified,
        Some(1) => CacheKind::Data,
        Some(2) => CacheKind::Instruction,
        Some(_) => return Err(scanner.value(tag, "cache_type", "0, 1 or 2")),
    };
    // Rule "3.0: infos": what became an attribute is an info, as it was before.
    if let Some(inclusive) = tag.get("cache_inclusive") {
        reading.node.infos.push(("Inclusive".to_owned(), inclusive.to_owned()));
    }
    Ok(())
}

fn bridge(scanner: &Scanner<'_>, tag: &Tag, reading: &mut Reading) -> Result<(), XmlError> {
    let bridge = &mut reading.bridge;
    bridge.host = true;
    if let Some(text) = tag.get("bridge_type") {
        bridge.host = match text {
            "0-1" => true,
            "1-1" => false,
            _ => return Err(scanner.value(tag, "bridge_type", "0-1 (from the host) or 1-1 (from PCI)")),
        };
    }
    if let Some(text) = tag.get("bridge_pci") {
        let expected = "domain:[first-last], hexadecimal";
        let numbers = hexadecimal(text, &[":[", "-", "]"], &[u64::from(u32::MAX), 0xff, 0xff]);
        let numbers = numbers.ok_or_else(|| scanner.value(tag, "bridge_pci", expected))?;
        bridge.domain = numbers[0] as u32;
        (bridge.secondary_bus, bridge.subordinate_bus) = (numbers[1] as u8, numbers[2] as u8);
    }
    let pci = &mut bridge.upstream;
    if let Some(text) = tag.get("pci_busid") {
        let numbers = hexadecimal(text, &[":", ":", "."], &[u64::from(u32::MAX), 0xff, 0xff, 0xff]);
        let expected = "domain:bus:device.function, hexadecimal";
        let numbers = numbers.ok_or_else(|| scanner.value(tag, "pci_busid", expected))?;
        pci.domain = numbers[0] as u32;
        [pci.bus, pci.dev, pci.func] = [numbers[1], numbers[2], numbers[3]].map(|number| number as u8);
    }
    if let Some(text) = tag.get("pci_type") {
        let separators = [" [", ":", "] [", ":", "] ", " "];
        let limits = [0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xff, 0xff];
        // The last number is new in 3.0.
        let numbers = hexadecimal(text, &separators, &limits)
            .or_else(|| hexadecimal(text, &separators[..5], &limits[..6]));
        let expected = "class [vendor:device] [subvendor:subdevice] revision, hexadecimal";
        let numbers = numbers.ok_or_else(|| scanner.value(tag, "pci_type", expected))?;
        [pci.class, pci.vendor, pci.device, pci.subvendor, pci.subdevice] =
            core::array::from_fn(|index| numbers[index] as u16);
        pci.revision = numbers[5] as u8;
        pci.prog_if = numbers.get(6).copied().unwrap_or(0) as u8;
    }
    if let Some(text) = tag.get("pci_link_speed") {
        let speed = text.trim().parse::<f64>().ok().filter(|speed| speed.is_finite() && *speed >= 0.0);
        let speed = speed.ok_or_else(|| scanner.value(tag, "pci_link_speed", "GB/s, not negative"))?;
        pci.link_speed_bits = (speed as f32).to_bits();
    }
    Ok(())
}

/// Hexadecimal numbers with `separators` between or behind them, each at most its limit.
fn hexadecimal(text: &str, separators: &[&str], limits: &[u64]) -> Option<Vec<u64>> {
    let mut numbers = Vec::new();
    let mut rest = text.trim();
    for (index, &limit) in limits.iter().enumerate() {
        let digits = match separators.get(index) {
            Some(separator) => {
                let (digits, more) = rest.split_once(separator)?;
                rest = more;
                digits
            }
            None => core::mem::take(&mut rest),
        };
        let digits = digits.strip_prefix("0x").unwrap_or(digits);
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        numbers.push(u64::from_str_radix(digits, 16).ok().filter(|&number| plain && number <= limit)?);
    }
    rest.is_empty().then_some(numbers)
}

impl Reading {
    /// The attributes that belong to the type, which may have been corrected since the tag was read.
    pub(super) fn attributes(&mut self) -> Attributes {
        match self.node.ty {
            Type::NumaNode => Attributes::Numa {
                local_memory: self.local_memory,
                page_types: core::mem::take(&mut self.page_types),
            },
            Type::Group => Attributes::Group(self.group),
            Type::Bridge => Attributes::Bridge(self.bridge),
            Type::PciDevice => Attributes::Pci(self.bridge.upstream),
            Type::OsDevice => Attributes::OsDevice(OsDevice { kinds: self.os_device }),
            ty if ty.is_cache() || ty == Type::MemCache => Attributes::Cache(self.cache),
            _ => Attributes::None,
        }
    }
}

/// Page sizes in ascending order, without those of size 0, as hwloc keeps them.
pub(super) fn sorted(mut page_types: Vec<PageType>) -> Vec<PageType> {
    page_types.retain(|pages| pages.size > 0);
    page_types.sort_by_key(|pages| pages.size);
    page_types
}

#[cfg(test)]
mod tests {
    use super::hexadecimal;

    #[test]
    fn numbers_between_separators_are_read_within_their_limits() {
        let busid = |text| hexadecimal(text, &[":", ":", "."], &[0xffff_ffff, 0xff, 0xff, 0xff]);
        assert_eq!(busid("0000:1f:02.3"), Some(vec![0, 0x1f, 2, 3]));
        assert_eq!(busid("10000:1f:02.3"), Some(vec![0x10000, 0x1f, 2, 3]));
        for wrong in ["", "0:0:0", "0000:100:00.0", "0000:1f:02.", "0000:1f:+2.0", "0000:1f:02.3 "] {
            assert_eq!(
                busid(wrong),
                None.or(busid(wrong.trim()).filter(|_| wrong.ends_with(' '))),
                "{wrong}"
            );
        }
        assert_eq!(hexadecimal("0000:[01-0f]", &[":[", "-", "]"], &[9, 9, 0xff]), Some(vec![0, 1, 15]));
        assert_eq!(hexadecimal("0000:[01-0f]x", &[":[", "-", "]"], &[9, 9, 0xff]), None);
    }
}
