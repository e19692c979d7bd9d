//! From a topology to format 2.0.

use std::collections::BTreeSet;
use std::io::{self, Write};

use crate::model::attributes::Pci;
use crate::model::facts::MemoryAttribute;
use crate::model::handle::ObjectRef;
use crate::model::hwloc2::os_device_type;
use crate::model::memattrs::{Initiator, InitiatorRef};
use crate::model::read::Topo;
use crate::model::set::{Bits, END, MASK_WORDS};
use crate::model::set_ref::SetRef;
use crate::model::types::{ChildKind, Type};

use super::scan::is_no_xml;
use super::v2::{Device, kinds_of_type};

/// How many numbers a line of distances has, as hwloc writes them.
const PER_LINE: usize = 10;
/// How far lines are indented at most.
const MAX_INDENT: usize = 64;

pub(super) fn export<T: Topo>(topology: &T, out: &mut impl Write) -> io::Result<()> {
    out.write_all(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")?;
    out.write_all(b"<!DOCTYPE topology SYSTEM \"hwloc2.dtd\">\n<topology version=\"2.0\">\n")?;
    objects(topology, out)?;
    distances(topology, out)?;
    // In order as they are written, so that who imports them writes them so again.
    let support: BTreeSet<String> = topology.support().map(|name| name.replace(is_no_xml, "")).collect();
    for name in support {
        Element::open(out, 1, "support")?.text("name", &name)?.close()?;
    }
    memory_attributes(topology, out)?;
    for kind in topology.cpu_kinds() {
        let mut element = Element::open(out, 1, "cpukind")?;
        element = element.set("cpuset", kind.cpuset())?;
        if let Some(efficiency) = kind.forced_efficiency() {
            element = element.number("forced_efficiency", efficiency)?;
        }
        element.parent()?;
        infos(kind.infos(), 2, out)?;
        end(out, 1, "cpukind")?;
    }
    // From here on hwloc 2.9 reads no further.
    for tier in topology.memory_tiers() {
        let element = Element::open(out, 1, "memtier")?.number("kinds", tier.kinds())?;
        element.set("nodeset", tier.nodeset())?.parent()?;
        infos(tier.infos(), 2, out)?;
        end(out, 1, "memtier")?;
    }
    for locality in topology.pci_localities() {
        let (first, last) = locality.buses();
        Element::open(out, 1, "pci_locality")?
            .raw("domain", format_args!("{:#x}", locality.domain()))?
            .raw("bus_min", format_args!("{first:#x}"))?
            .raw("bus_max", format_args!("{last:#x}"))?
            .set("cpuset", locality.cpuset())?
            .close()?;
    }
    out.write_all(b"</topology>\n")
}

/// A tag that is being written.
struct Element<'o, W> {
    out: &'o mut W,
}

impl<'o, W: Write> Element<'o, W> {
    fn open(out: &'o mut W, depth: usize, name: &str) -> io::Result<Self> {
        write!(out, "{:indent$}<{name}", "", indent = depth.min(MAX_INDENT) * 2)?;
        Ok(Self { out })
    }

    /// An attribute whose value needs no escaping.
    fn raw(self, name: &str, value: impl core::fmt::Display) -> io::Result<Self> {
        write!(self.out, " {name}=\"{value}\"")?;
        Ok(self)
    }

    fn number(self, name: &str, value: impl Into<u64>) -> io::Result<Self> {
        self.raw(name, value.into())
    }

    fn set<T: Topo>(self, name: &str, set: Option<SetRef<'_, T>>) -> io::Result<Self> {
        let Some(set) = set else { return Ok(self) };
        let edges = set.runs().flat_map(|run| [run.start, run.end]);
        if edges.filter(|&edge| edge != END).any(|edge| edge / 32 >= MASK_WORDS as u32) {
            let message = format!("{name} has members that hwloc's form of sets would need gigabytes for");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        self.raw(name, set.mask())
    }

    fn text(self, name: &str, value: &str) -> io::Result<Self> {
        write!(self.out, " {name}=\"")?;
        let mut rest = value;
        while let Some(position) = rest.find(needs_escape) {
            self.out.write_all(&rest.as_bytes()[..position])?;
            let mut more = rest[position..].chars();
            match more.next() {
                Some('&') => self.out.write_all(b"&amp;")?,
                Some('<') => self.out.write_all(b"&lt;")?,
                Some('>') => self.out.write_all(b"&gt;")?,
                Some('"') => self.out.write_all(b"&quot;")?,
                Some('\n') => self.out.write_all(b"&#10;")?,
                Some('\r') => self.out.write_all(b"&#13;")?,
                Some('\t') => self.out.write_all(b"&#9;")?,
                // `is_no_xml`.
                _ => {}
            }
            rest = more.as_str();
        }
        self.out.write_all(rest.as_bytes())?;
        self.out.write_all(b"\"")?;
        Ok(self)
    }

    fn maybe_text(self, name: &str, value: Option<&str>) -> io::Result<Self> {
        match value {
            Some(value) => self.text(name, value),
            None => Ok(self),
        }
    }

    /// Ends the tag of an element that has no content.
    fn close(self) -> io::Result<()> {
        self.out.write_all(b"/>\n")
    }

    /// Ends the tag of an element that has content.
    fn parent(self) -> io::Result<()> {
        self.out.write_all(b">\n")
    }
}

fn needs_escape(c: char) -> bool {
    matches!(c, '&' | '<' | '>' | '"' | '\n' | '\r' | '\t') || is_no_xml(c)
}

fn end(out: &mut impl Write, depth: usize, name: &str) -> io::Result<()> {
    writeln!(out, "{:indent$}</{name}>", "", indent = depth.min(MAX_INDENT) * 2)
}

fn infos<'a>(
    infos: impl Iterator<Item = (&'a str, &'a str)>,
    depth: usize,
    out: &mut impl Write,
) -> io::Result<()> {
    for (name, value) in infos {
        Element::open(out, depth, "info")?.text("name", name)?.text("value", value)?.close()?;
    }
    Ok(())
}

