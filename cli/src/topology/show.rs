//! `graven topology show`: topologies as trees, lists of objects, or records.

use std::ffi::OsStr;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use graven_topology::{Topo, Type, records};

use super::adopt::load;
use super::tree::print;
use crate::Failure;
use crate::text::json_line;

/// Print the topology in a segment as a tree
///
/// L# is an object's number among those of its kind, P# the operating system's.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  graven topology show here.grv
  graven topology show here.grv --type core
  graven topology show here.grv --type numanode
  graven topology show here.grv --jsonl | jq 'select(.rec == \"memattr\")'")]
pub(crate) struct Show {
    /// The segment
    file: PathBuf,
    /// Print only the objects of this type, one on a line: core, pu, numanode, l2, pcidev, ...
    #[arg(long = "type", value_name = "TYPE", value_parser = types(), hide_possible_values = true)]
    ty: Option<Type>,
    /// Print all there is as JSON, a record on a line: topology, levels, objects, distances, memattrs, cpukinds
    #[arg(long)]
    jsonl: bool,
}

impl Show {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let topology = load(&self.file)?;
        match self.jsonl {
            true => show_records(&*topology, self.ty, out),
            false => show(&*topology, self.ty, out),
        }
    }
}

/// Prints a topology: a tree, or the objects of one type.
///
/// # Errors
/// [`Failure::Output`].
pub fn show<T: Topo>(topology: &T, ty: Option<Type>, out: &mut dyn Write) -> Result<(), Failure> {
    print(topology, ty, usize::MAX, out)
}

/// Prints a topology as JSON, a record on a line: see [`records`]. With a type, only the objects of that.
///
/// # Errors
/// [`Failure::Output`].
pub fn show_records<T: Topo>(topology: &T, ty: Option<Type>, out: &mut dyn Write) -> Result<(), Failure> {
    for record in records(topology) {
        if ty.is_none_or(|ty| record["rec"] == "obj" && record["type"] == ty.name()) {
            json_line(out, &record)?;
        }
    }
    Ok(())
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
