//! `graven import`: the segment that another process hands over at a socket.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use graven::error::ExportError;
use graven::{Access, Cause, Timeout};

use super::inspect::Inspect;
use crate::text::{printable, size};
use crate::{Failure, target};

/// How long an exporter has to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Look at a segment that is handed over at a socket, or write it to a file
///
/// Prints what `inspect` does, or replaces a file atomically, which other commands look into then. It is what is
/// exported under the name that is empty, as `graven export` does. It is not checked: that is for `graven verify`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  graven import /run/routes.sock
  graven import /run/routes.sock -o routes.grv && graven verify routes.grv
  graven import --json /run/routes.sock | jq '.objects[].name'")]
pub struct Import {
    /// The socket
    pub socket: PathBuf,
    /// Write the segment to a file, which is replaced atomically; - is standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Print JSON instead of text
    #[arg(long, conflicts_with = "output")]
    pub json: bool,
}

impl Import {
    pub(crate) fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let socket = &self.socket;
        let import = graven::Import::connect(socket, "", Access::Read, Timeout::Within(PATIENCE));
        let import = import.map_err(|error| failure(socket, error))?;
        let segment = import.segment().map_err(|error| failure(socket, error))?;
        let bytes = segment.as_bytes();
        let Some(output) = &self.output else {
            let inspect = Inspect { file: socket.clone(), json: self.json };
            return inspect.print(bytes, out).map_err(|failure| failure.of_file(socket));
        };
        target::write(output, bytes, out)?;
        if output != Path::new("-") {
            let (file, socket) = (output.to_string_lossy(), socket.to_string_lossy());
            writeln!(out, "{}: {}, of {}", printable(&file), size(bytes.len() as u64), printable(&socket))?;
        }
        Ok(())
    }
}

/// Why nothing was imported, and what to do about it here.
fn failure(socket: &Path, error: graven::Error) -> Failure {
    let remedy = match error.cause() {
        Cause::Export(ExportError::Ended) => "nobody serves there any more; `graven export` does",
        Cause::Export(ExportError::NoSegment) => "it is memory and no segment, which programs attach to",
        _ => return Failure::new(error).of_file(socket),
    };
    Failure::new(remedy).of_file(socket)
}
