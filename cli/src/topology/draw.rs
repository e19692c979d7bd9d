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
pub(crate) mod svg;

use std::io::Write;
use std::path::Path;

use graven_topology::Topo;

use crate::Failure;
use crate::target;

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
/// # Ok::<(), graven_topology::BuildError>(())
/// ```
pub fn draw<T: Topo>(topology: &T, full: bool) -> String {
    let scene = scene::scene(topology, full);
    svg::svg(&scene, &layout::layout(&scene))
}

/// Draws a topology to the file at `path`, which is replaced atomically, or to `out` if that is `-`.
///
/// # Errors
/// [`Failure::Cause`]: the file cannot be written. [`Failure::Output`].
pub fn draw_to<T: Topo>(topology: &T, full: bool, path: &Path, out: &mut dyn Write) -> Result<(), Failure> {
    let picture = draw(topology, full);
    if path == Path::new("-") {
        return Ok(out.write_all(picture.as_bytes())?);
    }
    target::replace(path, picture.as_bytes())
}
