//! What stands beside the objects: distances, memory attributes, kinds of processors, and the rest.
//!
//! Read before the tree is final, so references are kept with their place and resolved at the end.

use crate::model::attributes::PageType;
use crate::model::builder::{Attributes, Builder, Location, NodeId};
use crate::model::facts::{DistanceMatrix, MemoryAttribute};
use crate::model::set::{Bits, Set};
use crate::model::types::Type;

use super::error::XmlError;
use super::names::{Named, Objects};
use super::object::{number_u32, number_u64, set, sorted, type_of};
use super::scan::{Item, MAX_VALUES, Scanner, Tag};
use super::tree::Tree;

/// How many localities, features and other elements a file may have beside the objects.
const MAX_RECORDS: usize = 1 << 16;
/// How many kinds of processors, and how many tiers of memory.
const MAX_KINDS: usize = 1 << 10;
/// hwloc 3's kind of distances that are counted in hops, which are latencies to hwloc 2.
const HOPS: u64 = 1 << 5;

#[derive(Debug)]
struct Matrix {
    offset: usize,
    name: Option<String>,
    kind: u64,
    by_os_index: bool,
    objects: Vec<(Type, u64)>,
    values: Vec<u64>,
}

#[derive(Debug)]
enum From {
    Any,
    Cpuset(Set),
    Object(Type, u64),
}

#[derive(Debug)]
struct Value {
    offset: usize,
    target: (Type, u64),
    from: From,
    value: u64,
}

#[derive(Debug)]
struct Attribute {
    name: String,
    flags: u32,
    values: Vec<Value>,
}

type Infos = Vec<(String, String)>;

/// All that stands beside the objects.
#[derive(Debug, Default)]
pub(super) struct Tables {
    matrices: Vec<Matrix>,
    attributes: Vec<Attribute>,
    cpu_kinds: Vec<(Set, Option<u32>, Infos)>,
    memory_tiers: Vec<(u64, Set, Infos)>,
    pci_localities: Vec<(u32, u32, u32, Set)>,
    support: Vec<String>,
    values: u64,
    records: usize,
}

