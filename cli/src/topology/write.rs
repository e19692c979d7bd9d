//! `graven topology write`: topologies of machines, of XML or made up, as segments.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use graven_topology::{Detector, Topology, synthetic, xml};

use super::tree::summarize;
use crate::text::{label, printable, size};
use crate::{Failure, source};

/// Write this machine's topology, or one from hwloc's XML or a description, as a segment
///
/// The file is replaced atomically.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  graven topology write here.grv
  graven topology write /dev/shm/topology.grv && graven topology show /dev/shm/topology.grv
  graven topology write --xml other.xml other.grv
  ssh other lstopo --of xml | graven topology write --xml - other.grv
  graven topology write --synthetic 'package:2 l3:4 core:8 pu:2' imagined.grv")]
pub(crate) struct Write {
    /// Read the topology from this file of hwloc's XML (formats 1.x to 3.0; - is standard input)
    #[arg(long, value_name = "FILE")]
    xml: Option<PathBuf>,
    /// Make the topology up from one of hwloc's synthetic descriptions
    #[arg(long, value_name = "DESCRIPTION", conflicts_with = "xml")]
    synthetic: Option<String>,
    /// The file to write
    out: PathBuf,
}

impl Write {
    pub(super) fn run(&self, out: &mut dyn io::Write) -> Result<(), Failure> {
        let topology = match (&self.xml, &self.synthetic) {
            (Some(file), _) => import(file).map_err(|failure| failure.of_file(file))?,
            (None, Some(description)) => synthetic(description)
                .map_err(|error| Failure::new(format!("{}: {error}", label(description))))?,
            (None, None) => Detector::new().detect().map_err(Failure::new)?,
        };
        let summary = graven::write(&self.out, &topology)?;
        let path = self.out.to_string_lossy();
        writeln!(out, "{}: {}; {}", printable(&path), summarize(&topology), size(summary.length))?;
        Ok(())
    }
}

fn import(file: &Path) -> Result<Topology, Failure> {
    if file == Path::new("-") {
        return xml::read(io::stdin().lock()).map_err(Failure::new);
    }
    xml::read(source::regular(file)?).map_err(Failure::new)
}
