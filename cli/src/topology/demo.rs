//! `graven topology demo`: one topology, several processes, several addresses.
//!
//! The demo proves what it shows: it compares addresses and digests, and fails if any of them is not as promised.

use std::env;
use std::fs::Permissions;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use clap::Args;
use graven::{Adopted, Cause, Segment, Writer};
use graven_topology::{Detector, Topo, Topology};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::tree::{print, summarize};
use crate::Failure;
use crate::text::{size, table};

/// Processes that are started.
const READERS: usize = 3;
/// Lines of the tree that are shown.
const TREE: usize = 24;
/// What the name of the demo's directory starts with.
const PREFIX: &str = "graven-demo-";

/// A type as the writer of the demo knows it.
mod writer {
    /// Its limits are small numbers.
    #[graven::object]
    pub(super) struct Config {
        pub(super) name: String,
        pub(super) limits: Vec<Limit>,
    }

    /// One of them.
    #[graven::object]
    pub(super) struct Limit {
        pub(super) name: String,
        pub(super) soft: u32,
        pub(super) hard: u32,
    }
}

/// The same type in a program that was built later.
mod adopter {
    /// Its limits have grown.
    #[graven::object]
    pub(super) struct Config {
        pub(super) name: String,
        pub(super) limits: Vec<Limit>,
    }

    /// One of them.
    #[graven::object]
    pub(super) struct Limit {
        pub(super) name: String,
        pub(super) soft: u64,
        pub(super) hard: u32,
    }
}

/// Share this machine's topology with other processes, and show what happens
///
/// Writes the topology to shared memory, starts processes that adopt it at different addresses, compares what they
/// read, and adopts an object as a type that it is not. Takes well under a second and leaves nothing behind.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  graven topology demo")]
pub(crate) struct Demo {}

impl Demo {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        writeln!(out, "1. Detect: what is this machine?")?;
        let (topology, time) = timed(|| Detector::new().detect());
        let topology = topology.map_err(Failure::new)?;
        writeln!(out, "   {}  ({})\n", summarize(&topology), micros(time))?;

        let directory = directory()?;
        let path = directory.path().join("demo.grv");
        writeln!(
            out,
            "2. Write: the topology and a small second object, as position-independent bytes in shared memory"
        )?;
        let (summary, time) = timed(|| {
            let mut writer = Writer::options().mode(0o600).create(&path)?;
            writer.put("topology", &topology)?;
            writer.put("config", &config())?;
            writer.finish()
        });
        writeln!(out, "   {}, {}  ({})\n", path.display(), size(summary?.length), micros(time))?;

        writeln!(
            out,
            "3. Adopt: each process maps the file at an address that no other has, and reads it in place"
        )?;
        out.flush()?;
        let mine = Mine::adopt(&path, &[])?;
        adopt_everywhere(&mine, &path, topology.digest(), out)?;

        writeln!(out, "4. Read: the topology as it lies in shared memory")?;
        let mut tree = Vec::new();
        print(&*mine.topology, None, TREE, &mut tree)?;
        for line in String::from_utf8_lossy(&tree).lines() {
            writeln!(out, "   {line}")?;
        }
        let more = (topology.object_count() as usize).saturating_sub(TREE);
        if more > 0 {
            writeln!(out, "   … and {more} more")?;
        }

        writeln!(out, "\n5. Refuse: the second object, adopted by a program whose type has changed since")?;
        refuse(mine.topology.segment(), out)?;
        directory
            .close()
            .map_err(|error| Failure::new(format!("cannot remove the demo's files: {error}")))?;
        Ok(())
    }
}

