//! `graven topology draw`: the topology as an SVG picture, in the manner of lstopo's.
//!
//! | module | owns |
//! |---|---|
//! | `scene` | which objects are drawn, and what is said of them |
//! | `label` | what is said of one |
//! | `layout` | where they stand |
//! | `pack` | rows and columns |
//! | `svg` | the text of the picture |
//!
//! The same topology gives the same bytes: all numbers are integers, and nothing is asked of the system.

mod label;
mod layout;
mod pack;
mod scene;
mod svg;

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use graven_topology::Topo;

use super::adopt::load;
use crate::{Failure, target};

/// Draw the topology in a segment as an SVG picture
///
/// Boxes stand for objects: caches as bars above what shares them, memory above the processors near it, devices to
/// the right. In a browser, pointing at a box shows what is known of it. Devices and bridges of little interest
/// are left out, and the middle of long rows in large machines; the picture says how much.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  graven topology draw here.grv -o here.svg
  graven topology draw here.grv -o - | rsvg-convert > here.png")]
pub(crate) struct Draw {
    /// The segment
    file: PathBuf,
    /// The picture to write; - is standard output
    #[arg(short, long, value_name = "OUT.svg")]
    output: PathBuf,
    /// Leave nothing out
    #[arg(long)]
    full: bool,
}

impl Draw {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let picture = draw(&*load(&self.file)?, self.full);
        target::write(&self.output, picture.as_bytes(), out)
    }
}

/// The picture of a topology. If not in `full`, devices of little interest and the middle of long rows are left out,
/// which the picture says.
///
/// Whatever names the topology has, there is no control character in the picture, and none of them is markup.
///
/// ```
/// use graven_topology::{Builder, Node, Type};
///
/// let mut builder = Builder::new();
/// builder.add(Builder::ROOT, Node::new(Type::Pu).os_index(0));
/// builder.add(Builder::ROOT, Node::new(Type::NumaNode).os_index(0));
/// let picture = graven_cli::topology::draw::draw(&builder.build()?, false);
/// assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));
/// assert!(picture.contains(">PU L#0<"));
/// # Ok::<(), graven_topology::error::BuildError>(())
/// ```
pub fn draw<T: Topo>(topology: &T, full: bool) -> String {
    let scene = scene::scene(topology, full);
    svg::svg(&scene, &layout::layout(&scene))
}
