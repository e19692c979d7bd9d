//! The `graven` command as functions: each takes bytes or a path, and a writer to print to.
//!
//! | module | owns |
//! |---|---|
//! | [`segment`] | the commands on segments in files |
//! | `store` | the commands on a store of names |
//! | [`topology`] | the commands on topologies |
//! | `source` | reading files that others may be editing, or that are no files |
//! | `objects` | objects as values |
//! | `brief` | values on one line |
//! | `target` | writing files that appear complete |
//! | `progress` | how far long work is, on terminals |
//! | `text` | sizes, tables, and texts from files made harmless for terminals |
//! | `font` | how wide texts are in pictures |
//! | `failure` | why a command failed |
//!
//! Files are read, not mapped: one that is cut meanwhile gives an error rather than SIGBUS. Their bytes are not
//! trusted: whatever they are, a command prints what there is and ends. Stores are the exception: only graven writes
//! below their directories, and what is published there is mapped.
#![deny(unsafe_code)]

mod brief;
mod failure;
mod font;
mod objects;
mod progress;
pub mod segment;
mod source;
mod store;
mod target;
mod text;
pub mod topology;

use std::ffi::OsStr;
use std::io::Write;
use std::path::PathBuf;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use graven_topology::Type;

pub use failure::Failure;
use segment::diff::{self, Diff};
use segment::dump::{self, Dump};
use segment::verify::{self, Verify};
use segment::{draw as map, inspect, schema};
use store::command::{self as store_command, StoreCommand};
use topology::show::Origin;
use topology::{demo, distances, draw, show};

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

Exit codes: 0 done; 1 the file is bad or the operation failed; 2 wrong usage.
Of diff: 0 the same; 1 different; 2 failed."
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
    /// Checked are the header, the directory, the schema, all checksums, that all padding is zero; that each object's bytes
    /// are what its schema says (pointers, tags, bools, chars, texts, tables of maps); and, where keys are texts,
    /// integers, bools or chars, that looking them up in hash maps finds them and that those of B-trees ascend.
    ///
    /// Not checked are the rules that types have of their own, which only programs with these types can check: the types
    /// are named. Nor are keys of other types, nor all keys of a hash map in which most collide. Checksums find damage;
    /// they do not tell who wrote it.
    ///
    /// Segments of other builds (other endianness, offset width or alignment) are checked alike. What takes longer than a
    /// second shows on a terminal how far it is.
    #[command(after_help = "\
Examples:
  graven verify users.grv
  graven verify users.grv && mv users.grv /srv/tables/
  graven verify --json users.grv | jq '.objects[] | select(.checksum != \"ok\").name'

JSON has file, result (ok, damaged), error, length, structure_checked; of each object name,
length, checksum (ok, damaged; null if not looked at), structure_checked, and as
invariants_not_checked the types whose own rules only programs with these types can check.")]
    Verify {
        /// The segment
        file: PathBuf,
        /// Print JSON instead of text
        #[arg(long)]
        json: bool,
        /// Objects to check at a time [default: as many as there are processors]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
        threads: Option<u16>,
    },
    /// Print what is in a segment's objects
    ///
    /// Objects are read by their schema, so segments of other builds and of types that no program here knows print
    /// too. What fits is printed on one line. Without OBJECT: the root, or all objects if there is no root. What is
    /// damaged is marked, and the exit code is 1.
    #[command(after_help = "\
Examples:
  graven dump users.grv                         the root, or all objects
  graven dump users.grv routes                  the object \"routes\"
  graven dump users.grv users --path '[3].name'
  graven dump users.grv ports --path https      a map's value, by its key
  graven dump users.grv users --limit 0         all elements, whole texts
  graven dump users.grv users --json | jq '.[].name'

