//! `graven verify`: is every byte of a segment as it was written?

use std::collections::BTreeSet;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use clap::Args;
use graven_format::{Entry, Hasher, VerifyError, View};
use serde_json::{Value, json};

use crate::Failure;
use crate::names::Names;
use crate::objects::Objects;
use crate::progress::{self, Progress};
use crate::source;
use crate::text::{self, count, number, printable};

/// Bytes that are hashed before the progress is looked at.
const PIECE: usize = 16 << 20;
/// Types that are named.
const NAMED: usize = 100;

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
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  graven verify users.grv
  graven verify users.grv && mv users.grv /srv/tables/
  graven verify --json users.grv | jq '.objects[] | select(.checksum != \"ok\").name'

JSON has file, result (ok, damaged), error, length, structure_checked; of each object name,
length, checksum (ok, damaged; null if not looked at), structure_checked, and as
invariants_not_checked the types whose own rules only programs with these types can check.")]
pub struct Verify {
    /// The segment
    pub file: PathBuf,
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
    /// Objects to check at a time [default: as many as there are processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
}

impl Verify {
    pub(crate) fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let length = progress::length(&self.file);
        let bytes = progress::while_copying(length, "read", || source::whole(&self.file))?;
        self.print(&bytes, out).map_err(|failure| failure.of_file(&self.file))
    }

    /// Checks all of the segment in `bytes` that can be checked without its types, and says so.
    ///
    /// Cost: O(bytes). Segments of other builds are checked alike.
    ///
    /// # Errors
    /// [`Failure::Cause`] with the first damage found. JSON has been printed then too.
    ///
    /// # Examples
    /// ```
    /// use graven_cli::segment::verify::Verify;
    /// let (what, mut printed) = (Verify { file: "some.grv".into(), json: false, threads: None }, Vec::new());
    /// let failure = what.print(b"no segment", &mut printed).unwrap_err();
    /// assert!(failure.to_string().contains("truncated"));
    /// assert!(printed.is_empty());
    /// ```
    pub fn print(&self, bytes: &[u8], out: &mut dyn Write) -> Result<(), Failure> {
        let file = self.file.to_string_lossy();
        let mut found = Vec::new();
        let done = check(bytes, self.threads(), &mut found);
        if self.json {
            text::json(out, &report(&file, bytes, &found, done.as_ref().err()))?;
            return done;
        }
        done?;
        let objects = count(found.len() as u64, "object");
        writeln!(out, "{}: ok ({objects}, {})", printable(&file), count(bytes.len() as u64, "byte"))?;
        let types: BTreeSet<&str> =
            found.iter().flat_map(|found| &found.invariants).map(String::as_str).collect();
        if !types.is_empty() {
            let names: Vec<String> = types.iter().map(|name| printable(name).to_string()).collect();
            let what =
                "structure checked; what these types check themselves was not, since only their program can";
            writeln!(out, "{what}: {}", names.join(", "))?;
        }
        Ok(())
    }

    fn threads(&self) -> NonZeroUsize {
        let threads = self.threads.and_then(|threads| NonZeroUsize::new(threads.into()));
        threads.unwrap_or_else(|| thread::available_parallelism().unwrap_or(NonZeroUsize::MIN))
    }
}

/// What was found of an object.
struct Checked {
    name: String,
    length: u64,
    /// Whether the bytes are as written; not known if they were not looked at.
    checksum: Option<Result<(), VerifyError>>,
    /// Whether each value was checked against the layout, beyond its bytes.
    structure_checked: bool,
    /// Types whose own rules were not checked.
    invariants: Vec<String>,
}

/// Checks the segment, and fills `found` in the order of the directory, as far as that can be read.
fn check(bytes: &[u8], threads: NonZeroUsize, found: &mut Vec<Checked>) -> Result<(), Failure> {
    let view = View::inspect(bytes).map_err(Failure::new)?;
    let frame = view.verify_frame().map_err(Failure::new);
    let mut objects = match Objects::of(bytes) {
        Ok(objects) => objects,
        // The frame was damaged there.
        Err(failure) => return frame.and(Err(failure)),
    };
    let mut entries = Vec::new();
    for entry in objects.iter() {
        let Ok(entry) = entry else { break };
        let invariants = if frame.is_ok() { invariants(&mut objects, &entry) } else { Vec::new() };
        entries.push(entry);
        found.push(Checked {
            name: entry.name.to_owned(),
            length: entry.object.length,
            checksum: None,
            structure_checked: false,
            invariants,
        });
    }
    // What comes next relies on objects that do not overlap: otherwise it would be work that no byte stands for.
    frame?;
    checksums(&view, &entries, threads, found);
    let mut checked = found.iter().filter_map(|found| found.checksum.as_ref()?.as_ref().err());
    if let Some(error) = checked.next() {
        return Err(Failure::new(error.clone()));
    }
    view.verify_contents(|validator, object, root| {
        graven::format::validate(validator, object, root, threads)
    })
    .map_err(Failure::new)?;
    found.iter_mut().for_each(|found| found.structure_checked = true);
    Ok(())
}

/// The names of an object's types that have rules of their own, as far as they are shown.
fn invariants(objects: &mut Objects<'_>, entry: &Entry<'_>) -> Vec<String> {
    let Ok(schema) = objects.schema(entry) else { return Vec::new() };
    let mut names = Names::new(&schema);
    let with = (0..).zip(schema.types()).filter(|(_, ty)| ty.invariants);
    with.take(NAMED).map(|(index, _)| names.of(index)).collect()
}

/// Computes the objects' checksums, several at a time.
fn checksums(view: &View<'_>, entries: &[Entry<'_>], threads: NonZeroUsize, found: &mut [Checked]) {
    let total = entries.iter().map(|entry| entry.object.length).sum();
    let progress = Progress::on_stderr(total, "checked");
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(entry) = entries.get(index) else { break };
            let mut hasher = Hasher::new(0);
            for piece in view.object_bytes(entry).chunks(PIECE) {
                hasher.update(piece);
                progress.add(piece.len() as u64);
            }
            let result = view.verify_object(entry, hasher.digest());
            results.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads.get().min(entries.len()) {
            // Where no thread is to be had, those that are there do its work.
            if thread::Builder::new().spawn_scoped(scope, work).is_err() {
                break;
            }
        }
        work();
    });
    drop(progress);
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(index, _)| *index);
    for (found, (_, result)) in found.iter_mut().zip(results) {
        found.checksum = Some(result);
    }
}

fn report(file: &str, bytes: &[u8], found: &[Checked], failure: Option<&Failure>) -> Value {
    let each = |found: &Checked| {
        json!({
            "name": found.name,
            "length": number(found.length),
            "checksum": found.checksum.as_ref().map(|checksum| match checksum {
                Ok(()) => "ok",
                Err(_) => "damaged",
            }),
            "structure_checked": found.structure_checked,
            "invariants_not_checked": found.invariants,
        })
    };
    json!({
        "file": file,
        "result": if failure.is_none() { "ok" } else { "damaged" },
        "error": failure.map(|failure| failure.to_string()),
        "length": number(bytes.len() as u64),
        "structure_checked": !found.is_empty() && found.iter().all(|found| found.structure_checked),
        "objects": found.iter().map(each).collect::<Vec<_>>(),
    })
}
