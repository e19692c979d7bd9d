//! The `graven` command: parses, dispatches, and turns the outcome into an exit code.
//!
//! 0: done. 1: the file is bad or the operation failed; standard error says why and names the file. 2: wrong usage.
//! Of `diff`: 0 the same, 1 different, 2 failed.
use std::io::{BufWriter, Write, stderr, stdout};
use std::process::ExitCode;

use clap::Parser;
use graven_cli::{Cli, run};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut out = BufWriter::new(stdout().lock());
    let done = run(&cli, &mut out);
    // What was found before a failure comes out first, and a failure to print it does not hide that failure.
    let printed = out.flush();
    let code = done.and_then(|code| Ok(printed.map(|()| code)?)).unwrap_or_else(|failure| {
        // Whoever reads has seen enough: `graven inspect FILE | head`.
        if !failure.is_closed_pipe() {
            // Nobody is left to tell if standard error is closed too.
            let _ = writeln!(stderr(), "graven: {failure}");
        }
        cli.failure_code(&failure)
    });
    code.into()
}
