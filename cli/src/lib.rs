//! The `graven` command as functions: each takes bytes or a path, and a writer to print to.
//!
//! | module | owns |
//! |---|---|
//! | [`inspect`] | what a segment says about itself: header, objects, sizes |
//! | [`schema`] | the layouts of its objects, as text or JSON |
//! | [`verify`] | checking every byte of it |
//! | [`topology`] | writing and showing topologies |
//! | [`demo`] | one topology in several processes at several addresses |
//! | `source` | reading files that others may be editing, or that are no files |
//! | `text` | sizes, tables, and texts from files made harmless for terminals |
//! | `failure` | why a command failed |
//!
//! Files are read, not mapped: one that is cut meanwhile gives an error rather than SIGBUS. Their bytes are not
//! trusted: whatever they are, a command prints what there is and ends.
#![deny(unsafe_code)]

pub mod demo;
mod failure;
pub mod inspect;
pub mod schema;
mod source;
mod text;
pub mod topology;
pub mod verify;

use std::io::Write;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use graven_topology::Type;

pub use failure::Failure;

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "graven",
    version,
    about = "Look into graven segments; write, show and share topologies",
    after_help = "\
Examples:
  graven topology demo              one topology, several processes, several addresses
  graven topology write here.grv    write this machine's topology
  graven inspect here.grv           what is in the file
  graven schema here.grv            how its objects are laid out
  graven verify here.grv            is every byte as it was written?

Exit codes: 0 done; 1 the file is bad or the operation failed; 2 wrong usage."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the header, the objects and the sizes of a segment
    ///
    /// Works on segments of other builds too (other endianness, offset width or alignment). Objects are not looked
    /// into.
    #[command(after_help = "\
Examples:
  graven inspect users.grv
  graven inspect --json users.grv | jq '.objects[].name'")]
    Inspect {
        /// The segment
        file: PathBuf,
        /// Print JSON instead of text
        #[arg(long)]
        json: bool,
    },
    /// Print the layouts of a segment's objects
    ///
    /// Structs and enums are printed like Rust, with the offset and size in bytes of each field. Objects of equal
    /// layout are printed together.
    #[command(after_help = "\
Examples:
  graven schema users.grv             all objects
  graven schema users.grv routes      the object \"routes\"
  graven schema users.grv ''          the root, whose name is empty
  graven schema --json users.grv")]
    Schema {
        /// The segment
        file: PathBuf,
        /// Only the object of this name
        object: Option<String>,
        /// Print JSON instead of text
        #[arg(long)]
        json: bool,
    },
    /// Check that every byte of a segment is as it was written
    ///
    /// Checks header, directory, schema, all checksums and all padding. What the objects' bytes mean is not asked.
    #[command(after_help = "\
Examples:
  graven verify users.grv
  graven verify users.grv && mv users.grv /srv/tables/")]
    Verify {
        /// The segment
        file: PathBuf,
    },
    /// Write, show and share this machine's topology
    #[command(
        subcommand,
        after_help = "\
Examples:
  graven topology demo
  graven topology write here.grv
  graven topology show here.grv --type core"
    )]
    Topology(TopologyCommand),
}

#[derive(Debug, Subcommand)]
enum TopologyCommand {
    /// Share this machine's topology with other processes, and show what happens
    ///
    /// Writes the topology to shared memory, starts processes that adopt it at different addresses, compares what they
    /// read, and adopts an object as a type that it is not. Takes well under a second and leaves nothing behind.
    #[command(after_help = "\
Example:
  graven topology demo")]
    Demo,
    /// Write this machine's topology as a segment
    ///
    /// The file is replaced atomically.
    #[command(after_help = "\
Examples:
  graven topology write here.grv
  graven topology write /dev/shm/topology.grv && graven topology show /dev/shm/topology.grv")]
    Write {
        /// The file to write
        out: PathBuf,
    },
    /// Print the topology in a segment as a tree
    ///
    /// L# is an object's number among those of its kind, P# the operating system's.
    #[command(after_help = "\
Examples:
  graven topology show here.grv
  graven topology show here.grv --type core
  graven topology show here.grv --type numanode")]
    Show {
        /// The segment
        file: PathBuf,
        /// Print only the objects of this type, one on a line: core, pu, numanode, l2, pcidev, ...
        #[arg(long = "type", value_name = "TYPE")]
        ty: Option<Type>,
    },
    /// One of the processes of the demo
    #[command(hide = true)]
    DemoReader {
        /// The file that the demo wrote
        file: PathBuf,
        /// Addresses at which others have the file
        #[arg(long)]
        avoid: Vec<u64>,
    },
}

/// Does what the command line says, and prints to `out`.
///
/// # Errors
/// [`Failure`]. Then `out` has what was found before.
pub fn run(cli: &Cli, out: &mut dyn Write) -> Result<(), Failure> {
    match &cli.command {
        Command::Inspect { file, json } => {
            let bytes = source::described(file)?;
            inspect::inspect(&file.to_string_lossy(), &bytes, *json, out)
                .map_err(|failure| failure.of_file(file))
        }
        Command::Schema { file, object, json } => {
            let bytes = source::described(file)?;
            let object = object.as_deref();
            schema::schema(&file.to_string_lossy(), &bytes, object, *json, out)
                .map_err(|failure| failure.of_file(file))
        }
        Command::Verify { file } => {
            let bytes = source::whole(file)?;
            verify::verify(&file.to_string_lossy(), &bytes, out).map_err(|failure| failure.of_file(file))
        }
        Command::Topology(TopologyCommand::Demo) => demo::demo(out),
        Command::Topology(TopologyCommand::DemoReader { file, avoid }) => demo::reader(file, avoid, out),
        Command::Topology(TopologyCommand::Write { out: path }) => topology::write(path, out),
        Command::Topology(TopologyCommand::Show { file, ty }) => topology::show(file, *ty, out),
    }
}
