//! `graven publish`: a file's objects as the new generation of a name.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use graven::Segment;

use super::dir::{StoreDir, failure};
use crate::text::{count, size};
use crate::{Failure, progress};

/// Publish a segment file's objects under a name, as its new generation
///
/// The file is read whole and checked first. The name is made if it is not there, and taken over if its owner is
/// gone. A live owner's name is refused. What the name was like stays so.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  graven publish routes routes.grv
  graven publish --secure --dir /dev/shm/tables keys keys.grv")]
pub(crate) struct Publish {
    /// The name: 1 to 200 of A-Z a-z 0-9 . _ -, no dot first
    name: String,
    /// The segment
    file: PathBuf,
    #[command(flatten)]
    store: StoreDir,
    /// Make the name readable by this user alone
    #[arg(long)]
    secure: bool,
    /// Wait until it is on the disk
    #[arg(long)]
    durable: bool,
}

impl Publish {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        publish(&self.store, &self.name, &self.file, (self.secure, self.durable), out)
    }
}

/// Publish what `save` has saved: `publish`, with the arguments in the other order
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  graven load routes.grv routes")]
pub(crate) struct Load {
    /// The segment
    file: PathBuf,
    /// The name
    name: String,
    #[command(flatten)]
    store: StoreDir,
}

impl Load {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        publish(&self.store, &self.name, &self.file, (false, false), out)
    }
}

/// Publishes all objects of a file: no object is visible before all are checked and copied.
fn publish(
    dir: &StoreDir,
    name: &str,
    file: &Path,
    (secure, durable): (bool, bool),
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let store = dir.open()?;
    let mut objects = 0;
    let publish = || {
        let segment = Segment::read(file)?;
        segment.verify()?;
        let options = store.owner_options(name).durable(durable).page_size(segment.header().page_size);
        let mut owner = if secure { options.secure() } else { options }.open()?;
        let generation = owner.publish_with(|draft| {
            segment.objects().try_for_each(|entry| {
                objects += 1;
                draft.copy(&segment, entry?.name)
            })
        })?;
        Ok((generation, segment.header().length))
    };
    let published = progress::while_copying(2 * progress::length(file), "read and written", publish);
    let (generation, length) = published.map_err(|error| failure(&store, name, error))?;
    Ok(writeln!(out, "{name}: generation {generation}, {}, {}", count(objects, "object"), size(length))?)
}
