//! `graven topology distances`: matrices of distances, as `lstopo --distances` prints them.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use graven_topology::facts::{DistanceMatrix, DistancesRef};
use graven_topology::{ObjectRef, Topo, Type};

use super::adopt::load;
use crate::Failure;
use crate::text::printable;

/// What stands above the labels of rows.
const CORNER: &str = "index";

/// Print the matrices of distances of the topology in a segment
///
/// From the object of a row to that of a column. L# is an object's number among those of its kind.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  graven topology distances here.grv")]
pub(crate) struct Distances {
    /// The segment
    file: PathBuf,
}

impl Distances {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        distances(&*load(&self.file)?, out)
    }
}

/// Prints the matrices of distances of a topology, or that there are none.
///
/// # Errors
/// [`Failure::Output`].
pub fn distances<T: Topo>(topology: &T, out: &mut dyn Write) -> Result<(), Failure> {
    let mut any = false;
    for distances in topology.distances() {
        title(&distances, out)?;
        matrix(&distances, out)?;
        any = true;
    }
    if !any {
        writeln!(out, "no distances")?;
    }
    Ok(())
}

/// `Relative latency matrix (name NUMALatency kind 5) between 2 NUMANodes (depth -3) by logical indexes:`
fn title<T: Topo>(distances: &DistancesRef<'_, T>, out: &mut dyn Write) -> io::Result<()> {
    let kind = distances.kind();
    let what = match kind {
        _ if kind & DistanceMatrix::LATENCY != 0 => "latency",
        _ if kind & DistanceMatrix::BANDWIDTH != 0 => "bandwidth",
        _ => "distance",
    };
    let name = distances.name().unwrap_or("(null)");
    write!(
        out,
        "Relative {what} matrix (name {} kind {kind}) between {} ",
        printable(name),
        distances.len()
    )?;
    match distances.object(0).filter(|_| !of_several_types(distances)) {
        Some(first) => write!(out, "{}s (depth {})", first.ty(), first.depth())?,
        None => write!(out, "heterogeneous objects")?,
    }
    writeln!(out, " by logical indexes:")
}

fn of_several_types<T: Topo>(distances: &DistancesRef<'_, T>) -> bool {
    distances.kind() & DistanceMatrix::HETEROGENEOUS != 0 || distances.object_type().is_none()
}

fn matrix<T: Topo>(distances: &DistancesRef<'_, T>, out: &mut dyn Write) -> io::Result<()> {
    let typed = of_several_types(distances);
    let labels: Vec<String> = distances.objects().map(|object| label(&object, typed)).collect();
    let longest = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
    let digits = distances.values().max().map_or(1, |value| value.checked_ilog10().unwrap_or(0) as usize + 1);
    let width = longest.max(digits).max(CORNER.len());
    write!(out, " {CORNER:>width$}")?;
    for label in &labels {
        write!(out, " {label:>width$}")?;
    }
    writeln!(out)?;
    for (row, label) in (0..).zip(&labels) {
        write!(out, " {label:>width$}")?;
        for value in (0..distances.len()).filter_map(|column| distances.value(row, column)) {
            write!(out, " {value:>width$}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// A device's name or address, another object's logical index, with its type where that differs.
fn label<T: Topo>(object: &ObjectRef<'_, T>, typed: bool) -> String {
    let index = object.logical_index();
    match (object.ty(), object.name(), object.pci()) {
        (Type::OsDevice, Some(name), _) => printable(name).to_string(),
        (Type::PciDevice, _, Some(pci)) => {
            format!("{:04x}:{:02x}:{:02x}.{:01x}", pci.domain, pci.bus, pci.dev, pci.func)
        }
        (ty, ..) if typed => format!("{ty}:{index}"),
        _ => index.to_string(),
    }
}
