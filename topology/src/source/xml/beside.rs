//! What stands beside the objects: distances, memory attributes, kinds of processors, and the rest.
//!
//! It comes after all objects, so it goes to the builder as it is read.

use crate::model::attributes::PageType;
use crate::model::builder::{Attributes, Builder, Location, Node, NodeId};
use crate::model::facts::{DistanceMatrix, MemoryAttribute};
use crate::model::set::{Bits, Set};
use crate::model::types::Type;

use super::error::XmlError;
use super::names::Objects;
use super::object::{number_u32, number_u64, set, sorted, type_of};
use super::scan::{Item, MAX_VALUES, Scanner, Tag};

/// How many localities, features and other elements a file may have beside the objects.
const MAX_RECORDS: usize = 1 << 16;
/// How many kinds of processors, and how many tiers of memory.
const MAX_KINDS: usize = 1 << 10;
/// hwloc 3's kind of distances that are counted in hops, which are latencies to hwloc 2.
const HOPS: u64 = 1 << 5;

type Infos = Vec<(String, String)>;

/// What is said beside the objects goes to the builder as it is read: the objects are there before.
pub(super) struct Beside {
    pub(super) builder: Builder,
    pub(super) objects: Objects,
    /// The nodes of each memory tier.
    tiers: Vec<Set>,
    kinds: usize,
    values: u64,
    records: usize,
}

impl Beside {
    pub(super) fn new(builder: Builder, objects: Objects) -> Self {
        Self { builder, objects, tiers: Vec::new(), kinds: 0, values: 0, records: 0 }
    }

    /// Reads the element that was just opened. Elements that are not known are skipped.
    pub(super) fn read(&mut self, scanner: &mut Scanner<'_>, tag: Tag) -> Result<(), XmlError> {
        self.records += 1;
        if self.records > MAX_RECORDS {
            let at = scanner.place_of(tag.offset);
            return Err(XmlError::TooMany {
                at,
                what: "elements beside the objects",
                limit: MAX_RECORDS as u64,
            });
        }
        match tag.name.as_str() {
            "distances2" => self.matrix(scanner, &tag, false),
            "distances2hetero" => self.matrix(scanner, &tag, true),
            "memattr" => self.attribute(scanner, &tag),
            "cpukind" => self.cpu_kind(scanner, &tag),
            "memtier" => self.memory_tier(scanner, &tag),
            "pci_locality" => self.pci_locality(scanner, &tag),
            "support" => {
                let value = tag.get("value").unwrap_or("1");
                if let Some(name) = tag.get("name").filter(|_| value != "0") {
                    self.builder.support(name);
                }
                scanner.skip()
            }
            _ => scanner.skip(),
        }
    }

    fn count(&mut self, scanner: &Scanner<'_>, tag: &Tag, more: u64) -> Result<(), XmlError> {
        self.values = self.values.saturating_add(more);
        if self.values > MAX_VALUES {
            let at = scanner.place_of(tag.offset);
            return Err(XmlError::TooMany { at, what: "values", limit: MAX_VALUES });
        }
        Ok(())
    }

    fn matrix(&mut self, scanner: &mut Scanner<'_>, tag: &Tag, types_differ: bool) -> Result<(), XmlError> {
        let count = number_u64(scanner, tag, "nbobjs")?.ok_or_else(|| scanner.missing(tag, "nbobjs"))?;
        let mut kind = number_u64(scanner, tag, "kind")?.ok_or_else(|| scanner.missing(tag, "kind"))?;
        if kind & HOPS != 0 {
            kind = kind & !HOPS | DistanceMatrix::LATENCY;
        }
        let ty = type_of(scanner, tag, "type")?;
        if !types_differ && ty.is_none() {
            return Err(scanner.missing(tag, "type"));
        }
        let numbered = matches!(ty, Some(Type::Pu | Type::NumaNode));
        let by_os_index = match tag.get("indexing") {
            None if types_differ => false,
            Some("gp") => false,
            Some("os") if numbered => true,
            None => return Err(scanner.missing(tag, "indexing")),
            Some(_) => return Err(scanner.value(tag, "indexing", "gp, or os for PU and NUMANode")),
        };
        let square = count.saturating_mul(count);
        self.count(scanner, tag, square)?;
        let (mut objects, mut values) = (Vec::new(), Vec::new());
        loop {
            match scanner.next()? {
                Item::Open(child) if child.name == "indexes" => {
                    let content = scanner.content()?;
                    for word in content.split_ascii_whitespace() {
                        let (ty, number) = match (word.split_once(':'), ty) {
                            (Some((ty, number)), _) if types_differ => (ty.parse().ok(), number),
                            (None, Some(ty)) if !types_differ => (Some(ty), word),
                            _ => (None, word),
                        };
                        let index = ty.zip(number.parse().ok());
                        let expected = "a number, or with several types a type and a number: PU:5";
                        objects.push(index.ok_or_else(|| content_value(scanner, &child, word, expected))?);
                        if objects.len() as u64 > count {
                            break;
                        }
                    }
                }
                Item::Open(child) if child.name == "u64values" => {
                    for word in scanner.content()?.split_ascii_whitespace() {
                        let value = word.parse();
                        values.push(
                            value.map_err(|_| content_value(scanner, &child, word, "a number below 2^64"))?,
                        );
                        if values.len() as u64 > square {
                            break;
                        }
                    }
                }
                Item::Open(child) if child.name == "info" => scanner.skip()?,
                Item::Open(child) => return Err(scanner.unexpected(&child)),
                Item::Text(_) => {}
                Item::Close | Item::End => break,
            }
        }
        for (what, expected, found) in
            [("indexes", count, objects.len() as u64), ("values", square, values.len() as u64)]
        {
            if found != expected {
                let at = scanner.place_of(tag.offset);
                return Err(XmlError::Count { at, what, expected, found });
            }
        }
        let at = || scanner.place_of(tag.offset);
        let ids = objects.into_iter().map(|(ty, index)| match by_os_index {
            true => self.objects.by_os_index(ty, index, at),
            false => self.objects.by_gp_index(ty, index, at),
        });
        let ids: Vec<Option<NodeId>> = ids.collect::<Result<_, _>>()?;
        let mut pairs =
            ids.iter().flat_map(|row| ids.iter().map(move |column| row.is_some() && column.is_some()));
        values.retain(|_| pairs.next() == Some(true));
        let ids: Vec<NodeId> = ids.iter().flatten().copied().collect();
        if ids.len() >= 2 {
            self.builder.distances(tag.get("name"), kind, ids, values);
        }
        Ok(())
    }

