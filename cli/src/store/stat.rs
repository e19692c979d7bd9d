//! `graven stat`: all that is known about one name.

use std::io::Write;

use clap::Args;

use super::dir::{StoreDirFirst, failure};
use super::named::Named;
use crate::{Failure, text};

/// Print all that is known about one name of a store
#[derive(Debug, Args)]
#[command(
    allow_missing_positional = true,
    after_help = "\
Examples:
  graven stat routes
  graven stat /dev/shm/tables routes
  graven stat --json routes | jq .attached"
)]
pub(crate) struct Stat {
    #[command(flatten)]
    store: StoreDirFirst,
    /// The name
    #[arg(required = true)]
    name: String,
    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
}

impl Stat {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let (store, name) = (self.store.open()?, &self.name);
        let stat = store.stat(name).map_err(|error| failure(&store, name, error))?;
        let named = Named::of(&store, name, stat);
        match self.json {
            true => text::json(out, &named.json())?,
            false => named.print(out)?,
        }
        named.problem.map_or(Ok(()), |problem| Err(Failure::new(problem)))
    }
}