/// The order in which hwloc 2 writes children.
const ORDER: [ChildKind; 4] = [ChildKind::Memory, ChildKind::Normal, ChildKind::Io, ChildKind::Misc];

fn objects<T: Topo>(topology: &T, out: &mut impl Write) -> io::Result<()> {
    // An explicit stack: an object to write, or the end of one.
    let mut stack = vec![(1usize, topology.root(), false)];
    while let Some((depth, object, done)) = stack.pop() {
        if done {
            end(out, depth, "object")?;
            continue;
        }
        let details = has_details(&object);
        let element = tag(&object, Element::open(out, depth, "object")?)?;
        let leaf = ORDER.iter().all(|&kind| object.arity(kind) == 0);
        if leaf && !details {
            element.close()?;
            continue;
        }
        element.parent()?;
        detail(&object, depth + 1, out)?;
        stack.push((depth, object, true));
        for kind in ORDER.into_iter().rev() {
            stack.extend(object.children(kind).rev().map(|child| (depth + 1, child, false)));
        }
    }
    Ok(())
}

fn has_details<T: Topo>(object: &ObjectRef<'_, T>) -> bool {
    object.infos().next().is_some()
        || object.page_types().next().is_some()
        || object.parent().is_none() && object.topology().infos().next().is_some()
}

fn detail<T: Topo>(object: &ObjectRef<'_, T>, depth: usize, out: &mut impl Write) -> io::Result<()> {
    for pages in object.page_types() {
        Element::open(out, depth, "page_type")?
            .number("size", pages.size)?
            .number("count", pages.count)?
            .close()?;
    }
    infos(object.infos(), depth, out)?;
    if object.parent().is_none() {
        infos(object.topology().infos(), depth, out)?;
    }
    Ok(())
}

fn tag<'o, T: Topo, W: Write>(
    object: &ObjectRef<'_, T>,
    mut element: Element<'o, W>,
) -> io::Result<Element<'o, W>> {
    let root = object.parent().is_none();
    element = element.raw("type", object.ty().name())?;
    if let Some(os_index) = object.os_index() {
        element = element.number("os_index", os_index)?;
    }
    element = element.set("cpuset", object.cpuset())?.set("complete_cpuset", object.complete_cpuset())?;
    if root {
        element = element.set("allowed_cpuset", object.topology().allowed_cpuset())?;
    }
    element = element.set("nodeset", object.nodeset())?.set("complete_nodeset", object.complete_nodeset())?;
    if root {
        element = element.set("allowed_nodeset", object.topology().allowed_nodeset())?;
    }
    element = element.number("gp_index", object.gp_index())?;
    element = element.maybe_text("name", object.name())?.maybe_text("subtype", object.subtype())?;
    if let Some(memory) = object.local_memory().filter(|&memory| memory > 0) {
        element = element.number("local_memory", memory)?;
    }
    if let Some(cache) = object.cache() {
        element = element
            .number("cache_size", cache.size)?
            .number("depth", cache.level)?
            .number("cache_linesize", cache.line_size)?
            .raw("cache_associativity", cache.associativity)?
            .raw("cache_type", cache.kind as u32)?;
    }
    if let Some(group) = object.group() {
        element = element.number("kind", group.kind)?.number("subkind", group.subkind)?;
        if group.dont_merge {
            element = element.raw("dont_merge", 1)?;
        }
    }
    if let Some(bridge) = object.bridge() {
        element = element.raw("bridge_type", if bridge.host { "0-1" } else { "1-1" })?;
        element = element.number("depth", bridge.depth)?;
        let (first, last) = (bridge.secondary_bus, bridge.subordinate_bus);
        element =
            element.raw("bridge_pci", format_args!("{:04x}:[{first:02x}-{last:02x}]", bridge.domain))?;
        if !bridge.host {
            element = pci(&bridge.upstream, element)?;
        }
    }
    if let Some(device) = object.pci() {
        element = pci(&device, element)?;
    }
    os_device(object, element)
}

