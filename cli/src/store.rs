//! The commands on a store of names, a module each.
//!
//! | module | owns |
//! |---|---|
//! | `dir` | which store it is |
//! | `named` | what is known of a name |

mod dir;
mod ls;
mod named;
mod publish;
mod rm;
mod save;
mod stat;
mod sweep;
mod watch;

use std::io::Write;

use clap::Subcommand;

use crate::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    Ls(ls::Ls),
    Stat(stat::Stat),
    Publish(publish::Publish),
    Save(save::Save),
    Load(publish::Load),
    Rm(rm::Rm),
    Sweep(sweep::Sweep),
    Watch(watch::Watch),
}

impl StoreCommand {
    pub(crate) fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        match self {
            StoreCommand::Ls(it) => it.run(out),
            StoreCommand::Stat(it) => it.run(out),
            StoreCommand::Publish(it) => it.run(out),
            StoreCommand::Save(it) => it.run(out),
            StoreCommand::Load(it) => it.run(out),
            StoreCommand::Rm(it) => it.run(out),
            StoreCommand::Sweep(it) => it.run(out),
            StoreCommand::Watch(it) => it.run(out),
        }
    }
}
