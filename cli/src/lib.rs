//! The `graven` command: its arguments, a type for each subcommand, which does what it is told and prints to a writer.
//!
//! | module | owns |
//! |---|---|
//! | [`segment`] | the commands on segments in files |
//! | `store` | the commands on a store of names |
//! | [`topology`] | the commands on topologies |
//!
//! What they share knows none of them:
//!
//! | module | owns |
//! |---|---|
//! | `source` | reading files that others may be editing, or that are no files |
//! | `target` | writing files that appear complete |
//! | `objects` | what a segment says of its objects, their layouts and values |
//! | `names` | the names of types |
//! | `line` | values on one line |
//! | `picture` | what pictures share |
//! | `progress` | how far long work is, on terminals |
//! | `text` | sizes, tables, JSON, and texts from files made harmless for terminals |
//! | `failure` | why a command failed |
//!
//! Files are read, not mapped: one that is cut meanwhile gives an error rather than SIGBUS. Their bytes are not
//! trusted: whatever they are, a command prints what there is and ends. Stores are the exception: only graven writes
//! below their directories, and what is published there is mapped; and so is what is imported, which the kernel keeps
//! from changing.
#![deny(unsafe_code)]

mod failure;
mod line;
mod names;
mod objects;
mod picture;
mod progress;
pub mod segment;
mod source;
mod store;
mod target;
mod text;
pub mod topology;

use std::io::Write;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

pub use failure::Failure;
use segment::{diff, draw, dump, export, import, inspect, schema, verify};
use store::StoreCommand;
use topology::TopologyCommand;

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "graven",
    version,
    about = "Look into graven segments; share them between processes; write, show and draw topologies",
    after_help = "\
Examples:
  graven topology demo              one topology, several processes, several addresses
  graven topology write here.grv    write this machine's topology
  graven topology show here.grv     show it as a tree
  graven inspect here.grv           what is in the file
  graven schema here.grv            how its objects are laid out
  graven dump here.grv              what is in its objects
  graven diff old.grv new.grv       what differs between two files
  graven draw here.grv -o here.svg  where everything is in it
  graven verify here.grv            is every byte as it was written?
  graven publish here here.grv      share it under a name
  graven ls                         what is shared
  graven export here.grv --serve S  hand it over at a socket
  graven import S                   what is handed over there

Exit codes: 0 done; 1 the file is bad or the operation failed; 2 wrong usage.
Of diff: 0 the same; 1 different; 2 failed."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Inspect(inspect::Inspect),
    Schema(schema::Layouts),
    Verify(verify::Verify),
    Dump(dump::Dump),
    Diff(diff::Diff),
    Draw(draw::Draw),
    Export(export::Export),
    Import(import::Import),
    #[command(flatten)]
    Store(StoreCommand),
    /// Write, show, draw and share topologies of machines
    #[command(
        subcommand,
        after_help = "\
Examples:
  graven topology demo
  graven topology write here.grv
  graven topology show here.grv --type core
  graven topology draw here.grv -o here.svg"
    )]
    Topology(TopologyCommand),
    /// Print a script that completes this command's arguments in a shell
    #[command(after_help = "\
Examples:
  graven completions bash > ~/.local/share/bash-completion/completions/graven
  graven completions zsh > \"${fpath[1]}/_graven\"
  graven completions fish > ~/.config/fish/completions/graven.fish")]
    Completions {
        /// The shell
        shell: Shell,
    },
}

impl Cli {
    /// The exit code of a failure. `diff` means something else by 1, and by 0 that it found nothing; of others it is no
    /// failure that nobody reads their output any more.
    pub fn failure_code(&self, failure: &Failure) -> u8 {
        match (&self.command, failure.is_closed_pipe()) {
            (Command::Diff(_), _) => 2,
            (_, closed_pipe) => u8::from(!closed_pipe),
        }
    }
}

/// Does what the command line says, and prints to `out`. Returns the exit code: 1 if `diff` found a difference.
///
/// # Errors
/// [`Failure`]. Then `out` has what was found before.
pub fn run(cli: &Cli, out: &mut dyn Write) -> Result<u8, Failure> {
    match &cli.command {
        Command::Inspect(it) => it.run(out),
        Command::Schema(it) => it.run(out),
        Command::Verify(it) => it.run(out),
        Command::Dump(it) => it.run(out),
        Command::Diff(it) => return it.run(out).map(u8::from),
        Command::Draw(it) => it.run(out),
        Command::Export(it) => it.run(out),
        Command::Import(it) => it.run(out),
        Command::Store(command) => command.run(out),
        Command::Topology(command) => command.run(out),
        Command::Completions { shell } => completions(*shell, out),
    }
    .map(|()| 0)
}

fn completions(shell: Shell, out: &mut dyn Write) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut visible(Cli::command()), "graven", &mut script);
    Ok(out.write_all(&script)?)
}

/// The command without those of its commands' commands that nobody is to type.
fn visible(command: clap::Command) -> clap::Command {
    command.mut_subcommand("topology", |topology| {
        let kept = topology.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
        let about = topology.get_about().cloned().unwrap_or_default();
        clap::Command::new("topology").about(about).subcommands(kept.collect::<Vec<_>>())
    })
}
