//! The topology in a segment's file.

use std::path::Path;

use graven::{Adopted, Segment};
use graven_topology::{Topo, Topology};

use crate::Failure;

/// The topology that is the root of the segment at `path`, checked.
///
/// # Errors
/// [`Failure::Cause`]: no segment, no topology, or one that breaks the rules of topologies.
pub(super) fn load(path: &Path) -> Result<Adopted<Topology>, Failure> {
    adopt(&Segment::read(path)?).map_err(|failure| failure.of_file(path))
}

/// The same for a segment that is there already.
///
/// # Errors
/// [`Failure::Cause`]: no topology, or one that breaks the rules of topologies.
pub fn adopt(segment: &Segment) -> Result<Adopted<Topology>, Failure> {
    let topology = segment.root::<Topology>()?;
    topology.check().map_err(Failure::new)?;
    Ok(topology)
}