Paths: .field  [3]  [\"key\"]  .key  [true]; {3} is the fourth entry of a map.
JSON is printed whole or fails. Enums are as serde has them; maps whose keys are
neither texts nor integers, bools or chars are lists of pairs.")]
    Dump {
        /// The segment
        file: PathBuf,
        /// Only the object of this name ('' is the root)
        object: Option<String>,
        /// Only the value that this path leads to
        #[arg(long, value_name = "PATH")]
        path: Option<String>,
        /// Elements of each sequence and map, and a tenth of the bytes of each text [default: 100; 0: all]. With --json,
        /// values altogether, more than which is a failure [default: four for each byte]
        #[arg(long, value_name = "N")]
        limit: Option<u64>,
        /// Values inside each other (with --json at most 512)
        #[arg(long, value_name = "N", default_value_t = Dump::DEPTH, value_parser = clap::value_parser!(u32).range(1..))]
        depth: u32,
        /// Print JSON instead of text
        #[arg(long)]
        json: bool,
    },
    /// Print what differs between the objects of two segments
    ///
    /// Objects are matched by name, and their layouts compared; with --values also what they hold, by what it means:
    /// fields by name, sequences by position, maps by key, across layouts and builds.
    #[command(after_help = "\
Examples:
  graven diff old.grv new.grv             objects that are new or gone, and layouts that differ
  graven diff --values old.grv new.grv    contents too
  graven diff --values --limit 0 old.grv new.grv    only how many differences

Exit codes: 0 the same; 1 they differ; 2 trouble, or wrong usage.")]
    Diff {
        /// The one segment
        old: PathBuf,
        /// The other
        new: PathBuf,
        /// Compare what is in the objects too
        #[arg(long)]
        values: bool,
        /// Differences to print, of all objects together; the others are counted
        #[arg(long, value_name = "N", default_value_t = Diff::LIMIT)]
        limit: usize,
        /// Print JSON instead of text
        #[arg(long)]
        json: bool,
    },
    /// Draw a segment as an SVG picture: header, objects, schema, directory and padding, to scale
    ///
    /// Parts too small to carry a label are drawn higher, and marked. In a browser, pointing at a part shows more of
    /// it. The picture is replaced atomically. For the topology in a segment there is `graven topology draw`.
    #[command(after_help = "\
Examples:
  graven draw users.grv -o users.svg
  graven draw users.grv -o - | rsvg-convert > users.png")]
    Draw {
        /// The segment
        file: PathBuf,
        /// The picture to write; - is standard output
        #[arg(short, long, value_name = "OUT.svg")]
        output: PathBuf,
    },
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
    /// Write this machine's topology, or one from hwloc's XML or a description, as a segment
    ///
    /// The file is replaced atomically.
    #[command(after_help = "\
Examples:
  graven topology write here.grv
  graven topology write /dev/shm/topology.grv && graven topology show /dev/shm/topology.grv
  graven topology write --xml other.xml other.grv
  ssh other lstopo --of xml | graven topology write --xml - other.grv
  graven topology write --synthetic 'package:2 l3:4 core:8 pu:2' imagined.grv")]
    Write {
        /// Read the topology from this file of hwloc's XML (formats 1.x to 3.0; - is standard input)
        #[arg(long, value_name = "FILE")]
        xml: Option<PathBuf>,
        /// Make the topology up from one of hwloc's synthetic descriptions
        #[arg(long, value_name = "DESCRIPTION", conflicts_with = "xml")]
        synthetic: Option<String>,
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
  graven topology show here.grv --type numanode
  graven topology show here.grv --jsonl | jq 'select(.rec == \"memattr\")'")]
    Show {
        /// The segment
        file: PathBuf,
        /// Print only the objects of this type, one on a line: core, pu, numanode, l2, pcidev, ...
        #[arg(long = "type", value_name = "TYPE", value_parser = types(), hide_possible_values = true)]
        ty: Option<Type>,
        /// Print all there is as JSON, a record on a line: topology, levels, objects, distances, memattrs, cpukinds
        #[arg(long)]
        jsonl: bool,
    },
    /// Print the topology in a segment as hwloc's XML
    ///
    /// Format 2.0, which hwloc reads from version 2.0 on.
    #[command(after_help = "\
Examples:
  graven topology xml here.grv > here.xml
  graven topology xml here.grv | lstopo --if xml -i -")]
    Xml {
        /// The segment
        file: PathBuf,
    },
    /// Draw the topology in a segment as an SVG picture
    ///
    /// Boxes stand for objects: caches as bars above what shares them, memory above the processors near it, devices to
    /// the right. In a browser, pointing at a box shows what is known of it. Devices and bridges of little interest
    /// are left out, and the middle of long rows in large machines; the picture says how much.
    #[command(after_help = "\
Examples:
  graven topology draw here.grv -o here.svg
  graven topology draw here.grv -o - | rsvg-convert > here.png")]
    Draw {
        /// The segment
        file: PathBuf,
        /// The picture to write; - is standard output
        #[arg(short, long, value_name = "OUT.svg")]
        output: PathBuf,
        /// Leave nothing out
        #[arg(long)]
        full: bool,
    },
    /// Print the matrices of distances of the topology in a segment
    ///
    /// From the object of a row to that of a column. L# is an object's number among those of its kind.
    #[command(after_help = "\
Example:
  graven topology distances here.grv")]
    Distances {
        /// The segment
        file: PathBuf,
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

/// How a command ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It did what it was to do.
    Done,
    /// It compared two things that differ.
    Different,
}

impl Cli {
    /// The exit code of this command's failures: `diff` means something else by 1.
    pub fn failure_code(&self) -> u8 {
        if let Command::Diff { .. } = self.command { 2 } else { 1 }
    }

    /// The exit code if nobody reads the output any more.
    pub fn closed_pipe_code(&self) -> u8 {
        if let Command::Diff { .. } = self.command { 2 } else { 0 }
    }
}

/// Does what the command line says, and prints to `out`.
///
/// # Errors
/// [`Failure`]. Then `out` has what was found before.
pub fn run(cli: &Cli, out: &mut dyn Write) -> Result<Outcome, Failure> {
    if let Command::Diff { old, new, values, limit, json } = &cli.command {
        let what = Diff { values: *values, limit: *limit, json: *json };
        let read = |path| if *values { source::whole(path) } else { source::described(path) };
        let bytes = [read(old)?, read(new)?];
        return Ok(match diff::diff([(old, &bytes[0]), (new, &bytes[1])], &what, out)? {
            true => Outcome::Different,
            false => Outcome::Done,
        });
    }
    done(cli, out).map(|()| Outcome::Done)
}

/// The same for commands that compare nothing.
fn done(cli: &Cli, out: &mut dyn Write) -> Result<(), Failure> {
    match &cli.command {
        // See `run`.
        Command::Diff { .. } => Ok(()),
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
        Command::Verify { file, json, threads } => {
            let bytes = progress::while_copying(progress::length(file), "read", || source::whole(file))?;
            let what = Verify { json: *json, threads: threads.map(usize::from), progress: true };
            verify::verify(&file.to_string_lossy(), &bytes, &what, out)
                .map_err(|failure| failure.of_file(file))
        }
        Command::Dump { file, object, path, limit, depth, json } => {
            let (object, path) = (object.as_deref(), path.as_deref());
            let bytes = source::objects(file, object)?;
            let what = Dump { object, path, limit: *limit, depth: *depth, json: *json };
            dump::dump(&bytes, &what, out).map_err(|failure| failure.of_file(file))
        }
        Command::Draw { file, output } => {
            let bytes = source::described(file)?;
            map::picture_to(&file.to_string_lossy(), &bytes, output, out)
                .map_err(|failure| failure.of_file(file))
        }
        Command::Store(command) => store_command::run(command, out),
        Command::Topology(TopologyCommand::Demo) => demo::demo(out),
        Command::Topology(TopologyCommand::DemoReader { file, avoid }) => demo::reader(file, avoid, out),
        Command::Topology(TopologyCommand::Write { xml, synthetic, out: path }) => {
            let origin = match (xml, synthetic) {
                (Some(file), _) => Origin::Xml(file),
                (None, Some(description)) => Origin::Synthetic(description),
                (None, None) => Origin::Machine,
            };
            show::write(origin, path, out)
        }
        Command::Topology(TopologyCommand::Show { file, ty, jsonl: false }) => {
            show::show(&*show::load(file)?, *ty, out)
        }
        Command::Topology(TopologyCommand::Show { file, ty, jsonl: true }) => {
            show::show_records(&*show::load(file)?, *ty, out)
        }
        Command::Topology(TopologyCommand::Xml { file }) => {
            show::export(&*show::load(file)?, out).map_err(|failure| failure.of_file(file))
        }
        Command::Topology(TopologyCommand::Draw { file, output, full }) => {
            draw::draw_to(&*show::load(file)?, *full, output, out)
        }
        Command::Topology(TopologyCommand::Distances { file }) => {
            distances::distances(&*show::load(file)?, out)
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut visible(Cli::command()), "graven", &mut script);
            Ok(out.write_all(&script)?)
        }
    }
}

/// The command without those of its commands' commands that nobody is to type.
fn visible(command: clap::Command) -> clap::Command {
    command.mut_subcommand("topology", |topology| {
        let kept = topology.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
        let about = topology.get_about().cloned().unwrap_or_default();
        clap::Command::new("topology").about(about).subcommands(kept.collect::<Vec<_>>())
    })
}

/// Reads types in all their spellings, and offers the names to those who complete them.
fn types() -> impl TypedValueParser<Value = Type> {
    #[derive(Clone)]
    struct Types;
    impl TypedValueParser for Types {
        type Value = Type;

        fn parse_ref(
            &self,
            command: &clap::Command,
            argument: Option<&clap::Arg>,
            value: &OsStr,
        ) -> Result<Type, clap::Error> {
            let parse = |name: String| name.parse::<Type>();
            StringValueParser::new().try_map(parse).parse_ref(command, argument, value)
        }

        fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
            Some(Box::new(Type::ALL.iter().map(|ty| PossibleValue::new(ty.name()))))
        }
    }
    Types
}
