//! `graven diff`: what differs between the objects of two segments.

mod values;

use std::fmt::Display;
use std::io::Write;
use std::path::Path;

use graven_format::{Entry, LayoutMismatch};
use serde_json::{Value as Json, json};

use crate::Failure;
use crate::objects::{Objects, most_values};
use crate::segment::schema::Names;
use crate::text::{grouped, object, printable};
use values::{Change, Changes, compare};

/// Characters of a place or a layout that are shown.
const SHOWN: usize = 400;

/// What is compared, and how much of it is printed.
#[derive(Debug, Clone, Copy)]
pub struct Diff {
    /// Compare what is in the objects too, not only how they are laid out.
    pub values: bool,
    /// Differences that are printed, of all objects together.
    pub limit: usize,
    /// Print JSON instead of text.
    pub json: bool,
}

impl Diff {
    /// Differences that are printed unless said otherwise.
    pub const LIMIT: usize = 100;
}

/// Prints what differs between the objects of two segments of any builds; whether anything does.
///
/// Objects are matched by name. Layouts are compared by their schemas; with `values`, contents by what they mean: also
/// where layouts differ. Cost: O(directories and schemas), with `values` O(bytes) and the keys of one map at a time.
///
/// # Errors
/// [`Failure::Cause`], with the file: no segment, or damage; with `values` also objects that hold the same bytes again
/// and again, or are deeper than 65,536. What was found before has been printed then, unless as JSON.
///
/// # Examples
/// ```
/// use graven_cli::segment::diff::{Diff, diff};
/// let what = Diff { values: true, limit: Diff::LIMIT, json: false };
/// let files = [("a.grv".as_ref(), &b"no segment"[..]), ("b.grv".as_ref(), b"")];
/// let failure = diff(files, &what, &mut Vec::new()).unwrap_err();
/// assert!(failure.to_string().starts_with("a.grv: "));
/// ```
pub fn diff(files: [(&Path, &[u8]); 2], what: &Diff, out: &mut dyn Write) -> Result<bool, Failure> {
    let [(old_path, old), (new_path, new)] = files;
    let mut both = Both {
        old: Objects::of(old).map_err(|failure| failure.of_file(old_path))?,
        new: Objects::of(new).map_err(|failure| failure.of_file(new_path))?,
        old_path,
        new_path,
        what,
        left: what.limit,
    };
    let names = files.map(|(path, _)| path.to_string_lossy());
    let (mut found, mut failed) = (Vec::new(), None);
    let mut started = false;
    let mut report = |object: ObjectDiff, out: &mut dyn Write| -> Result<(), Failure> {
        if what.json {
            found.push(object.json());
            return Ok(());
        }
        if !std::mem::replace(&mut started, true) {
            writeln!(out, "--- {}\n+++ {}", printable(&names[0]), printable(&names[1]))?;
        }
        object.print(out)
    };
    let mut same = true;
    for entry in both.old.iter() {
        let entry = entry.map_err(|failure| failure.of_file(old_path))?;
        let (object, trouble) = both.object(&entry)?;
        if let Some(object) = object {
            same = false;
            report(object, out)?;
        }
        failed = failed.or(trouble);
    }
    for entry in both.new.iter() {
        let entry = entry.map_err(|failure| failure.of_file(new_path))?;
        let known = both.old.find(entry.name).map_err(|failure| failure.of_file(old_path))?;
        if known.is_none() {
            same = false;
            let ty = Some(type_name(&mut both.new, &entry).map_err(|failure| failure.of_file(new_path))?);
            report(ObjectDiff { name: entry.name.to_owned(), new: ty, ..ObjectDiff::default() }, out)?;
        }
    }
    if let Some(failure) = failed {
        return Err(failure);
    }
    if what.json {
        let [old, new] = &names;
        crate::text::json(out, &json!({ "old": old, "new": new, "same": same, "objects": found }))?;
    }
    Ok(!same)
}

fn type_name(objects: &mut Objects<'_>, entry: &Entry<'_>) -> Result<String, Failure> {
    let schema = objects.schema(entry)?;
    Ok(Names::new(&schema).of(0))
}

/// Two segments that are compared.
struct Both<'a> {
    old: Objects<'a>,
    new: Objects<'a>,
    old_path: &'a Path,
    new_path: &'a Path,
    what: &'a Diff,
    /// Differences that may still be printed.
    left: usize,
}

