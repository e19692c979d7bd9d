//! `graven verify`: is every byte of a segment as it was written?

use std::collections::BTreeSet;
use std::io::Write;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use graven_format::{Entry, Hasher, VerifyError, View};
use serde_json::{Value, json};

use crate::Failure;
use crate::objects::Objects;
use crate::progress::Progress;
use crate::segment::schema::Names;
use crate::text::{count, number, printable};

/// Bytes that are hashed before the progress is looked at.
const PIECE: usize = 16 << 20;
/// Types that are named.
const NAMED: usize = 100;

/// How a segment is verified.
#[derive(Debug, Clone, Copy, Default)]
pub struct Verify {
    /// Print JSON instead of text.
    pub json: bool,
    /// Objects that are checked at a time; without, as many as there are processors.
    pub threads: Option<usize>,
    /// Show how far it is, after a second, if standard error is a terminal.
    pub progress: bool,
}

impl Verify {
    fn threads(&self) -> usize {
        self.threads.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from))
    }
}

/// Checks all of a segment that can be checked without its types, and says so.
///
/// Cost: O(bytes). Segments of other builds are checked alike.
///
/// # Errors
/// [`Failure::Cause`] with the first damage found. JSON has been printed then too.
///
/// # Examples
/// ```
/// use graven_cli::segment::verify::{Verify, verify};
/// let mut printed = Vec::new();
/// let failure = verify("some.grv", b"no segment", &Verify::default(), &mut printed).unwrap_err();
/// assert!(failure.to_string().contains("truncated"));
/// assert!(printed.is_empty());
/// ```
pub fn verify(file: &str, bytes: &[u8], what: &Verify, out: &mut dyn Write) -> Result<(), Failure> {
    let mut found = Vec::new();
    let done = check(bytes, what, &mut found);
    if what.json {
        crate::text::json(out, &report(file, bytes, &found, done.as_ref().err()))?;
        return done;
    }
    done?;
    let objects = count(found.len() as u64, "object");
    writeln!(out, "{}: ok ({objects}, {})", printable(file), count(bytes.len() as u64, "byte"))?;
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

/// What was found of an object.
struct Found {
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
fn check(bytes: &[u8], what: &Verify, found: &mut Vec<Found>) -> Result<(), Failure> {
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
        found.push(Found {
            name: entry.name.to_owned(),
            length: entry.object.length,
            checksum: None,
            structure_checked: false,
            invariants,
        });
    }
    // What comes next relies on objects that do not overlap: otherwise it would be work that no byte stands for.
    frame?;
    checksums(&view, &entries, what, found);
    let mut checked = found.iter().filter_map(|found| found.checksum.as_ref()?.as_ref().err());
    if let Some(error) = checked.next() {
        return Err(Failure::new(error.clone()));
    }
    let threads = NonZeroUsize::new(what.threads()).unwrap_or(NonZeroUsize::MIN);
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
fn checksums(view: &View<'_>, entries: &[Entry<'_>], what: &Verify, found: &mut [Found]) {
    let progress = match what.progress {
        true => Progress::on_stderr(entries.iter().map(|entry| entry.object.length).sum(), "checked"),
        false => Progress::hidden(),
    };
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
        for _ in 1..what.threads().min(entries.len()) {
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

fn report(file: &str, bytes: &[u8], found: &[Found], failure: Option<&Failure>) -> Value {
    let each = |found: &Found| {
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