/// Has other processes adopt the file too, and compares what all of them read, and where.
fn adopt_everywhere(mine: &Mine, path: &Path, expected: u64, out: &mut dyn Write) -> Result<(), Failure> {
    let mut reports = vec![mine.report()?];
    let mut readers = Vec::new();
    for number in 1..=READERS {
        let taken: Vec<u64> = reports.iter().map(|report| report.address).collect();
        let (reader, report) = Process::start(number, path, &taken)?;
        readers.push(reader);
        reports.push(report);
    }
    // Up to here all of them have it mapped at the same time.
    readers.into_iter().try_for_each(Process::end)?;
    let row = |(number, report): (usize, &Report)| {
        let who = if number == 0 { "this one".to_owned() } else { format!("reader {number}") };
        let times = [report.adopt, report.check, report.walk].map(micros);
        let mut row = vec![who, report.process.to_string(), format!("{:#x}", report.address)];
        row.extend(times);
        row.push(format!("{:016x}", report.digest));
        row
    };
    let rows: Vec<_> = reports.iter().enumerate().map(row).collect();
    table(out, "   ", &["process", ">pid", ">address", ">adopt", ">check", ">walk", "digest"], &rows)?;
    writeln!(
        out,
        "   adopt: map, compare with the layout of its own types (a new process works it out first), validate"
    )?;
    writeln!(out, "   check: the rules of topologies; walk: read everything")?;
    for (number, report) in reports.iter().enumerate() {
        if reports[..number].iter().any(|other| other.address == report.address) {
            return Err(Failure::new(format!("two processes have it at {:#x}", report.address)));
        }
        if report.digest != expected {
            let digest = report.digest;
            return Err(Failure::new(format!(
                "process {} read something else: digest {digest:016x}, not {expected:016x}",
                report.process
            )));
        }
    }
    writeln!(
        out,
        "   {} different addresses, one digest, which is also that of the original\n",
        reports.len()
    )?;
    Ok(())
}

/// Adopts the second object as its writer's type, and as another, which has to fail.
fn refuse(segment: &Segment, out: &mut dyn Write) -> Result<(), Failure> {
    segment.get::<writer::Config>("config")?;
    let error = match segment.get::<adopter::Config>("config") {
        Ok(_) => return Err(Failure::new("an object was adopted with another layout than it has")),
        Err(error) => error,
    };
    let Cause::Layout(mismatch) = error.cause() else { return Err(error.into()) };
    if error.errno() != nix::errno::Errno::EINVAL as i32 {
        return Err(Failure::new(format!("a layout that differs gave errno {}, not EINVAL", error.errno())));
    }
    writeln!(out, "   EINVAL ({}): {mismatch}", error.errno())?;
    for difference in mismatch.differences() {
        writeln!(out, "   - {difference}")?;
    }
    Ok(())
}

/// One of the processes of the demo
#[derive(Debug, Args)]
pub(crate) struct Reader {
    /// The file that the demo wrote
    file: PathBuf,
    /// Addresses at which others have the file
    #[arg(long)]
    avoid: Vec<u64>,
}

impl Reader {
    /// Maps the file at an address that nobody else has, reports what it read, and keeps the mapping until standard
    /// input ends.
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let mine = Mine::adopt(&self.file, &self.avoid)?;
        writeln!(out, "{}", mine.report()?.json())?;
        out.flush()?;
        std::io::stdin().lines().for_each(drop);
        Ok(())
    }
}

/// The topology of the demo's file, adopted by this process.
struct Mine {
    topology: Adopted<Topology>,
    time: Duration,
    /// Mappings at addresses that others have.
    _in_the_way: Vec<Segment>,
}

impl Mine {
    /// Maps the file at none of the addresses to avoid: a mapping that comes to lie at one of them stays there, so
    /// that the next one cannot.
    fn adopt(path: &Path, avoid: &[u64]) -> Result<Mine, Failure> {
        let mut in_the_way = Vec::new();
        let (segment, mapping) = loop {
            let (segment, mapping) = timed(|| map(path));
            let segment = segment?;
            if !avoid.contains(&address(&segment)) {
                break (segment, mapping);
            }
            in_the_way.push(segment);
        };
        let (topology, adopting) = timed(|| segment.get::<Topology>("topology"));
        let topology = topology.map_err(|error| Failure::from(error).of_file(path))?;
        Ok(Mine { topology, time: mapping + adopting, _in_the_way: in_the_way })
    }

    fn report(&self) -> Result<Report, Failure> {
        let (checked, check) = timed(|| self.topology.check());
        checked.map_err(Failure::new)?;
        let (digest, walk) = timed(|| self.topology.digest());
        let (process, address) = (std::process::id(), address(self.topology.segment()));
        Ok(Report { process, address, digest, adopt: self.time, check, walk })
    }
}

/// Where a segment is mapped.
fn address(segment: &Segment) -> u64 {
    segment.as_bytes().as_ptr().addr() as u64
}

/// What a process read, and where.
struct Report {
    process: u32,
    address: u64,
    digest: u64,
    adopt: Duration,
    check: Duration,
    walk: Duration,
}

impl Report {
    fn json(&self) -> Value {
        let [adopt, check, walk] = [self.adopt, self.check, self.walk].map(|time| time.as_nanos() as u64);
        json!({
            "process": self.process, "address": self.address, "digest": self.digest,
            "adopt": adopt, "check": check, "walk": walk,
        })
    }

