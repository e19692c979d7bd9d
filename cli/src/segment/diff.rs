//! `graven diff`: what differs between the objects of two segments.

mod values;

use std::fmt::Display;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use graven_format::{Entry, LayoutMismatch};
use serde_json::{Value as Json, json};

use crate::Failure;
use crate::names::Names;
use crate::objects::{Objects, most_values};
use crate::source;
use crate::text::{self, grouped, object, printable};
use values::{Change, Changes, compare};

/// Characters of a path or a layout that are shown.
const SHOWN: usize = 400;

/// Print what differs between the objects of two segments
///
/// Objects are matched by name, and their layouts compared; with --values also what they hold, by what it means:
/// fields by name, sequences by position, maps by key, across layouts and builds.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  graven diff old.grv new.grv             objects that are new or gone, and layouts that differ
  graven diff --values old.grv new.grv    contents too
  graven diff --values --limit 0 old.grv new.grv    only how many differences

Exit codes: 0 the same; 1 they differ; 2 trouble, or wrong usage.")]
pub struct Diff {
    /// The one segment
    pub old: PathBuf,
    /// The other
    pub new: PathBuf,
    /// Compare what is in the objects too
    #[arg(long)]
    pub values: bool,
    /// Differences to print, of all objects together; the others are counted
    #[arg(long, value_name = "N", default_value_t = Diff::LIMIT)]
    pub limit: usize,
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
}

impl Diff {
    /// Differences that are printed unless said otherwise.
    pub const LIMIT: usize = 100;

    pub(crate) fn run(&self, out: &mut dyn Write) -> Result<bool, Failure> {
        let read = |path| if self.values { source::whole(path) } else { source::described(path) };
        self.print([&read(&self.old)?, &read(&self.new)?], out)
    }

    /// Prints what differs between the objects of two segments of any builds; whether anything does.
    ///
    /// Objects are matched by name. Layouts are compared by their schemas; with `values`, contents by what they mean:
    /// also where layouts differ. Cost: O(directories and schemas), with `values` O(bytes) and the keys of one map at a
    /// time.
    ///
    /// # Errors
    /// [`Failure::Cause`], with the file: no segment, or damage; with `values` also objects that hold the same bytes
    /// again and again, or are deeper than 65,536. What was found before has been printed then, unless as JSON.
    ///
    /// # Examples
    /// ```
    /// use graven_cli::segment::diff::Diff;
    /// let (old, new) = ("a.grv".into(), "b.grv".into());
    /// let what = Diff { old, new, values: true, limit: Diff::LIMIT, json: false };
    /// let failure = what.print([b"no segment", b""], &mut Vec::new()).unwrap_err();
    /// assert!(failure.to_string().starts_with("a.grv: "));
    /// ```
    pub fn print(&self, [old, new]: [&[u8]; 2], out: &mut dyn Write) -> Result<bool, Failure> {
        let (old_file, new_file) = (self.of_old(), self.of_new());
        let mut both = Both {
            old: Objects::of(old).map_err(old_file)?,
            new: Objects::of(new).map_err(new_file)?,
            what: self,
            left: self.limit,
        };
        let names = [&self.old, &self.new].map(|path| path.to_string_lossy());
        let (mut found, mut failed, mut started) = (Vec::new(), None, false);
        let mut report = |object: ObjectDiff, out: &mut dyn Write| -> Result<(), Failure> {
            if self.json {
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
            let (object, trouble) = both.object(&entry.map_err(old_file)?)?;
            if let Some(object) = object {
                same = false;
                report(object, out)?;
            }
            failed = failed.or(trouble);
        }
        for entry in both.new.iter() {
            let entry = entry.map_err(new_file)?;
            if both.old.find(entry.name).map_err(old_file)?.is_none() {
                same = false;
                let schema = both.new.schema(&entry).map_err(new_file)?;
                let ty = Some(Names::new(&schema).of(0));
                report(ObjectDiff { name: entry.name.to_owned(), new: ty, ..ObjectDiff::default() }, out)?;
            }
        }
        if let Some(failure) = failed {
            return Err(failure);
        }
        if self.json {
            let [old, new] = &names;
            text::json(out, &json!({ "old": old, "new": new, "same": same, "objects": found }))?;
        }
        Ok(!same)
    }

    fn of_old(&self) -> impl Fn(Failure) -> Failure + Copy {
        move |failure| failure.of_file(&self.old)
    }

    fn of_new(&self) -> impl Fn(Failure) -> Failure + Copy {
        move |failure| failure.of_file(&self.new)
    }
}

/// Two segments that are compared.
struct Both<'a> {
    old: Objects<'a>,
    new: Objects<'a>,
    what: &'a Diff,
    /// Differences that may still be printed.
    left: usize,
}

impl Both<'_> {
    /// Compares an object of the old segment with that of the same name: what differs, and what could not be compared.
    fn object(&mut self, entry: &Entry<'_>) -> Result<(Option<ObjectDiff>, Option<Failure>), Failure> {
        let (old_file, new_file) = (self.what.of_old(), self.what.of_new());
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
                    let failure = Failure::new(format!("object {}: {}", object(entry.name), error.what));
                    if error.old { old_file(failure) } else { new_file(failure) }
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
                let path = match &*cut(&change.path) {
                    "" => String::new(),
                    path => format!("{path}: "),
                };
                match (&change.old, &change.new) {
                    (Some(old), Some(new)) => writeln!(out, "    {path}{old} -> {new}")?,
                    (Some(old), None) => writeln!(out, "  - {path}{old}")?,
                    (None, Some(new)) => writeln!(out, "  + {path}{new}")?,
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
