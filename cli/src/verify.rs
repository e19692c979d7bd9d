//! `graven verify`: is every byte of a segment as it was written?

use std::io::Write;

use graven_format::View;

use crate::Failure;
use crate::text::{count, printable};

/// Checks all of a segment that can be checked without its types, and says so.
///
/// Cost: O(bytes). Segments of other builds are checked alike.
///
/// # Errors
/// [`Failure::Cause`] with the first damage found.
///
/// # Examples
/// ```
/// let mut printed = Vec::new();
/// let failure = graven_cli::verify::verify("some.grv", b"no segment", &mut printed).unwrap_err();
/// assert!(failure.to_string().contains("truncated"));
/// assert!(printed.is_empty());
/// ```
pub fn verify(file: &str, bytes: &[u8], out: &mut dyn Write) -> Result<(), Failure> {
    let check = || {
        let view = View::inspect(bytes).map_err(Failure::new)?;
        view.verify().map_err(Failure::new)?;
        view.directory().map_err(Failure::new)
    };
    let objects = count(check()?.len() as u64, "object");
    writeln!(out, "{}: ok ({objects}, {})", printable(file), count(bytes.len() as u64, "byte"))?;
    Ok(())
}
