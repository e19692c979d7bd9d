//! `graven sweep`: the end of what is over.

use std::io::Write;

use clap::Args;

use super::dir::StoreDir;
use crate::Failure;

/// End what is over, and remove what processes that died have left
///
/// Names of processes that are gone if they were to live as long, names and regions that were to end with the last
/// who was attached, names under which nothing was ever published. Prints what it ended. Unfinished files go too.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  graven sweep")]
pub(crate) struct Sweep {
    #[command(flatten)]
    store: StoreDir,
}

impl Sweep {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let swept = self.store.open()?.sweep()?;
        Ok(swept.iter().try_for_each(|name| writeln!(out, "{name}: ended"))?)
    }
}