impl Tables {
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
                    self.support.push(name.to_owned());
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
        let name = tag.get("name").map(str::to_owned);
        self.matrices.push(Matrix { offset: tag.offset, name, kind, by_os_index, objects, values });
        Ok(())
    }

    fn attribute(&mut self, scanner: &mut Scanner<'_>, tag: &Tag) -> Result<(), XmlError> {
        let name = tag.get("name").ok_or_else(|| scanner.missing(tag, "name"))?.to_owned();
        let flags = number_u32(scanner, tag, "flags")?.ok_or_else(|| scanner.missing(tag, "flags"))?;
        let mut values = Vec::new();
        loop {
            match scanner.next()? {
                Item::Open(child) if child.name == "memattr_value" => {
                    self.count(scanner, &child, 1)?;
                    values.push(memory_value(scanner, &child, flags)?);
                    scanner.skip()?;
                }
                Item::Open(child) if child.name == "info" => scanner.skip()?,
                Item::Open(child) => return Err(scanner.unexpected(&child)),
                Item::Text(_) => {}
                Item::Close | Item::End => break,
            }
        }
        self.attributes.push(Attribute { name, flags, values });
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
        self.cpu_kinds.push((cpuset, efficiency, infos));
        few(scanner, tag, "kinds of processors", self.cpu_kinds.len())
    }

    fn memory_tier(&mut self, scanner: &mut Scanner<'_>, tag: &Tag) -> Result<(), XmlError> {
        let nodeset = set(scanner, tag, "nodeset")?.ok_or_else(|| scanner.missing(tag, "nodeset"))?;
        let kinds = number_u64(scanner, tag, "kinds")?.unwrap_or(0);
        let infos = self.infos(scanner)?;
        self.memory_tiers.push((kinds, nodeset, infos));
        few(scanner, tag, "memory tiers", self.memory_tiers.len())
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
        self.pci_localities.push((domain, first, last, cpuset));
        scanner.skip()
    }

    /// Rule "3.0: memory tiers are also infos", of nodes and of the root. Nothing is added twice.
    pub(super) fn tell_memory_tiers(&self, tree: &mut Tree, nodes: &[usize]) {
        if self.memory_tiers.is_empty() {
            return;
        }
        let in_tier: Vec<(usize, u32)> =
            nodes.iter().filter_map(|&node| Some((node, tree.drafts[node].node.os_index?))).collect();
        let mut tell = |position: usize, name: &str, value: usize| {
            let info = (name.to_owned(), value.to_string());
            let infos = &mut tree.drafts[position].node.infos;
            if !infos.contains(&info) {
                infos.push(info);
            }
        };
        tell(0, "MemoryTiersNr", self.memory_tiers.len());
        for (node, os_index) in in_tier {
            // A node is in one tier; hwloc would say all that name it.
            let tier = self.memory_tiers.iter().position(|(_, nodeset, _)| nodeset.contains(os_index));
            if let Some(number) = tier {
                tell(node, "MemoryTier", number);
            }
        }
    }

    /// Hands all of it to the builder.
    pub(super) fn add(
        self,
        builder: &mut Builder,
        scanner: &Scanner<'_>,
        objects: &Objects,
    ) -> Result<(), XmlError> {
        for matrix in self.matrices {
            let mut ids: Vec<Option<NodeId>> = Vec::new();
            for (ty, index) in matrix.objects {
                let at = || scanner.place_of(matrix.offset);
                let named = match matrix.by_os_index {
                    true => objects.by_os_index(ty, index, at)?,
                    false => objects.by_gp_index(ty, index, at)?,
                };
                ids.push(match named {
                    Named::Object(id) => Some(id),
                    Named::Gone => None,
                });
            }
            let len = ids.len();
            let kept = |position: usize| ids[position / len].is_some() && ids[position % len].is_some();
            let values: Vec<u64> = matrix
                .values
                .iter()
                .enumerate()
                .filter(|(position, _)| kept(*position))
                .map(|(_, value)| *value)
                .collect();
            let ids: Vec<NodeId> = ids.into_iter().flatten().collect();
            if ids.len() >= 2 {
                builder.distances(matrix.name.as_deref(), matrix.kind, ids, values);
            }
        }
        for attribute in self.attributes {
            let id = builder.memory_attribute(&attribute.name, attribute.flags);
            for value in attribute.values {
                let at = || scanner.place_of(value.offset);
                let Named::Object(target) = objects.by_gp_index(value.target.0, value.target.1, at)? else {
                    continue;
                };
                let from = match value.from {
                    From::Any => None,
                    From::Cpuset(cpuset) => Some(Location::Cpuset(cpuset)),
                    From::Object(ty, index) => match objects.by_gp_index(ty, index, at)? {
                        Named::Object(object) => Some(Location::Object(object)),
                        Named::Gone => continue,
                    },
                };
                builder.memory_value(id, target, from, value.value);
            }
        }
        for (cpuset, efficiency, infos) in self.cpu_kinds {
            builder.cpu_kind(cpuset, efficiency, infos);
        }
        for (kinds, nodeset, infos) in self.memory_tiers {
            builder.memory_tier(kinds, nodeset, infos);
        }
        for (domain, first, last, cpuset) in self.pci_localities {
            builder.pci_locality(domain, first, last, cpuset);
        }
        for name in self.support {
            builder.support(name);
        }
        Ok(())
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

fn memory_value(scanner: &Scanner<'_>, tag: &Tag, flags: u32) -> Result<Value, XmlError> {
    let required = |attribute: &'static str| {
        number_u64(scanner, tag, attribute)?.ok_or_else(|| scanner.missing(tag, attribute))
    };
    let object = |ty: &'static str, index: &'static str| {
        let ty = type_of(scanner, tag, ty)?.ok_or_else(|| scanner.missing(tag, ty))?;
        Ok::<_, XmlError>((ty, required(index)?))
    };
    let target = object("target_obj_type", "target_obj_gp_index")?;
    let value = required("value")?;
    let from = if flags & MemoryAttribute::NEED_INITIATOR == 0 {
        From::Any
    } else if let Some(cpuset) = set(scanner, tag, "initiator_cpuset")? {
        From::Cpuset(cpuset)
    } else if tag.get("initiator_obj_type").is_some() {
        let (ty, index) = object("initiator_obj_type", "initiator_obj_gp_index")?;
        From::Object(ty, index)
    } else {
        return Err(scanner.missing(tag, "initiator_cpuset"));
    };
    Ok(Value { offset: tag.offset, target, from, value })
}

/// Rule "3.0: page sizes are spread": the root's list is that of each node without one of its own, with all of its
/// memory in pages of the first size.
pub(super) fn spread_page_sizes(tree: &mut Tree, nodes: &[usize]) {
    let info = |name: &str| {
        let infos = &tree.drafts[0].node.infos;
        infos.iter().find(|(found, _)| found == name).map(|(_, value)| value.clone())
    };
    let (Some(count), Some(sizes)) = (info("PageSizeNr"), info("PageSizes")) else { return };
    let count = count.trim().parse().unwrap_or(0usize).min(64);
    let sizes: Vec<u64> = sizes.split(',').take(count).filter_map(|size| page_size(size.trim())).collect();
    let Some(&first) = sizes.first() else { return };
    for &position in nodes {
        if let Attributes::Numa { local_memory, page_types } = &mut tree.drafts[position].node.attributes
            && page_types.is_empty()
        {
            let memory = *local_memory;
            let count = |size| if size == first { memory / first } else { 0 };
            *page_types = sorted(sizes.iter().map(|&size| PageType { size, count: count(size) }).collect());
        }
    }
}

fn page_size(text: &str) -> Option<u64> {
    let size = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    size.filter(|&size| size > 0)
}
