//! `graven topology write` and `graven topology show`.

use std::fmt::{self, Write as _};
use std::io::Write;
use std::path::Path;

use graven::Segment;
use graven_topology::{Detector, Topo, Topology, Type, render};

use crate::Failure;
use crate::text::{count, printable, size};

/// Detects this machine's topology and writes it as the root of a segment at `path`, atomically.
///
/// # Errors
/// [`Failure::Cause`]: the machine does not describe itself, or as [`graven::write`].
pub fn write(path: &Path, out: &mut dyn Write) -> Result<(), Failure> {
    let topology = Detector::new().detect().map_err(Failure::new)?;
    let summary = graven::write(path, &topology)?;
    let path = path.to_string_lossy();
    writeln!(out, "{}: {}; {}", printable(&path), summarize(&topology), size(summary.length))?;
    Ok(())
}

/// Prints the topology that is the root of the segment at `path`: a tree, or the objects of one type.
///
/// # Errors
/// [`Failure::Cause`]: no segment, no topology, or one that breaks the rules of topologies.
pub fn show(path: &Path, ty: Option<Type>, out: &mut dyn Write) -> Result<(), Failure> {
    show_segment(&Segment::read(path)?, ty, out).map_err(|failure| failure.of_file(path))
}

/// The same for a segment that is there already.
///
/// # Errors
/// As [`show`].
pub fn show_segment(segment: &Segment, ty: Option<Type>, out: &mut dyn Write) -> Result<(), Failure> {
    let topology = segment.root::<Topology>()?;
    topology.check().map_err(Failure::new)?;
    print(&*topology, ty, usize::MAX, out)
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
    failed: Option<std::io::Error>,
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
