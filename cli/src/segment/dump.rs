//! `graven dump`: what is in a segment's objects, read by their schema.
//!
//! Values that fit on a line are printed on one; others with what they hold below, indented. Nothing is collected and
//! nothing recurses: the values that are open are on a stack of iterators, each of which reads where it is.

use std::io::Write;
use std::rc::Rc;

use graven_format::{Entry, Kind, Limits, Schema, Value, ValueError};

use crate::Failure;
use crate::brief::{Line, Stop, is_bytes, numbered, scalar};
use crate::objects::{Objects, most_values};
use crate::segment::schema::Names;
use crate::text::{HarmlessJson, grouped, label, object, printable};

/// Characters on a line, and those that a value gets however deep it is.
const WIDTH: usize = 100;
const NARROW: usize = 40;
/// Characters of a map's key that stand before its value.
const KEY: usize = 60;

/// What is printed of an object.
#[derive(Debug, Clone, Copy)]
pub struct Dump<'a> {
    /// The object; without, the root, or all objects if there is no root.
    pub object: Option<&'a str>,
    /// The way to a value in it, as [`Value::path`] reads it.
    pub path: Option<&'a str>,
    /// Elements of each sequence, map and set, and a tenth of the bytes of each text; all of them if 0. As JSON, values
    /// altogether; if 0, as many as without a limit.
    pub limit: Option<u64>,
    /// Values inside each other.
    pub depth: u32,
    /// Print JSON instead of text.
    pub json: bool,
}

impl Dump<'_> {
    /// Elements of each sequence that are printed unless said otherwise.
    pub const LIMIT: u64 = 100;
    /// Values inside each other that are printed unless said otherwise; as deep as JSON is commonly read.
    pub const DEPTH: u32 = 128;
    /// The most values inside each other that are printed as JSON: each takes stack.
    pub const DEPTH_JSON: u32 = 512;
}

/// Prints what is in the objects of a segment.
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
/// use graven_cli::segment::dump::{Dump, dump};
/// let what = Dump { object: None, path: None, limit: None, depth: Dump::DEPTH, json: false };
/// let failure = dump(b"no segment", &what, &mut Vec::new()).unwrap_err();
/// assert!(failure.to_string().contains("truncated"));
/// ```
pub fn dump(bytes: &[u8], what: &Dump<'_>, out: &mut dyn Write) -> Result<(), Failure> {
    if what.json && what.depth > Dump::DEPTH_JSON {
        return Err(Failure::new(format!(
            "--depth {} is more than JSON is printed with, {}; leave out --json, or print a part with --path",
            what.depth,
            Dump::DEPTH_JSON
        )));
    }
    let mut objects = Objects::of(bytes)?;
    let one = match (what.object, objects.find("")?) {
        (Some(name), _) => Some(objects.find(name)?.ok_or_else(|| objects.none(name))?),
        (None, Some(root)) => Some(root),
        (None, None) if what.path.is_some() => return Err(objects.none("")),
        (None, None) => None,
    };
    if let Some(entry) = one {
        each(&mut objects, &entry, what, out)?;
        if what.json {
            writeln!(out)?;
        }
        return objects.check(&entry);
    }
    if what.json {
        out.write_all(b"{")?;
    }
    let (mut first, mut failed) = (true, None);
    for entry in objects.iter() {
        let entry = entry?;
        if what.json {
            out.write_all(if first { b"" } else { b"," })?;
            serde_json::to_writer(HarmlessJson(out), entry.name).map_err(json_failure)?;
            out.write_all(b":")?;
            each(&mut objects, &entry, what, out)?;
        } else {
            if !first {
                writeln!(out)?;
            }
            match each(&mut objects, &entry, what, out) {
                Err(failure @ Failure::Cause { .. }) => failed = failed.or(Some(failure)),
                other => other?,
            }
        }
        failed = failed.or(objects.check(&entry).err());
        first = false;
    }
    match (what.json, first) {
        (true, _) => writeln!(out, "}}")?,
        (false, true) => writeln!(out, "no objects")?,
        _ => {}
    }
    failed.map_or(Ok(()), Err)
}

