//! Why a command failed: what standard error will say.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::text::printable;

/// Why a command failed.
///
/// Displays as one line, `FILE: CAUSE` where there is a file, with nothing in it that could drive a terminal.
pub enum Failure {
    /// Standard output could not be written.
    Output(io::Error),
    /// The file is bad, or something about it failed.
    Cause {
        /// The file, unless the cause names it itself.
        file: Option<PathBuf>,
        /// What it was.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Failure {
    /// A failure that is not, or not yet, about a file.
    pub(crate) fn new(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Failure {
        Failure::Cause { file: None, cause: cause.into() }
    }

    /// The same, about `path`: unless it is about a file already.
    pub(crate) fn of_file(mut self, path: &Path) -> Failure {
        if let Failure::Cause { file, cause } = &mut self {
            let named = cause.downcast_ref::<graven::Error>().is_some_and(|error| error.file().is_some());
            if !named {
                file.get_or_insert_with(|| path.to_owned());
            }
        }
        self
    }

    /// Whether nobody reads the output any more, which is no failure.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Output(error) => write!(f, "cannot write the output: {error}"),
            Failure::Cause { file, cause } => {
                if let Some(file) = file {
                    write!(f, "{}: ", printable(&file.to_string_lossy()))?;
                }
                write!(f, "{}", printable(&cause.to_string()))?;
                let mut source = cause.source();
                while let Some(error) = source {
                    write!(f, ": {}", printable(&error.to_string()))?;
                    source = error.source();
                }
                Ok(())
            }
        }
    }
}

graven_format::debug_as_display!(Failure);

impl std::error::Error for Failure {}

/// All that commands do with `io` directly is print; other errors become a [`Failure::Cause`] where they happen.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Output(error)
    }
}

impl From<graven::Error> for Failure {
    fn from(error: graven::Error) -> Failure {
        Failure::new(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_reads_the_same_however_it_is_printed() {
        let cause = Failure::new("cut\x1b[2J").of_file(Path::new("a.grv"));
        assert_eq!(cause.to_string(), "a.grv: cut\\u{1b}[2J");
        let output = Failure::from(io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(output.to_string(), "cannot write the output: no storage space");
        for failure in [cause, output] {
            assert_eq!(format!("{failure:?}"), failure.to_string());
        }
    }
}