    fn parse(line: &str) -> Option<Report> {
        let value: Value = serde_json::from_str(line).ok()?;
        let number = |key: &str| value[key].as_u64();
        let time = |key| number(key).map(Duration::from_nanos);
        Some(Report {
            process: u32::try_from(number("process")?).ok()?,
            address: number("address")?,
            digest: number("digest")?,
            adopt: time("adopt")?,
            check: time("check")?,
            walk: time("walk")?,
        })
    }
}

/// A process that has the file mapped. Dropping it ends the process.
struct Process {
    number: usize,
    process: Child,
    input: Option<ChildStdin>,
}

impl Process {
    /// Starts this program again, to map the file at none of the addresses that are taken.
    fn start(number: usize, path: &Path, taken: &[u64]) -> Result<(Process, Report), Failure> {
        let cannot = |error: std::io::Error| Failure::new(format!("cannot start reader {number}: {error}"));
        let process = Command::new(env::current_exe().map_err(cannot)?)
            .args(["topology", "demo-reader"])
            .arg(path)
            .args(taken.iter().map(|address| format!("--avoid={address}")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(cannot)?;
        let mut reader = Process { number, process, input: None };
        reader.input = reader.process.stdin.take();
        let mut line = String::new();
        if let Some(output) = reader.process.stdout.take() {
            BufReader::new(output).read_line(&mut line).map_err(cannot)?;
        }
        match Report::parse(&line) {
            Some(report) => Ok((reader, report)),
            // It has said why on standard error.
            None => Err(Failure::new(format!("reader {number} gave no report"))),
        }
    }

    /// Lets the process end, and asks how it did.
    fn end(mut self) -> Result<(), Failure> {
        let number = self.number;
        // It reads until there is nobody left to write.
        drop(self.input.take());
        match self.process.wait() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(Failure::new(format!("reader {number} failed: {status}"))),
            Err(error) => Err(Failure::new(format!("cannot wait for reader {number}: {error}"))),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // After `end` there is nothing left to end, which is not worth a word either.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn config() -> writer::Config {
    let limit = |name: &str, soft, hard| writer::Limit { name: name.to_owned(), soft, hard };
    let limits = vec![limit("files", 1024, 4096), limit("processes", 256, 512)];
    writer::Config { name: "demo".to_owned(), limits }
}

/// A directory of our own, in memory where the system has such a place. Dropping it removes it.
fn directory() -> Result<TempDir, Failure> {
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix(PREFIX).permissions(Permissions::from_mode(0o700));
    builder
        .tempdir_in("/dev/shm")
        .or_else(|error| runtime.map_or(Err(error), |place| builder.tempdir_in(place)))
        .or_else(|_| builder.tempdir())
        .map_err(|error| Failure::new(format!("no directory for the demo's files: {error}")))
}

/// Maps the file of a demo.
///
/// # Errors
/// [`Failure::Cause`]: it is not in a directory that only this user can get into, so it is no demo's file; or as
/// [`Segment::map`].
#[allow(unsafe_code)] // the one place that maps: other commands read
fn map(path: &Path) -> Result<Segment, Failure> {
    let directory =
        path.parent().and_then(|parent| Some((parent.file_name()?, parent.symlink_metadata().ok()?)));
    let private = directory.is_some_and(|(name, metadata)| {
        let ours = metadata.uid() == nix::unistd::geteuid().as_raw() && metadata.mode() & 0o077 == 0;
        metadata.is_dir() && ours && name.as_encoded_bytes().starts_with(PREFIX.as_bytes())
    });
    if !private {
        return Err(Failure::new("not in a private directory of the demo").of_file(path));
    }
    // SAFETY: `Segment::map` asks that nobody edits or cuts the file while it is mapped.
    // - Other users cannot get at it: it is in a directory of ours with mode 0700, checked above, and such a directory
    //   is made by `directory` alone, under a random name.
    // - The demo writes the file once, with `Writer`, which never changes a file that has appeared at its path; it is
    //   unlinked in the end, which leaves mappings alone.
    Ok(unsafe { Segment::map(path) }?)
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let done = work();
    (done, start.elapsed())
}

/// `12.3 µs`.
fn micros(time: Duration) -> String {
    format!("{:.1} µs", time.as_nanos() as f64 / 1000.0)
}