fn pci<'o, W: Write>(pci: &Pci, element: Element<'o, W>) -> io::Result<Element<'o, W>> {
    let Pci { domain, bus, dev, func, class, vendor, device, subvendor, subdevice, revision, .. } = *pci;
    let numbers =
        format!("{class:04x} [{vendor:04x}:{device:04x}] [{subvendor:04x}:{subdevice:04x}] {revision:02x}");
    let element = element.raw("pci_busid", format_args!("{domain:04x}:{bus:02x}:{dev:02x}.{func:01x}"))?;
    let element = match pci.prog_if {
        0 => element.raw("pci_type", numbers)?,
        // hwloc 3 writes it so; hwloc 2 reads what it knows.
        prog_if => element.raw("pci_type", format_args!("{numbers} {prog_if:02x}"))?,
    };
    // The shortest form that is read as the same number, with six decimals at least.
    let shortest = pci.link_speed().to_string();
    let decimals = shortest.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let zeros = "000000".get(decimals..).unwrap_or("");
    let point = if decimals == 0 { "." } else { "" };
    element.raw("pci_link_speed", format_args!("{shortest}{point}{zeros}"))
}

fn os_device<'o, T: Topo, W: Write>(
    object: &ObjectRef<'_, T>,
    element: Element<'o, W>,
) -> io::Result<Element<'o, W>> {
    let Some(device) = object.os_device() else { return Ok(element) };
    let ty = os_device_type(object);
    let element = match ty {
        Some(ty) => element.number("osdev_type", ty)?,
        // What hwloc 2 writes for "none".
        None => element.raw("osdev_type", u32::MAX)?,
    };
    let info = |name: &str| object.info(name).map(str::to_owned);
    let told =
        Device { name: object.name().unwrap_or(""), subtype: object.subtype().unwrap_or(""), info: &info };
    match kinds_of_type(ty.unwrap_or(u64::MAX), &told) == device.kinds {
        true => Ok(element),
        // An attribute of ours, which hwloc reads over.
        false => element.number("osdev_kinds", device.kinds),
    }
}

fn distances<T: Topo>(topology: &T, out: &mut impl Write) -> io::Result<()> {
    for distances in topology.distances() {
        let ty = distances.object_type();
        let tag = if ty.is_some() { "distances2" } else { "distances2hetero" };
        let numbered = matches!(ty, Some(Type::Pu | Type::NumaNode));
        let mut element = Element::open(out, 1, tag)?;
        if let Some(ty) = ty {
            element = element.raw("type", ty.name())?;
        }
        element = element.number("nbobjs", distances.len())?.number("kind", distances.kind())?;
        element = element.maybe_text("name", distances.name())?;
        if ty.is_some() {
            element = element.raw("indexing", if numbered { "os" } else { "gp" })?;
        }
        element.parent()?;
        let index = |object: ObjectRef<'_, T>| match (ty, object.os_index()) {
            (Some(_), Some(os_index)) if numbered => os_index.to_string(),
            (Some(_), _) => object.gp_index().to_string(),
            (None, _) => format!("{}:{}", object.ty(), object.gp_index()),
        };
        lines(out, "indexes", distances.objects().map(index))?;
        lines(out, "u64values", distances.values().map(|value| value.to_string()))?;
        end(out, 1, tag)?;
    }
    Ok(())
}

/// Words, ten in an element that says how long they are.
fn lines(out: &mut impl Write, name: &str, words: impl Iterator<Item = String>) -> io::Result<()> {
    let mut words = words.peekable();
    while words.peek().is_some() {
        let mut line = String::new();
        for word in words.by_ref().take(PER_LINE) {
            line += &word;
            line.push(' ');
        }
        writeln!(out, "    <{name} length=\"{}\">{line}</{name}>", line.len())?;
    }
    Ok(())
}

fn memory_attributes<T: Topo>(topology: &T, out: &mut impl Write) -> io::Result<()> {
    for attribute in topology.memory_attributes() {
        let default = (attribute.id() as usize) < MemoryAttribute::DEFAULT.len();
        let empty = attribute.targets(Initiator::Any).next().is_none();
        if MemoryAttribute::is_computed(attribute.id()) || default && empty {
            continue;
        }
        let element = Element::open(out, 1, "memattr")?.text("name", attribute.name())?;
        element.number("flags", attribute.flags())?.parent()?;
        for (target, value) in attribute.targets(Initiator::Any) {
            let mut put = |value: u64, from: Option<InitiatorRef<'_, T>>| {
                let element = Element::open(out, 2, "memattr_value")?
                    .raw("target_obj_type", target.ty().name())?
                    .number("target_obj_gp_index", target.gp_index())?
                    .number("value", value)?;
                match from {
                    None => element.close(),
                    Some(InitiatorRef::Cpuset(cpuset)) => {
                        element.set("initiator_cpuset", Some(cpuset))?.close()
                    }
                    Some(InitiatorRef::Object(object)) => element
                        .number("initiator_obj_gp_index", object.gp_index())?
                        .raw("initiator_obj_type", object.ty().name())?
                        .close(),
                }
            };
            match value {
                Some(value) => put(value, None)?,
                None => {
                    for (from, value) in attribute.initiators(&target) {
                        put(value, Some(from))?;
                    }
                }
            }
        }
        end(out, 1, "memattr")?;
    }
    Ok(())
}
