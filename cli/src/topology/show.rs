//! `graven topology write`, `show` and `xml`: from machines and XML to segments, and back to texts.

use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::path::Path;

use graven::{Adopted, Segment};
use graven_topology::{Detector, Topo, Topology, Type, records, render, synthetic, xml};

use crate::Failure;
use crate::source;
use crate::text::{count, is_printable, json_line, label, printable, size};

/// Where `graven topology write` has the topology from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin<'a> {
    /// The machine that it runs on.
    Machine,
    /// A file of hwloc's XML; `-` is standard input.
    Xml(&'a Path),
    /// One of hwloc's synthetic descriptions, such as `package:2 core:4 pu:2`.
    Synthetic(&'a str),
}

/// Writes a topology as the root of a segment at `path`, atomically.
///
/// # Errors
/// [`Failure::Cause`]: the machine does not describe itself, the XML or the description is none of a topology,
/// or as [`graven::write`].
pub fn write(origin: Origin<'_>, path: &Path, out: &mut dyn Write) -> Result<(), Failure> {
    let topology = match origin {
        Origin::Machine => Detector::new().detect().map_err(Failure::new)?,
        Origin::Xml(file) => import(file).map_err(|failure| failure.of_file(file))?,
        Origin::Synthetic(description) => synthetic(description)
            .map_err(|error| Failure::new(format!("{}: {error}", label(description))))?,
    };
    let summary = graven::write(path, &topology)?;
    let path = path.to_string_lossy();
    writeln!(out, "{}: {}; {}", printable(&path), summarize(&topology), size(summary.length))?;
    Ok(())
}

fn import(file: &Path) -> Result<Topology, Failure> {
    if file == Path::new("-") {
        return xml::read(io::stdin().lock()).map_err(Failure::new);
    }
    xml::read(source::regular(file)?).map_err(Failure::new)
}

/// The topology that is the root of the segment at `path`, checked.
///
/// # Errors
/// [`Failure::Cause`]: no segment, no topology, or one that breaks the rules of topologies.
pub fn load(path: &Path) -> Result<Adopted<Topology>, Failure> {
    adopt(&Segment::read(path)?).map_err(|failure| failure.of_file(path))
}

/// The same for a segment that is there already.
///
/// # Errors
/// As [`load`].
pub fn adopt(segment: &Segment) -> Result<Adopted<Topology>, Failure> {
    let topology = segment.root::<Topology>()?;
    topology.check().map_err(Failure::new)?;
    Ok(topology)
}

/// Prints a topology: a tree, or the objects of one type.
///
/// # Errors
/// [`Failure::Output`].
pub fn show<T: Topo>(topology: &T, ty: Option<Type>, out: &mut dyn Write) -> Result<(), Failure> {
    print(topology, ty, usize::MAX, out)
}

/// Prints a topology as JSON, a record on a line: see [`records`]. With a type, only the objects of that.
///
/// # Errors
/// [`Failure::Output`].
pub fn show_records<T: Topo>(topology: &T, ty: Option<Type>, out: &mut dyn Write) -> Result<(), Failure> {
    for record in records(topology) {
        if ty.is_none_or(|ty| record["rec"] == "obj" && record["type"] == ty.name()) {
            json_line(out, &record)?;
        }
    }
    Ok(())
}

/// Prints a topology as XML in hwloc's format 2.0, with characters that do not print as references to them.
///
/// # Errors
/// [`Failure::Cause`]: it has sets that this format cannot hold. [`Failure::Output`].
pub fn export<T: Topo>(topology: &T, out: &mut dyn Write) -> Result<(), Failure> {
    let mut references = References { out, failed: None };
    match (xml::write(topology, &mut references), references.failed) {
        (Ok(()), _) => Ok(()),
        (Err(_), Some(error)) => Err(error.into()),
        (Err(error), None) => Err(Failure::new(error)),
    }
}

/// Passes XML on, with references in place of characters that do not print.
struct References<'a> {
    out: &'a mut dyn Write,
    failed: Option<io::Error>,
}

impl Write for References<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // What is written is text, in pieces that are text too.
        let text = str::from_utf8(bytes).map_err(io::Error::other)?;
        let pass = |out: &mut dyn Write| {
            text.split_inclusive(|c| !is_printable(c) && c != '\n').try_for_each(|piece| {
                match piece.chars().next_back().filter(|&c| !is_printable(c) && c != '\n') {
                    Some(c) => write!(out, "{}&#{};", &piece[..piece.len() - c.len_utf8()], u32::from(c)),
                    None => out.write_all(piece.as_bytes()),
                }
            })
        };
        match pass(self.out) {
            Ok(()) => Ok(bytes.len()),
            Err(error) => {
                self.failed = Some(error);
                Err(io::ErrorKind::Other.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Prints a topology, at most so many lines of it.
pub(crate) fn print<T: Topo>(
    topology: &T,
    ty: Option<Type>,
    lines: usize,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let mut lines = Lines { out, left: lines, failed: None };
    let rendered = match ty {
        Some(ty) => write!(lines, "{}", render(topology).only(ty)),
        None => write!(lines, "{}", render(topology)),
    };
    match (rendered, lines.failed) {
        (_, Some(error)) => Err(error.into()),
        // Stopped by the limit on lines, of which each is one object.
        (Err(fmt::Error), None) => Ok(()),
        (Ok(()), None) => Ok(()),
    }
}

/// `2 Package, 16 Core, 32 PU, 2 NUMANode, 62 GiB`.
pub(crate) fn summarize<T: Topo>(topology: &T) -> String {
    let types = [Type::Package, Type::Core, Type::Pu, Type::NumaNode];
    let counts = types.map(|ty| (u64::from(topology.count(ty)), ty.name()));
    let mut parts: Vec<String> =
        counts.iter().filter(|(number, _)| *number > 0).map(|(number, name)| count(*number, name)).collect();
    parts.push(count(topology.object_count().into(), "object"));
    match topology.root().total_memory() {
        0 => {}
        memory => parts.push(size(memory)),
    }
    parts.join(", ")
}

/// Passes lines on, made harmless for a terminal, until there were enough.
struct Lines<'a> {
    out: &'a mut dyn Write,
    left: usize,
    failed: Option<io::Error>,
}

impl fmt::Write for Lines<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.split_inclusive('\n') {
            if self.left == 0 {
                return Err(fmt::Error);
            }
            let (line, end) = match part.strip_suffix('\n') {
                Some(line) => (line, "\n"),
                None => (part, ""),
            };
            if let Err(error) = write!(self.out, "{}{end}", printable(line)) {
                self.failed = Some(error);
                return Err(fmt::Error);
            }
            self.left -= end.len();
        }
        Ok(())
    }
}
