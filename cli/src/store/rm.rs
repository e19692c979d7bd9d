//! `graven rm`: the end of names that nobody owns.

use std::io::Write;

use clap::Args;

use super::dir::{StoreDir, failure};
use crate::Failure;

/// End names that nobody owns
///
/// Their readers are told, and go on reading what they have.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  graven rm routes
  graven rm --dir /dev/shm/tables users limits")]
pub(crate) struct Rm {
    /// The names
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    store: StoreDir,
}

impl Rm {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let store = self.store.open()?;
        self.names.iter().try_for_each(|name| {
            store.remove(name).map_err(|error| failure(&store, name, error))?;
            Ok(writeln!(out, "{name}: ended")?)
        })
    }
}
