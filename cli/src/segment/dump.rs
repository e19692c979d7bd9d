//! `graven dump`: what is in a segment's objects, read by their schema.
//!
//! Values that fit on a line are printed on one; others with what they hold below, indented. Nothing is collected and
//! nothing recurses: the values that are open are on a stack of iterators, each of which reads where it is.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use graven_format::{Entry, Kind, Limits, Value, ValueError};

use crate::Failure;
use crate::line::{Line, Stop, is_bytes, numbered, scalar};
use crate::names::Names;
use crate::objects::{Objects, most_values};
use crate::source;
use crate::text::{HarmlessJson, grouped, label, object, printable};

/// Characters on a line, and those that a value gets however deep it is.
const WIDTH: usize = 100;
const NARROW: usize = 40;
/// Characters of a map's key that stand before its value.
const KEY: usize = 60;

/// Elements of each sequence that are printed unless said otherwise.
const LIMIT: u64 = 100;
/// The most values inside each other that are printed as JSON: each takes stack.
const DEPTH_JSON: u32 = 512;

/// Print what is in a segment's objects
///
/// Objects are read by their schema, so segments of other builds and of types that no program here knows print
/// too. What fits is printed on one line. Without OBJECT: the root, or all objects if there is no root. What is
/// damaged is marked, and the exit code is 1.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  graven dump users.grv                         the root, or all objects
  graven dump users.grv routes                  the object \"routes\"
  graven dump users.grv users --path '[3].name'
  graven dump users.grv ports --path https      a map's value, by its key
  graven dump users.grv users --limit 0         all elements, whole texts
  graven dump users.grv users --json | jq '.[].name'

Paths: .field  [3]  [\"key\"]  .key  [true]; {3} is the fourth entry of a map.
JSON is printed whole or fails. Enums are as serde has them; maps whose keys are
neither texts nor integers, bools or chars are lists of pairs.")]
pub struct Dump {
    /// The segment
    pub file: PathBuf,
    /// Only the object of this name ('' is the root)
    pub object: Option<String>,
    /// Only the value that this path leads to
    #[arg(long, value_name = "PATH")]
    pub path: Option<String>,
    /// Elements of each sequence and map, and a tenth of the bytes of each text [default: 100; 0: all]. With --json,
    /// values altogether, more than which is a failure [default: four for each byte]
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// Values inside each other (with --json at most 512)
    #[arg(long, value_name = "N", default_value_t = Dump::DEPTH, value_parser = clap::value_parser!(u32).range(1..))]
    pub depth: u32,
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
}

impl Dump {
    /// Values inside each other that are printed unless said otherwise; as deep as JSON is commonly read.
    pub const DEPTH: u32 = 128;

    pub(crate) fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let bytes = source::objects(&self.file, self.object.as_deref())?;
        self.print(&bytes, out).map_err(|failure| failure.of_file(&self.file))
    }

    /// Prints what is in the objects of the segment in `bytes`.
    ///
    /// Cost: O(values that are printed), and O(bytes) for the checksum of each object. Whatever the bytes are, no more
    /// values are visited than a constant plus four times the object's bytes.
    ///
    /// # Errors
    /// [`Failure::Cause`]: no segment, no such object, a path that leads nowhere, damage; as JSON also a limit that was
    /// reached. What could be read has been printed then; as text, also what is behind the damage.
    ///
    /// # Examples
    /// ```
    /// use graven_cli::segment::dump::Dump;
    /// let file = "some.grv".into();
    /// let what = Dump { file, object: None, path: None, limit: None, depth: Dump::DEPTH, json: false };
    /// let failure = what.print(b"no segment", &mut Vec::new()).unwrap_err();
    /// assert!(failure.to_string().contains("truncated"));
    /// ```
    pub fn print(&self, bytes: &[u8], out: &mut dyn Write) -> Result<(), Failure> {
        if self.json && self.depth > DEPTH_JSON {
            return Err(Failure::new(format!(
                "--depth {} is more than JSON is printed with, {DEPTH_JSON}; leave out --json, or print a part with --path",
                self.depth
            )));
        }
        let mut objects = Objects::of(bytes)?;
        let one = match (&self.object, objects.find("")?) {
            (Some(name), _) => Some(objects.find(name)?.ok_or_else(|| objects.none(name))?),
            (None, Some(root)) => Some(root),
            (None, None) if self.path.is_some() => return Err(objects.none("")),
            (None, None) => None,
        };
        let Some(entry) = one else { return self.all(&mut objects, out) };
        self.one(&mut objects, &entry, out)?;
        if self.json {
            writeln!(out)?;
        }
        objects.check(&entry)
    }

    /// All objects, of which none is the root.
    fn all(&self, objects: &mut Objects<'_>, out: &mut dyn Write) -> Result<(), Failure> {
        if self.json {
            out.write_all(b"{")?;
        }
        let (mut first, mut failed) = (true, None);
        for entry in objects.iter() {
            let entry = entry?;
            if self.json {
                out.write_all(if first { b"" } else { b"," })?;
                serde_json::to_writer(HarmlessJson(out), entry.name).map_err(json_failure)?;
                out.write_all(b":")?;
                self.one(objects, &entry, out)?;
            } else {
                if !first {
                    writeln!(out)?;
                }
                match self.one(objects, &entry, out) {
                    Err(failure @ Failure::Cause { .. }) => failed = failed.or(Some(failure)),
                    other => other?,
                }
            }
            failed = failed.or(objects.check(&entry).err());
            first = false;
        }
        match (self.json, first) {
            (true, _) => writeln!(out, "}}")?,
            (false, true) => writeln!(out, "no objects")?,
            _ => {}
        }
        failed.map_or(Ok(()), Err)
    }

    fn one(&self, objects: &mut Objects<'_>, entry: &Entry<'_>, out: &mut dyn Write) -> Result<(), Failure> {
        let schema = objects.schema(entry)?;
        let most = most_values(objects.bytes(entry));
        let of = |error: String| Failure::new(format!("object {}: {error}", object(entry.name)));
        let path = self.path.as_deref().unwrap_or_default();
        let value = objects.value(entry, &schema)?.path(path).map_err(|error| of(error.to_string()))?;
        if self.json {
            let limits = Limits {
                depth: self.depth,
                elements: self.limit.filter(|limit| *limit > 0).unwrap_or(most),
                bytes: most.saturating_mul(64),
            };
            let done = serde_json::to_writer(HarmlessJson(out), &value.with_limits(limits));
            return done.map_err(|error| match error.is_io() {
                true => json_failure(error),
                false => of(error.to_string()),
            });
        }
        let mut printer = Printer {
            names: Names::new(&schema),
            out,
            limit: match self.limit.unwrap_or(LIMIT) {
                0 => u64::MAX,
                limit => limit,
            },
            depth: self.depth as usize,
            left: most,
            open: Vec::new(),
            damage: None,
        };
        let complete =
            printer.print(&if path.is_empty() { object(entry.name) } else { label(path) }, value)?;
        match printer.damage {
            _ if !complete => {
                let what = "holds the same bytes again and again; stopped after";
                Err(of(format!("{what} {} values", grouped(most))))
            }
            Some(error) => Err(of(error.to_string())),
            None => Ok(()),
        }
    }
}