/// One object.
fn each(
    objects: &mut Objects<'_>,
    entry: &Entry<'_>,
    what: &Dump<'_>,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let schema: Rc<Schema> = objects.schema(entry)?;
    let bytes = objects.bytes(entry);
    let of = |error: String| Failure::new(format!("object {}: {error}", object(entry.name)));
    let value = objects.value(entry, &schema)?;
    let value = value.path(what.path.unwrap_or_default()).map_err(|error| of(error.to_string()))?;
    if what.json {
        let limits = Limits {
            depth: what.depth,
            elements: what.limit.filter(|limit| *limit > 0).unwrap_or_else(|| most_values(bytes)),
            bytes: most_values(bytes).saturating_mul(64),
        };
        let done = serde_json::to_writer(HarmlessJson(out), &value.with_limits(limits));
        return done.map_err(|error| match error.is_io() {
            true => json_failure(error),
            false => of(error.to_string()),
        });
    }
    let name = match what.path {
        Some(path) if !path.is_empty() => label(path),
        _ => object(entry.name),
    };
    let limit = match what.limit.unwrap_or(Dump::LIMIT) {
        0 => u64::MAX,
        limit => limit,
    };
    let mut tree = Tree {
        names: Names::new(&schema),
        out,
        limit,
        depth: what.depth as usize,
        left: most_values(bytes),
        open: Vec::new(),
        damage: None,
    };
    let done = tree.print(&name, value);
    match (done?, tree.damage) {
        (false, _) => Err(of(format!(
            "holds the same bytes again and again; stopped after {} values",
            grouped(most_values(bytes))
        ))),
        (true, Some(error)) => Err(of(error.to_string())),
        (true, None) => Ok(()),
    }
}

fn json_failure(error: serde_json::Error) -> Failure {
    match error.is_io() {
        true => Failure::Output(error.into()),
        false => Failure::new(error),
    }
}

/// What stands before a value.
enum Label<'a> {
    Name(&'a str),
    Number(u64),
    Key(Value<'a>),
    /// Of the elements of a set.
    None,
}

type Item<'a> = (Label<'a>, Result<Value<'a>, ValueError>);

/// A value whose parts are being printed.
struct Open<'a> {
    items: Box<dyn Iterator<Item = Item<'a>> + 'a>,
    /// Parts that are still to be printed, and those that are not.
    left: u64,
    more: u64,
}

/// An object being printed as an indented tree.
struct Tree<'o, 'a> {
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

impl<'a> Tree<'_, 'a> {
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

    fn item(&mut self, before: Label<'a>, value: Result<Value<'a>, ValueError>) -> Result<(), Failure> {
        let name = match before {
            Label::Name(name) => label(name),
            Label::Number(number) => format!("[{}]", grouped(number)),
            Label::None => "-".to_owned(),
            Label::Key(key) => {
                let (line, done) = Line::of(&key, KEY);
                self.left = self.left.saturating_sub(line.cost);
                match done {
                    Ok(()) => line.text(),
                    // A key that is no name for its value: both below, as fields.
                    Err(_) => {
                        let pair = [(Label::Name("key"), Ok(key)), (Label::Name("value"), value)];
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
                let fields = value.fields()?.map(|(name, field)| (Label::Name(name), field));
                self.line(&heading(ty)).and_then(|()| self.enter(fields, u64::MAX, u64::MAX))
            }
            Kind::Enum => {
                let variant = label(&value.variant()?.name);
                // A variant of one field without a name is as long as the field.
                let fields = value.fields()?.map(|(name, field)| (Label::Name(name), field));
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
                let items = (0..).zip(elements).map(|(i, element)| (Label::Number(i), element));
                self.line(&heading).and_then(|()| self.enter(items, limit, len))
            }
            kind @ (Kind::Map | Kind::Set) => {
                let (len, entries) = (value.len()?, value.entries()?);
                let items = entries.map(move |entry| match entry {
                    Ok((key, _)) if kind == Kind::Set => (Label::None, Ok(key)),
                    Ok((key, value)) => (Label::Key(key), Ok(value)),
                    Err(error) => (Label::None, Err(error)),
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
