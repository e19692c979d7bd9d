//! From tags to a description: objects first, then what is said of them.

use crate::model::attributes::PageType;
use crate::model::builder::{Builder, Node, NodeId};
use crate::model::tables::Topology;
use crate::model::types::{CacheKind, ChildKind, Type};

use super::beside::Beside;
use super::drafts::Drafts;
use super::error::{LineColumn, XmlError};
use super::names::{Names, Objects};
use super::object::{self, INTEL_DIE, Reading, number_u64, sorted};
use super::scan::{Item, Scanner, Tag, quote};
use super::v1::{self, Latencies};
use super::v2::{self, Device};

/// How many objects a file may have.
const MAX_OBJECTS: usize = 1 << 20;
/// How many infos, and how many page sizes, all objects together may have.
const MAX_INFOS: usize = 1 << 22;

/// hwloc's flags for what is done here: INCLUDE_DISALLOWED and IMPORT_SUPPORT.
const FLAGS: u64 = 1 | 1 << 3;

struct Import<'x> {
    scanner: Scanner<'x>,
    major: u32,
    tree: Drafts,
    names: Names,
    /// NUMA nodes in the order of the file.
    nodes: Vec<usize>,
    infos: usize,
    latencies: Vec<Latencies>,
}

pub(super) fn import(text: &str) -> Result<Topology, XmlError> {
    let scanner = Scanner::new(text);
    scanner.check()?;
    let mut import = Import {
        scanner,
        major: 1,
        tree: Drafts { next_gp_index: 1, ..Drafts::default() },
        names: Names::default(),
        nodes: Vec::new(),
        infos: 0,
        latencies: Vec::new(),
    };
    let beside = import.document()?;
    import.finish(beside)
}