fn json_failure(error: serde_json::Error) -> Failure {
    match error.is_io() {
        true => Failure::Output(error.into()),
        false => Failure::new(error),
    }
}

/// The step to a value, which stands before it.
enum Step<'a> {
    Name(&'a str),
    Number(u64),
    Key(Value<'a>),
    /// Of the elements of a set.
    None,
}

type Item<'a> = (Step<'a>, Result<Value<'a>, ValueError>);

/// A value whose parts are being printed.
struct Open<'a> {
    items: Box<dyn Iterator<Item = Item<'a>> + 'a>,
    /// Parts that are still to be printed, and those that are not.
    left: u64,
    more: u64,
}

/// Prints an object as an indented tree.
struct Printer<'o, 'a> {
    names: Names<'a>,
    out: &'o mut dyn Write,
    limit: u64,
    depth: usize,
    /// Values that may still be visited.
    left: u64,
    open: Vec<Open<'a>>,
    /// The first that was met.
    damage: Option<ValueError>,
}

impl<'a> Printer<'_, 'a> {
    /// Prints a value and all below. Says whether it came to the end.
    fn print(&mut self, name: &str, value: Value<'a>) -> Result<bool, Failure> {
        self.value(name, value)?;
        while let Some(open) = self.open.last_mut() {
            if self.left == 0 {
                return Ok(false);
            }
            self.left -= 1;
            let item = match open.left.checked_sub(1) {
                Some(left) => {
                    open.left = left;
                    open.items.next()
                }
                None => None,
            };
            match item {
                Some((label, value)) => self.item(label, value)?,
                None => {
                    if open.left == 0 && open.more > 0 {
                        let more = open.more;
                        self.line(&format!("… {} more", grouped(more)))?;
                    }
                    self.open.pop();
                }
            }
        }
        Ok(true)
    }

    fn line(&mut self, text: &str) -> Result<(), Failure> {
        writeln!(self.out, "{:indent$}{text}", "", indent = 2 * self.open.len())?;
        Ok(())
    }

    fn damaged(&mut self, name: &str, error: ValueError) -> Result<(), Failure> {
        self.line(&format!("{name}: damaged: {}", printable(&error.to_string())))?;
        self.damage.get_or_insert(error);
        Ok(())
    }

    fn item(&mut self, step: Step<'a>, value: Result<Value<'a>, ValueError>) -> Result<(), Failure> {
        let name = match step {
            Step::Name(name) => label(name),
            Step::Number(number) => format!("[{}]", grouped(number)),
            Step::None => "-".to_owned(),
            Step::Key(key) => {
                let (line, done) = Line::of(&key, KEY);
                self.left = self.left.saturating_sub(line.cost);
                match done {
                    Ok(()) => line.text(),
                    // A key that is no name for its value: both below, as fields.
                    Err(_) => {
                        let pair = [(Step::Name("key"), Ok(key)), (Step::Name("value"), value)];
                        self.line("- entry")?;
                        return self.enter(pair.into_iter(), 2, u64::MAX);
                    }
                }
            }
        };
        match value {
            Ok(value) => self.value(&name, value),
            Err(error) => self.damaged(&name, error),
        }
    }

    /// Prints a value, or its first line, leaving the rest open.
    fn value(&mut self, name: &str, value: Value<'a>) -> Result<(), Failure> {
        let before = 2 * self.open.len() + name.chars().count() + 2;
        let (line, done) = Line::of(&value, WIDTH.saturating_sub(before).max(NARROW));
        self.left = self.left.saturating_sub(line.cost);
        match done {
            Ok(()) => self.line(&format!("{name}: {}", line.text())),
            Err(Stop::Bad(error)) if !is_open(&value) => self.damaged(name, error),
            Err(_) => match self.start(name, value) {
                Ok(done) => done,
                Err(error) => self.damaged(name, error),
            },
        }
    }

    /// Prints the first line of a value that takes several.
    fn start(&mut self, name: &str, value: Value<'a>) -> Result<Result<(), Failure>, ValueError> {
        let (value, some) = inside(value)?;
        let some = if some { "Some " } else { "" };
        let ty = self.names.of(value.type_index());
        if self.open.len() >= self.depth && is_open(&value) {
            return Ok(self.line(&format!("{name}: {some}{ty} … deeper than {}", self.depth)));
        }
        let heading = |what: String| format!("{name}: {some}{what}");
        let limit = self.limit;
        Ok(match value.kind() {
            Kind::String | Kind::CString => self.text(&heading(String::new()), &value)?,
            Kind::Opaque => self.rows(&heading(ty), &value, value.as_bytes()?.len() as u64)?,
            Kind::Struct | Kind::Tuple => {
                let fields = value.fields()?.map(|(name, field)| (Step::Name(name), field));
                self.line(&heading(ty)).and_then(|()| self.enter(fields, u64::MAX, u64::MAX))
            }
            Kind::Enum => {
                let variant = label(&value.variant()?.name);
                // A variant of one field without a name is as long as the field.
                let fields = value.fields()?.map(|(name, field)| (Step::Name(name), field));
                let braces = if numbered(&value)? { "(…)" } else { "" };
                self.line(&heading(format!("{ty}::{variant}{braces}")))
                    .and_then(|()| self.enter(fields, u64::MAX, u64::MAX))
            }
            Kind::Sequence => {
                let (len, elements) = (value.len()?, value.iter()?);
                let heading = heading(format!("{ty}, {}", many(len, "element", "elements")));
                if is_bytes(&value) {
                    return self.rows(&heading, &value, len);
                }
                if let Some(Ok(first)) = elements.clone().next()
                    && matches!(
                        first.kind(),
                        Kind::Bool | Kind::Unsigned | Kind::Signed | Kind::Float | Kind::Char
                    )
                {
                    return Ok(self.numbers(&heading, elements, len));
                }
                let items = (0..).zip(elements).map(|(i, element)| (Step::Number(i), element));
                self.line(&heading).and_then(|()| self.enter(items, limit, len))
            }
            kind @ (Kind::Map | Kind::Set) => {
                let (len, entries) = (value.len()?, value.entries()?);
                let items = entries.map(move |entry| match entry {
                    Ok((key, _)) if kind == Kind::Set => (Step::None, Ok(key)),
                    Ok((key, value)) => (Step::Key(key), Ok(value)),
                    Err(error) => (Step::None, Err(error)),
                });
                self.line(&heading(format!("{ty}, {}", many(len, "entry", "entries"))))
                    .and_then(|()| self.enter(items, limit, len))
            }
            // None would have fitted.
            Kind::Option => self.line(&heading("… options inside each other".to_owned())),
            Kind::Duration => value.as_duration().map(|time| self.line(&heading(format!("{time:?}"))))?,
            // Others fit on a line, so this one is damaged.
            _ => scalar(&value).map(|text| self.line(&heading(text)))?,
        })
    }

    /// Leaves the parts of a value to be printed: `limit` of `len`, which is not known of fields.
    fn enter(
        &mut self,
        items: impl Iterator<Item = Item<'a>> + 'a,
        limit: u64,
        len: u64,
    ) -> Result<(), Failure> {
        let more = if len == u64::MAX { 0 } else { len.saturating_sub(limit) };
        self.open.push(Open { items: Box::new(items), left: limit, more });
        Ok(())
    }

    /// A text that is longer than a line, as far as it is shown.
    fn text(&mut self, heading: &str, value: &Value<'a>) -> Result<Result<(), Failure>, ValueError> {
        let all = value.as_bytes()?;
        let shown = usize::try_from(self.limit.saturating_mul(10)).unwrap_or(usize::MAX).min(all.len());
        self.left = self.left.saturating_sub(shown as u64 / 64);
        if value.kind() == Kind::CString {
            self.left = self.left.saturating_sub(all.len() as u64 / 64);
            let more = more_bytes(all.len() - shown);
            return Ok(self.line(&format!("{heading}c\"{}\"{more}", all[..shown].escape_ascii())));
        }
        let text = match str::from_utf8(&all[..shown]) {
            Ok(text) => text,
            Err(error) if error.error_len().is_none() && shown < all.len() => {
                str::from_utf8(&all[..error.valid_up_to()]).unwrap_or_default()
            }
            Err(_) => value.as_str()?,
        };
        let more = more_bytes(all.len() - text.len());
        Ok(self.line(&format!("{heading}{text:?}{more}")))
    }

    /// Bytes, sixteen on a line.
    fn rows(
        &mut self,
        heading: &str,
        value: &Value<'a>,
        len: u64,
    ) -> Result<Result<(), Failure>, ValueError> {
        let all = value.as_bytes()?;
        let shown = usize::try_from(self.limit).unwrap_or(usize::MAX).min(all.len());
        self.left = self.left.saturating_sub(shown as u64);
        let mut print = || {
            self.line(heading)?;
            for (row, bytes) in all[..shown].chunks(16).enumerate() {
                let hex: String = bytes.iter().map(|byte| format!(" {byte:02x}")).collect();
                let plain = |byte: &u8| if (b' '..=b'~').contains(byte) { char::from(*byte) } else { '.' };
                let text: String = bytes.iter().map(plain).collect();
                self.line(&format!("  {:>8}:{hex:<48}  {text}", grouped(16 * row as u64)))?;
            }
            match len - shown as u64 {
                0 => Ok(()),
                more => self.line(&format!("  … {} more", grouped(more))),
            }
        };
        Ok(print())
    }

    /// Numbers and the like, as many on a line as fit.
    fn numbers(
        &mut self,
        heading: &str,
        elements: impl Iterator<Item = Result<Value<'a>, ValueError>>,
        len: u64,
    ) -> Result<(), Failure> {
        self.line(heading)?;
        let width = WIDTH.saturating_sub(2 * self.open.len()).max(NARROW);
        let (shown, mut row) = (self.limit.min(len), String::new());
        for (i, element) in (0..shown).zip(elements) {
            self.left = self.left.saturating_sub(1);
            let text = match element.and_then(|element| scalar(&element)) {
                Ok(text) => text,
                Err(error) => {
                    let text = printable(&error.to_string()).to_string();
                    self.damage.get_or_insert(error);
                    format!("(damaged: {text})")
                }
            };
            if !row.is_empty() && row.chars().count() + 1 + text.chars().count() > width {
                self.line(&row)?;
                row.clear();
            }
            if row.is_empty() {
                row = format!("  {:>8}:", grouped(i));
            }
            row.push(' ');
            row.push_str(&text);
        }
        if !row.is_empty() {
            self.line(&row)?;
        }
        match len - shown {
            0 => Ok(()),
            more => self.line(&format!("  … {} more", grouped(more))),
        }
    }
}

fn many(number: u64, one: &str, several: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { several })
}

fn more_bytes(more: usize) -> String {
    match more {
        0 => String::new(),
        more => format!(" … {} more bytes", grouped(more as u64)),
    }
}

/// Whether a value may hold others, or more than fits a line.
fn is_open(value: &Value<'_>) -> bool {
    use Kind::*;
    !matches!(
        value.kind(),
        Unit | Bool | Unsigned | Signed | Float | Char | Duration | String | CString | Opaque
    )
}

/// Behind pointers and options, and whether there was an option.
fn inside(value: Value<'_>) -> Result<(Value<'_>, bool), ValueError> {
    let (mut value, mut some) = (value.resolve()?, false);
    // Types may hold themselves through pointers only, each of which resolving passes: this ends at the depth of a
    // line, which would have ended it before.
    for _ in 0..WIDTH {
        if value.kind() != Kind::Option {
            break;
        }
        match value.option()? {
            Some(held) => (value, some) = (held.resolve()?, true),
            None => break,
        }
    }
    Ok((value, some))
}