impl Both<'_> {
    /// Compares an object of the old segment with that of the same name: what differs, and what could not be compared.
    fn object(&mut self, entry: &Entry<'_>) -> Result<(Option<ObjectDiff>, Option<Failure>), Failure> {
        let (old_path, new_path) = (self.old_path, self.new_path);
        let old_file = |failure: Failure| failure.of_file(old_path);
        let new_file = |failure: Failure| failure.of_file(new_path);
        let old = self.old.schema(entry).map_err(old_file)?;
        let mut found = ObjectDiff { name: entry.name.to_owned(), ..ObjectDiff::default() };
        found.old = Some(Names::new(&old).of(0));
        let Some(other) = self.new.find(entry.name).map_err(new_file)? else {
            return Ok((Some(found), None));
        };
        let new = self.new.schema(&other).map_err(new_file)?;
        found.new = Some(Names::new(&new).of(0));
        if let Some(mismatch) = LayoutMismatch::between(&old, &new) {
            for difference in mismatch.differences() {
                if self.left == 0 {
                    found.more_layout += 1;
                    continue;
                }
                self.left -= 1;
                let side = |side: &Option<String>| side.as_ref().map(cut);
                let path = cut(&difference.path);
                found.layout.push(Change {
                    path,
                    old: side(&difference.writer),
                    new: side(&difference.adopter),
                });
            }
        }
        let mut trouble = None;
        if self.what.values {
            let [bytes, others] = [self.old.bytes(entry), self.new.bytes(&other)];
            let equal = old.canonical() == new.canonical() && bytes == others && entry.root == other.root;
            if !equal {
                let value = self.old.value(entry, &old).map_err(old_file)?;
                let with = self.new.value(&other, &new).map_err(new_file)?;
                let most = most_values(bytes).saturating_add(most_values(others));
                let done = compare(value, with, self.left, most, &mut found.values);
                self.left -= found.values.kept.len();
                trouble = done.err().map(|error| {
                    let path = if error.old { old_path } else { new_path };
                    let name = object(entry.name);
                    Failure::new(format!("object {name}: {}", error.what)).of_file(path)
                });
            }
            let checks = [self.old.check(entry).map_err(old_file), self.new.check(&other).map_err(new_file)];
            trouble = checks.into_iter().fold(trouble, |first, check| first.or(check.err()));
        }
        Ok(((!found.is_empty()).then_some(found), trouble))
    }
}

/// As much of a text as is shown.
fn cut(text: impl Display) -> String {
    let text = text.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", printable(&text[..end])),
        None => printable(&text).to_string(),
    }
}

/// What differs in objects of one name.
#[derive(Debug, Default)]
struct ObjectDiff {
    name: String,
    /// The types, of the objects that there are.
    old: Option<String>,
    new: Option<String>,
    layout: Vec<Change>,
    more_layout: u64,
    values: Changes,
}

impl ObjectDiff {
    /// Whether both are there and alike.
    fn is_empty(&self) -> bool {
        let counts = self.layout.len() as u64 + self.more_layout + self.values.more;
        self.old.is_some() && self.new.is_some() && counts == 0 && self.values.kept.is_empty()
    }

    fn print(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let name = object(&self.name);
        match (&self.old, &self.new) {
            (Some(ty), None) => writeln!(out, "- {name}: {ty}")?,
            (None, Some(ty)) => writeln!(out, "+ {name}: {ty}")?,
            _ => {}
        }
        for (what, changes, more) in
            [("layout", &self.layout, self.more_layout), ("values", &self.values.kept, self.values.more)]
        {
            if changes.is_empty() && more == 0 {
                continue;
            }
            writeln!(out, "~ {name}: {what}")?;
            for change in changes {
                let place = match &*cut(&change.path) {
                    "" => String::new(),
                    path => format!("{path}: "),
                };
                match (&change.old, &change.new) {
                    (Some(old), Some(new)) => writeln!(out, "    {place}{old} -> {new}")?,
                    (Some(old), None) => writeln!(out, "  - {place}{old}")?,
                    (None, Some(new)) => writeln!(out, "  + {place}{new}")?,
                    (None, None) => {}
                }
            }
            if more > 0 {
                writeln!(out, "    … {} more", grouped(more))?;
            }
        }
        Ok(())
    }

    fn json(&self) -> Json {
        let changes = |changes: &[Change]| -> Json {
            let change =
                |change: &Change| json!({ "path": cut(&change.path), "old": change.old, "new": change.new });
            changes.iter().map(change).collect()
        };
        json!({
            "name": self.name,
            "old": self.old,
            "new": self.new,
            "layout": changes(&self.layout),
            "more_layout": self.more_layout,
            "values": changes(&self.values.kept),
            "more_values": self.values.more,
        })
    }
}
