//! Topologies as texts for people.

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use graven_topology::{Topo, Type, render};

use crate::Failure;
use crate::text::{count, printable, size};

/// Prints a topology, at most so many lines of it.
pub(super) fn print<T: Topo>(
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
pub(super) fn summarize<T: Topo>(topology: &T) -> String {
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
