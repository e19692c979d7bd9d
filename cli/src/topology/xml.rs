//! `graven topology xml`: topologies as hwloc's XML.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use graven_topology::{Topo, xml};

use super::adopt::load;
use crate::Failure;
use crate::text::HarmlessXml;

/// Print the topology in a segment as hwloc's XML
///
/// Format 2.0, which hwloc reads from version 2.0 on.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  graven topology xml here.grv > here.xml
  graven topology xml here.grv | lstopo --if xml -i -")]
pub(crate) struct Xml {
    /// The segment
    file: PathBuf,
}

impl Xml {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        export(&*load(&self.file)?, out).map_err(|failure| failure.of_file(&self.file))
    }
}

/// Prints a topology as XML in hwloc's format 2.0, with characters that do not print as references to them.
///
/// # Errors
/// [`Failure::Cause`]: it has sets that this format cannot hold. [`Failure::Output`].
pub fn export<T: Topo>(topology: &T, out: &mut dyn Write) -> Result<(), Failure> {
    let mut harmless = HarmlessXml { out, failed: None };
    match (xml::write(topology, &mut harmless), harmless.failed) {
        (Ok(()), _) => Ok(()),
        (Err(_), Some(error)) => Err(error.into()),
        (Err(error), None) => Err(Failure::new(error)),
    }
}
