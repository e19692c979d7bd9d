//! hwloc XML: formats 1.x, 2.x and 3.0 are read, 2.0 is written.
//!
//! What is read is what `hwloc_topology_load` of hwloc 2.14 makes of the same file with all types kept (groups:
//! those that add structure) and disallowed resources included. Where the result is not what the file says, a rule
//! of that loader is behind it; each has its name in the code that applies it and a test of that name:
//!
//! | rule | what it does |
//! |---|---|
//! | sets are fixed | nodesets of normal objects follow from where memory is attached; each set is cut to the parent's; memory has its parent's cpusets |
//! | empty objects go | normal objects without processors, and memory without nodes, unless something is attached |
//! | structure is kept | [`Builder::keep_structure`](crate::Builder::keep_structure): groups that add none go, dies that are their packages too |
//! | a machine has memory | without any NUMA node, one is added for the whole machine |
//! | 1.x: memory was a parent | a NUMA node becomes a memory child, of its parent or of a group with its cpuset; its children go to that |
//! | 1.x: old names | System, Socket, Cache, Misc with a cpuset, infos Type and CoProcType |
//! | 1.x: distances | of the root only, if there are as many objects as NUMA nodes; scaled by 1000 unless integers |
//! | 2.x: dies were groups | of kind 104 or subtype Die |
//! | 2.x: OS devices had one type | which hwloc 3 split into kinds |
//! | 3.0: infos of the topology | are the root's, as they were before 3.0; memory tiers are also infos, devices say their backend, page sizes are spread |
//!
//! Userdata is not kept. Attributes that are not known are ignored, as hwloc does; elements that are not known are
//! errors inside of objects and ignored beside them.
//!
//! A file is never trusted: no DTD is read and no entity expanded, elements nest to 512 at most, and a file may
//! have 256 MiB and a million objects. Memory is bounded by a multiple of the file's length, and nothing recurses.

mod beside;
mod drafts;
mod error;
mod export;
mod import;
mod names;
mod object;
mod scan;
mod v1;
mod v2;

pub use error::{LineColumn, XmlError};

use std::io;

use crate::model::read::Topo;
use crate::model::tables::Topology;

/// How long a file may be.
const MAX_BYTES: u64 = 256 << 20;

/// Reads a topology from the text of an XML file.
///
/// ```
/// use graven_topology::{Topo, xml};
///
/// let topology = xml::parse(
///     r#"<topology version="2.0">
///         <object type="Machine" os_index="0" cpuset="0x1" complete_cpuset="0x1" nodeset="0x1" complete_nodeset="0x1">
///           <object type="NUMANode" os_index="0" cpuset="0x1" complete_cpuset="0x1" nodeset="0x1" complete_nodeset="0x1"/>
///           <object type="PU" os_index="0" cpuset="0x1" complete_cpuset="0x1" nodeset="0x1" complete_nodeset="0x1"/>
///         </object>
///       </topology>"#,
/// )?;
/// assert_eq!(topology.pu(0).unwrap().nodeset().unwrap().to_string(), "0");
/// let error = xml::parse("<topology version=\"2.0\">\n  <object type=\"Core").unwrap_err();
/// assert_eq!(error.to_string(), "line 2, column 21 in <topology>: the text ends here, cut off");
/// # Ok::<(), xml::XmlError>(())
/// ```
///
/// # Errors
/// The first thing that is wrong, with its place: see [`XmlError`].
pub fn parse(text: &str) -> Result<Topology, XmlError> {
    import::import(text)
}

/// Reads a topology from an XML file of up to 256 MiB, to its end.
///
/// # Errors
/// [`XmlError::Io`], [`XmlError::NotUtf8`], and those of [`parse`].
pub fn read(mut reader: impl io::Read) -> Result<Topology, XmlError> {
    let mut bytes = Vec::new();
    let mut limited = io::Read::take(&mut reader, MAX_BYTES + 1);
    io::Read::read_to_end(&mut limited, &mut bytes).map_err(|source| XmlError::Io { source })?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(XmlError::TooMany { at: LineColumn::default(), what: "bytes", limit: MAX_BYTES });
    }
    match core::str::from_utf8(&bytes) {
        Ok(text) => parse(text),
        Err(error) => Err(XmlError::NotUtf8 { offset: error.valid_up_to() as u64 }),
    }
}

/// Writes a topology as XML of format 2.0, which hwloc reads from 2.0 on.
///
/// Reading it again gives an equal topology, but for characters that XML cannot hold, flags and filters. What format
/// 2.0 has no place for (memory tiers, PCI localities, kinds of OS devices that 2.x cannot tell apart) is
/// written so that hwloc 2 reads over it. Infos of the topology itself become the root's.
///
/// # Errors
/// Those of `out`, and `InvalidInput` if a set has members of 2^25 or more, which no machine has and which take hwloc's
/// form of sets too long to write.
pub fn write<T: Topo>(topology: &T, mut out: impl io::Write) -> io::Result<()> {
    export::export(topology, &mut out)
}

/// The same as text.
///
/// # Errors
/// `InvalidInput` as of [`write()`].
pub fn to_string<T: Topo>(topology: &T) -> io::Result<String> {
    let mut bytes = Vec::new();
    write(topology, &mut bytes)?;
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}
