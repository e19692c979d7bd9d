//! `graven save`: the newest generation of a name as a file.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::dir::{StoreDir, failure};
use crate::text::{count, printable, size};
use crate::{Failure, progress};

/// Save the newest generation of a name as a segment file, which is replaced atomically
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  graven save routes routes.grv
  graven save routes /tmp/now.grv && graven diff --values old.grv /tmp/now.grv")]
pub(crate) struct Save {
    /// The name
    name: String,
    /// The file to write
    file: PathBuf,
    #[command(flatten)]
    store: StoreDir,
}

impl Save {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let (store, name) = (self.store.open()?, &self.name);
        let length = progress::length(&store.path().join(format!("{name}.grv")));
        let saved = progress::while_copying(length, "written", || store.save(name, &self.file));
        let saved = saved.map_err(|error| failure(&store, name, error))?;
        let objects = count(saved.objects, "object");
        let file = self.file.to_string_lossy();
        Ok(writeln!(out, "{}: {objects}, {}, of {name}", printable(&file), size(saved.length))?)
    }
}
