//! `graven watch`: a line for each generation of a name.

use std::io::Write;

use clap::Args;
use graven::Timeout;
use serde_json::json;

use super::dir::{StoreDir, failure};
use super::named::ObjectList;
use crate::Failure;
use crate::text::{json_line, number, size};

/// Print a line for each generation of a name, until it ends
///
/// Attaches as a reader. Of generations that follow each other closely only the last may be seen. Owners may come
/// and go.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  graven watch routes
  graven watch routes --wait --count 1      until something is published
  graven watch routes --json | jq --unbuffered .generation")]
pub(crate) struct Watch {
    /// The name
    name: String,
    #[command(flatten)]
    store: StoreDir,
    /// Wait for the name if it is not there yet
    #[arg(long)]
    wait: bool,
    /// End after so many lines
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
}

impl Watch {
    /// Prints a line for each generation, and one for the end of the name.
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let (store, name) = (self.store.open()?, &self.name);
        let timeout = if self.wait { Timeout::Forever } else { Timeout::Now };
        let mut segments = store.segments(name, timeout).map_err(|error| failure(&store, name, error))?;
        let mut left = self.count.unwrap_or(u64::MAX);
        loop {
            let (segment, generation) = (segments.current(), segments.generation());
            let objects = ObjectList::of(segment.as_bytes());
            let length = segment.header().length;
            match self.json {
                true => json_line(
                    out,
                    &json!({
                        "name": name,
                        "generation": number(generation),
                        "length": number(length),
                        "objects": objects.json(),
                        "problem": objects.problem,
                    }),
                )?,
                false => writeln!(out, "{name}: generation {generation}, {}, {objects}", size(length))?,
            }
            out.flush()?;
            left -= 1;
            if left == 0 {
                return Ok(());
            }
            match segments.wait(Timeout::Forever) {
                Ok(_) => {}
                Err(error) if error.kind() == graven::ErrorKind::Retired => {
                    match self.json {
                        true => json_line(out, &json!({ "name": name, "ended": true }))?,
                        false => writeln!(out, "{name}: ended")?,
                    }
                    return Ok(());
                }
                Err(error) => return Err(failure(&store, name, error)),
            }
        }
    }
}