    fn attribute(&mut self, scanner: &mut Scanner<'_>, tag: &Tag) -> Result<(), XmlError> {
        let name = tag.get("name").ok_or_else(|| scanner.missing(tag, "name"))?;
        let flags = number_u32(scanner, tag, "flags")?.ok_or_else(|| scanner.missing(tag, "flags"))?;
        let id = self.builder.memory_attribute(name, flags);
        loop {
            match scanner.next()? {
                Item::Open(child) if child.name == "memattr_value" => {
                    self.count(scanner, &child, 1)?;
                    self.memory_value(scanner, &child, id, flags)?;
                    scanner.skip()?;
                }
                Item::Open(child) if child.name == "info" => scanner.skip()?,
                Item::Open(child) => return Err(scanner.unexpected(&child)),
                Item::Text(_) => {}
                Item::Close | Item::End => break,
            }
        }
        Ok(())
    }

    fn memory_value(
        &mut self,
        scanner: &Scanner<'_>,
        tag: &Tag,
        attribute: u32,
        flags: u32,
    ) -> Result<(), XmlError> {
        let required = |attribute: &'static str| {
            number_u64(scanner, tag, attribute)?.ok_or_else(|| scanner.missing(tag, attribute))
        };
        let object = |ty: &'static str, index: &'static str| {
            let ty = type_of(scanner, tag, ty)?.ok_or_else(|| scanner.missing(tag, ty))?;
            self.objects.by_gp_index(ty, required(index)?, || scanner.place_of(tag.offset))
        };
        let target = object("target_obj_type", "target_obj_gp_index")?;
        let value = required("value")?;
        let from = if flags & MemoryAttribute::NEED_INITIATOR == 0 {
            None
        } else if let Some(cpuset) = set(scanner, tag, "initiator_cpuset")? {
            Some(Location::Cpuset(cpuset))
        } else if tag.get("initiator_obj_type").is_some() {
            match object("initiator_obj_type", "initiator_obj_gp_index")? {
                Some(object) => Some(Location::Object(object)),
                None => return Ok(()),
            }
        } else {
            return Err(scanner.missing(tag, "initiator_cpuset"));
        };
        if let Some(target) = target {
            self.builder.memory_value(attribute, target, from, value);
        }
        Ok(())
    }

    /// The infos of the element just opened, which has nothing else.
    fn infos(&mut self, scanner: &mut Scanner<'_>) -> Result<Infos, XmlError> {
        let mut infos = Vec::new();
        loop {
            match scanner.next()? {
                Item::Open(child) if child.name == "info" => {
                    self.count(scanner, &child, 1)?;
                    if let (Some(name), Some(value)) = (child.get("name"), child.get("value")) {
                        infos.push((name.to_owned(), value.to_owned()));
                    }
                    scanner.skip()?;
                }
                Item::Open(child) => return Err(scanner.unexpected(&child)),
                Item::Text(_) => {}
                Item::Close | Item::End => return Ok(infos),
            }
        }
    }

    fn cpu_kind(&mut self, scanner: &mut Scanner<'_>, tag: &Tag) -> Result<(), XmlError> {
        let cpuset = set(scanner, tag, "cpuset")?.ok_or_else(|| scanner.missing(tag, "cpuset"))?;
        let efficiency = match tag.get("forced_efficiency") {
            Some("-1") => None,
            _ => number_u32(scanner, tag, "forced_efficiency")?,
        };
        let infos = self.infos(scanner)?;
        self.builder.cpu_kind(cpuset, efficiency, infos);
        self.kinds += 1;
        few(scanner, tag, "kinds of processors", self.kinds)
    }

    fn memory_tier(&mut self, scanner: &mut Scanner<'_>, tag: &Tag) -> Result<(), XmlError> {
        let nodeset = set(scanner, tag, "nodeset")?.ok_or_else(|| scanner.missing(tag, "nodeset"))?;
        let kinds = number_u64(scanner, tag, "kinds")?.unwrap_or(0);
        let infos = self.infos(scanner)?;
        self.tiers.push(nodeset.clone());
        self.builder.memory_tier(kinds, nodeset, infos);
        few(scanner, tag, "memory tiers", self.tiers.len())
    }

    fn pci_locality(&mut self, scanner: &mut Scanner<'_>, tag: &Tag) -> Result<(), XmlError> {
        let number = |attribute: &'static str| {
            let text = tag.get(attribute).ok_or_else(|| scanner.missing(tag, attribute))?;
            let number = match text.strip_prefix("0x") {
                Some(digits) => u32::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+')),
                None => text.parse().ok(),
            };
            number.ok_or_else(|| scanner.value(tag, attribute, "a number, in hexadecimal after 0x"))
        };
        let (domain, first, last) = (number("domain")?, number("bus_min")?, number("bus_max")?);
        let cpuset = set(scanner, tag, "cpuset")?.ok_or_else(|| scanner.missing(tag, "cpuset"))?;
        self.builder.pci_locality(domain, first, last, cpuset);
        scanner.skip()
    }

    /// Rule "3.0: memory tiers are also infos", of nodes and of the root. Nothing is added twice.
    pub(super) fn tell_memory_tiers(&mut self, nodes: &[NodeId]) {
        if self.tiers.is_empty() {
            return;
        }
        let mut tell = |id: NodeId, name: &str, value: &dyn Fn(&Node) -> Option<usize>| {
            let Some(node) = self.builder.node_mut(id) else { return };
            let Some(value) = value(node) else { return };
            let info = (name.to_owned(), value.to_string());
            if !node.infos.contains(&info) {
                node.infos.push(info);
            }
        };
        tell(Builder::ROOT, "MemoryTiersNr", &|_| Some(self.tiers.len()));
        // A node is in one tier; hwloc would say all that name it.
        let tier = |node: &Node| {
            self.tiers.iter().position(|tier| node.os_index.is_some_and(|index| tier.contains(index)))
        };
        nodes.iter().for_each(|&id| tell(id, "MemoryTier", &tier));
    }

    /// Rule "3.0: page sizes are spread": the root's list is that of each node without one of its own, with all of its
    /// memory in pages of the first size.
    pub(super) fn spread_page_sizes(&mut self, nodes: &[NodeId]) {
        let Some(root) = self.builder.node_mut(Builder::ROOT) else { return };
        let info =
            |name: &str| root.infos.iter().find(|(found, _)| found == name).map(|(_, value)| value.clone());
        let (Some(count), Some(sizes)) = (info("PageSizeNr"), info("PageSizes")) else { return };
        let count = count.trim().parse().unwrap_or(0usize).min(64);
        let sizes: Vec<u64> =
            sizes.split(',').take(count).filter_map(|size| page_size(size.trim())).collect();
        let Some(&first) = sizes.first() else { return };
        for &id in nodes {
            if let Some(Attributes::Numa { local_memory, page_types }) =
                self.builder.node_mut(id).map(|node| &mut node.attributes)
                && page_types.is_empty()
            {
                let memory = *local_memory;
                let count = |size| if size == first { memory / first } else { 0 };
                *page_types =
                    sorted(sizes.iter().map(|&size| PageType { size, count: count(size) }).collect());
            }
        }
    }
}

fn few(scanner: &Scanner<'_>, tag: &Tag, what: &'static str, count: usize) -> Result<(), XmlError> {
    match count <= MAX_KINDS {
        true => Ok(()),
        false => Err(XmlError::TooMany { at: scanner.place_of(tag.offset), what, limit: MAX_KINDS as u64 }),
    }
}

fn content_value(scanner: &Scanner<'_>, tag: &Tag, word: &str, expected: &'static str) -> XmlError {
    XmlError::Value {
        at: scanner.place_of(tag.offset),
        attribute: "(content)".to_owned(),
        value: super::scan::quote(word),
        expected,
    }
}

fn page_size(text: &str) -> Option<u64> {
    let size = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    size.filter(|&size| size > 0)
}