impl Import<'_> {
    fn document(&mut self) -> Result<Beside, XmlError> {
        let topology = match self.scanner.next()? {
            Item::Open(tag) => tag,
            _ => return Err(XmlError::Truncated { at: self.scanner.place(0) }),
        };
        if topology.name != "topology" && topology.name != "root" {
            let at = LineColumn { element: String::new(), ..self.scanner.place(topology.offset) };
            return Err(XmlError::NotTopology { at, found: quote(&topology.name) });
        }
        self.major = self.version(&topology)?;
        let mut beside = None;
        loop {
            match (self.scanner.next()?, &mut beside) {
                (Item::Open(tag), None) if tag.name == "object" => {
                    self.objects(tag)?;
                    beside = Some(self.grown()?);
                }
                (Item::Open(tag), None) => return Err(self.scanner.unexpected(&tag)),
                (Item::Open(tag), _) if tag.name == "object" => return Err(self.scanner.unexpected(&tag)),
                (Item::Open(tag), Some(beside)) if self.major >= 2 && tag.name == "info" => {
                    // Rule "3.0: infos of the topology" are the root's.
                    let info = self.info(&tag)?;
                    beside
                        .builder
                        .node_mut(Builder::ROOT)
                        .into_iter()
                        .for_each(|root| root.infos.extend(info.clone()));
                }
                (Item::Open(tag), Some(beside)) if self.major >= 2 => beside.read(&mut self.scanner, tag)?,
                (Item::Open(_), _) => self.scanner.skip()?,
                (Item::Text(_), _) => {}
                (Item::Close | Item::End, _) => break,
            }
        }
        let none = || XmlError::NoObject { at: self.scanner.place_of(topology.offset) };
        let beside = beside.ok_or_else(none)?;
        match self.scanner.next()? {
            Item::End => Ok(beside),
            _ => Err(XmlError::NoObject { at: self.scanner.place_of(topology.offset) }),
        }
    }

    /// The major version: 1 if none is given.
    fn version(&self, topology: &Tag) -> Result<u32, XmlError> {
        let Some(text) = topology.get("version") else { return Ok(1) };
        let (major, minor) = text.split_once('.').unwrap_or((text, "0"));
        match (major.parse::<u32>(), minor.parse::<u32>()) {
            (Ok(major @ 0..=2), Ok(_)) => Ok(major.max(1)),
            (Ok(3), Ok(0)) => Ok(3),
            _ => Err(XmlError::Version { at: self.scanner.place_of(topology.offset), found: quote(text) }),
        }
    }

    fn limit(&self, offset: usize, what: &'static str, limit: usize) -> XmlError {
        XmlError::TooMany { at: self.scanner.place_of(offset), what, limit: limit as u64 }
    }

    /// The root's tag was opened: reads it and all below, without recursion.
    fn objects(&mut self, root: Tag) -> Result<(), XmlError> {
        let mut stack: Vec<Reading> = Vec::new();
        let mut opened = Some(root);
        loop {
            if let Some(tag) = opened.take() {
                if let Some(parent) = stack.pop() {
                    stack.push(self.settle(parent, &stack)?);
                }
                if self.tree.drafts.len() + stack.len() >= MAX_OBJECTS {
                    return Err(self.limit(tag.offset, "objects", MAX_OBJECTS));
                }
                stack.push(self.reading(&tag, stack.is_empty())?);
            }
            match self.scanner.next()? {
                Item::Open(tag) if tag.name == "object" => opened = Some(tag),
                Item::Open(tag) => {
                    let Some(mut reading) = stack.pop() else { return Err(self.scanner.unexpected(&tag)) };
                    if reading.settled.is_some() {
                        return Err(self.scanner.unexpected(&tag));
                    }
                    self.detail(&mut reading, tag, stack.is_empty())?;
                    stack.push(reading);
                }
                Item::Text(_) => {}
                Item::Close | Item::End => {
                    if let Some(reading) = stack.pop() {
                        self.settle(reading, &stack)?;
                    }
                    if stack.is_empty() {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn reading(&mut self, tag: &Tag, root: bool) -> Result<Reading, XmlError> {
        let mut reading = object::read(&self.scanner, tag, root)?;
        let next = self.tree.take_gp_index();
        match reading.node.gp_index {
            Some(number) => self.tree.use_gp_index(number),
            None => reading.node.gp_index = Some(next),
        }
        self.infos += reading.node.infos.len();
        Ok(reading)
    }

    fn info(&mut self, tag: &Tag) -> Result<Option<(String, String)>, XmlError> {
        let info = tag.get("name").zip(tag.get("value"));
        let info = info.map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.infos += 1;
        if self.infos > MAX_INFOS {
            return Err(self.limit(tag.offset, "infos", MAX_INFOS));
        }
        self.scanner.close()?;
        Ok(info)
    }

    /// An element of an object that is not an object.
    fn detail(&mut self, reading: &mut Reading, tag: Tag, root: bool) -> Result<(), XmlError> {
        match tag.name.as_str() {
            "info" => {
                if let Some((name, value)) = self.info(&tag)? {
                    // Rule "1.x: old names".
                    if self.major < 2 && matches!(name.as_str(), "Type" | "CoProcType") {
                        reading.node.subtype = Some(value);
                    } else {
                        reading.node.infos.push((name, value));
                    }
                }
                Ok(())
            }
            "page_type" if reading.node.ty == Type::NumaNode || root => {
                let size = number_u64(&self.scanner, &tag, "size")?.unwrap_or(0);
                let count = number_u64(&self.scanner, &tag, "count")?.unwrap_or(0);
                self.infos += 1;
                if self.infos > MAX_INFOS {
                    return Err(self.limit(tag.offset, "page sizes", MAX_INFOS));
                }
                reading.page_types.push(PageType { size, count });
                self.scanner.skip()
            }
            "userdata" => self.scanner.skip(),
            "distances" if self.major < 2 => {
                let latencies = v1::distances(&mut self.scanner, &tag)?;
                self.latencies.extend(latencies.filter(|_| root));
                Ok(())
            }
            _ => Err(self.scanner.unexpected(&tag)),
        }
    }

    fn misplaced(&self, reading: &Reading, parent: Type) -> XmlError {
        let (at, child) = (self.scanner.place_of(reading.offset), reading.node.ty);
        XmlError::Misplaced { at, child, parent }
    }

    fn sets(&self, reading: &Reading, rule: &'static str) -> XmlError {
        XmlError::Sets { at: self.scanner.place_of(reading.offset), ty: reading.node.ty, rule }
    }

    /// Puts an object into the tree, once all but its children is known.
    fn settle(&mut self, mut reading: Reading, above: &[Reading]) -> Result<Reading, XmlError> {
        if reading.settled.is_some() {
            return Ok(reading);
        }
        let mut parent = above.last().and_then(|reading| reading.settled);
        if parent.is_some() && reading.node.ty == Type::Machine {
            reading.node.ty = Type::Group;
        }
        if parent.is_none()
            && reading.node.ty != Type::Machine
            && !(self.major < 2 && reading.node.ty == Type::NumaNode)
        {
            return Err(self.misplaced(&reading, Type::Machine));
        }
        if let Some(above) = parent {
            self.may_be_below(&reading, self.tree.drafts[above].node.ty)?;
        }
        let mut ignored = false;
        if self.major < 2 {
            parent = self.settle_v1(&mut reading, parent, &mut ignored)?;
        }
        if reading.node.ty == Type::Group
            && (reading.group.kind == INTEL_DIE || reading.node.subtype.as_deref() == Some("Die"))
        {
            reading.node.ty = Type::Die;
        }
        self.consistent(&reading, parent, ignored)?;
        if reading.node.ty == Type::OsDevice {
            reading.os_device = self.device_kinds(&mut reading);
        }
        if ignored {
            reading.settled = parent;
            return Ok(reading);
        }
        let (ty, offset) = (reading.node.ty, reading.offset);
        if parent.is_none() {
            self.tree.allowed_cpuset = reading.allowed_cpuset.take();
            self.tree.allowed_nodeset = reading.allowed_nodeset.take();
            self.tree.machine_memory =
                (reading.local_memory, sorted(core::mem::take(&mut reading.page_types)));
        }
        reading.page_types = sorted(core::mem::take(&mut reading.page_types));
        reading.node.attributes = reading.attributes();
        let node = core::mem::replace(&mut reading.node, Node::new(ty));
        let (gp_index, os_index) = (node.gp_index, node.os_index);
        let position = self.tree.push(node, parent, offset);
        reading.settled = Some(position);
        if let Some(value) = gp_index
            && self.names.by_gp_index.insert(value, (ty, position)).is_some()
        {
            let at = self.scanner.place_of(offset);
            return Err(XmlError::Duplicate { at, attribute: "gp_index", value });
        }
        if let (Type::Pu | Type::NumaNode, Some(value)) = (ty, os_index)
            && self.names.by_os_index.insert((ty, value), position).is_some()
        {
            let (at, value) = (self.scanner.place_of(offset), value.into());
            return Err(XmlError::Duplicate { at, attribute: "os_index", value });
        }
        if ty == Type::NumaNode {
            self.nodes.push(position);
        }
        Ok(reading)
    }

    fn may_be_below(&self, reading: &Reading, parent: Type) -> Result<(), XmlError> {
        let kind = reading.node.ty.child_kind();
        // Rule "1.x: memory was a parent": what is below it goes to its parent.
        let memory_was_parent = self.major < 2 && parent == Type::NumaNode;
        let memory_was_normal = self.major < 2 && kind == ChildKind::Memory;
        let fits = match kind {
            _ if parent == Type::Misc => kind == ChildKind::Misc,
            _ if memory_was_parent => true,
            _ if memory_was_normal => parent.is_normal(),
            _ => parent.may_hold(kind),
        };
        if fits { Ok(()) } else { Err(self.misplaced(reading, parent)) }
    }

    /// Format 1.x: the parent, after what has to change was changed.
    fn settle_v1(
        &mut self,
        reading: &mut Reading,
        mut parent: Option<usize>,
        ignored: &mut bool,
    ) -> Result<Option<usize>, XmlError> {
        if let Some(above) = parent.filter(|&above| self.tree.drafts[above].node.ty == Type::NumaNode) {
            parent = self.tree.drafts[above].parent;
        }
        let ty = reading.node.ty;
        if ty == Type::NumaNode {
            parent = Some(match parent {
                Some(parent) => v1::memory_parent(&mut self.tree, reading, parent),
                None => self.machine_above(reading),
            });
        }
        if reading.old_cache {
            let ty = Type::cache(reading.cache.level, reading.cache.kind);
            let level = reading.cache.level;
            let at = || self.scanner.place_of(reading.offset);
            reading.node.ty = ty.ok_or_else(|| XmlError::CacheType { at: at(), ty: Type::L1Cache, level })?;
            reading.old_cache = false;
        }
        if ty == Type::Misc && reading.node.cpuset.is_some() {
            reading.node.ty = Type::Group;
        }
        let node = &reading.node;
        let rule = if node.cpuset.is_some() != node.complete_cpuset.is_some() {
            "cpuset and complete_cpuset must both be there or not"
        } else if node.nodeset.is_some() != node.complete_nodeset.is_some() {
            "nodeset and complete_nodeset must both be there or not"
        } else if node.nodeset.is_some() && node.cpuset.is_none() {
            "there is a nodeset, but no cpuset"
        } else {
            return Ok(parent);
        };
        *ignored = node.ty == Type::Group && parent.is_some();
        if *ignored { Ok(parent) } else { Err(self.sets(reading, rule)) }
    }

    /// The outermost object is a NUMA node: it gets a machine above it.
    fn machine_above(&mut self, reading: &mut Reading) -> usize {
        let mut machine = Node::new(Type::Machine).os_index(0);
        machine.cpuset = reading.node.cpuset.clone();
        machine.complete_cpuset = reading.node.cpuset.clone();
        machine.nodeset = reading.node.nodeset.clone();
        machine.complete_nodeset = reading.node.complete_nodeset.clone();
        machine.infos = reading.node.infos.clone();
        machine.gp_index = Some(self.tree.take_gp_index());
        self.tree.allowed_cpuset = reading.allowed_cpuset.take();
        self.tree.allowed_nodeset = reading.allowed_nodeset.take();
        self.tree.push(machine, None, reading.offset)
    }

    /// Sets and attributes are those of the type.
    fn consistent(&self, reading: &Reading, parent: Option<usize>, ignored: bool) -> Result<(), XmlError> {
        let node = &reading.node;
        let (ty, cache) = (node.ty, &reading.cache);
        let data =
            if cache.kind == CacheKind::Instruction { CacheKind::Instruction } else { CacheKind::Data };
        if ty.is_cache() && Type::cache(cache.level, data) != Some(ty) {
            let at = self.scanner.place_of(reading.offset);
            return Err(XmlError::CacheType { at, ty, level: cache.level });
        }
        if ignored {
            return Ok(());
        }
        let sets = [&node.cpuset, &node.complete_cpuset, &node.nodeset, &node.complete_nodeset];
        if ty.has_sets() {
            let needed = if self.major < 2 && ty != Type::NumaNode { 2 } else { 4 };
            if sets[..needed].iter().any(|set| set.is_none()) {
                return Err(
                    self.sets(reading, "cpuset, complete_cpuset, nodeset or complete_nodeset is missing")
                );
            }
        } else if node.cpuset.is_some() {
            return Err(self.sets(reading, "objects of this type have no cpuset"));
        }
        if let Some(parent) = parent.map(|parent| &self.tree.drafts[parent].node)
            && node.nodeset.is_some()
            && parent.nodeset.is_none()
        {
            return Err(self.sets(reading, "there is a nodeset, but the parent has none"));
        }
        if matches!(ty, Type::Pu | Type::NumaNode) && node.os_index.is_none() {
            let at = self.scanner.place_of(reading.offset);
            return Err(XmlError::MissingAttribute { at, attribute: "os_index" });
        }
        Ok(())
    }

    /// Rules "2.x: OS devices had one type" and "3.0: devices say their backend".
    fn device_kinds(&self, reading: &mut Reading) -> u64 {
        let node = &mut reading.node;
        if self.major >= 3 {
            let backend = node.subtype.as_deref().and_then(v2::backend);
            if let Some(backend) = backend.filter(|_| !node.infos.iter().any(|(name, _)| name == "Backend")) {
                node.infos.push(("Backend".to_owned(), backend.to_owned()));
            }
            return reading.os_device;
        }
        let info =
            |name: &str| node.infos.iter().find(|(found, _)| found == name).map(|(_, value)| value.clone());
        let device = Device {
            name: node.name.as_deref().unwrap_or(""),
            subtype: node.subtype.as_deref().unwrap_or(""),
            info: &info,
        };
        reading.os_device_kinds.unwrap_or_else(|| v2::kinds_of_type(reading.os_device, &device))
    }

    /// All objects were read: they go to a builder.
    fn grown(&mut self) -> Result<Beside, XmlError> {
        if self.major < 2 {
            v1::number_groups(&mut self.tree);
        }
        if self.tree.drafts[0].node.cpuset.is_none() {
            let at = self.scanner.place_of(self.tree.drafts[0].offset);
            return Err(XmlError::Sets { at, ty: Type::Machine, rule: "the root has no cpuset" });
        }
        self.tree
            .finish()
            .map_err(|error| self.limit(error.offset, "runs of sets copied to objects", error.limit))?;
        let (builder, ids) = core::mem::take(&mut self.tree).build();
        Ok(Beside::new(builder, Objects { names: core::mem::take(&mut self.names), ids }))
    }

    fn finish(self, mut beside: Beside) -> Result<Topology, XmlError> {
        let nodes: Vec<NodeId> = self.nodes.iter().filter_map(|&node| beside.objects.ids[node]).collect();
        if self.major >= 3 {
            beside.spread_page_sizes(&nodes);
        }
        beside.tell_memory_tiers(&nodes);
        let mut builder = beside.builder;
        if nodes.len() == self.nodes.len() {
            v1::add_distances(&mut builder, self.latencies, &nodes);
        }
        builder.flags(FLAGS);
        builder.keep_structure()?;
        Ok(builder.build()?)
    }
}
