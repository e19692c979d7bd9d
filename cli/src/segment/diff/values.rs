//! What differs between two values, which may be of different layouts and builds: by what they mean.
//!
//! Pointers and options are passed through, numbers of all widths compare, fields are matched by name, sequences by
//! index, entries of maps by key. Nothing recurses: pairs that are open are on a stack of iterators.

use std::collections::HashMap;

use graven_format::{Kind, Limits, Value, ValueError};

use crate::line::{Line, is_bytes};
use crate::text::{grouped, is_printable, short};

/// Characters of a value that are shown.
const SHOWN: usize = 60;
/// Values inside each other that are compared, and those of a key.
const DEPTH: usize = 1 << 16;
const KEY_DEPTH: u32 = 32;

/// Where two values differ, and how.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// The way there.
    pub(super) path: String,
    /// What was there, if anything.
    pub(super) old: Option<String>,
    /// What is there now.
    pub(super) new: Option<String>,
}

/// Differences: those that are kept, and how many more there are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    pub(super) kept: Vec<Change>,
    pub(super) more: u64,
}

/// Why values cannot be compared: which of the two, and what about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) old: bool,
    pub(super) what: String,
}

fn in_old(error: ValueError) -> Trouble {
    Trouble { old: true, what: error.to_string() }
}

fn in_new(error: ValueError) -> Trouble {
    Trouble { old: false, what: error.to_string() }
}

/// Compares two values; keeps up to `limit` differences, and visits up to `most` values. What was found before trouble
/// is in `changes`.
pub(super) fn compare(
    old: Value<'_>,
    new: Value<'_>,
    limit: usize,
    most: u64,
    changes: &mut Changes,
) -> Result<(), Trouble> {
    let mut walk = Walk { path: String::new(), open: Vec::new(), left: most, limit, changes };
    let mut done = walk.pair(old, new);
    while done.is_ok()
        && let Some(open) = walk.open.last_mut()
    {
        let (item, length) = (open.items.next(), open.path);
        walk.path.truncate(length);
        done = match item {
            None => {
                walk.open.pop();
                Ok(())
            }
            Some(item) => walk.item(item),
        };
    }
    done.map_err(|trouble| Trouble { what: format!("{}{}", before(&walk.path), trouble.what), ..trouble })
}

/// A path as the start of a message.
fn before(path: &str) -> String {
    let path = short(path);
    if path.is_empty() { path } else { format!("{path}: ") }
}

/// The step to a part of a value.
enum Step<'a> {
    Here,
    Name(&'a str),
    Number(u64),
    Key(String),
}

/// A part of the old value, of the new one, or of both.
enum Sides<'a> {
    Old(Value<'a>),
    New(Value<'a>),
    Both(Value<'a>, Value<'a>),
}

type Item<'a> = Result<(Step<'a>, Sides<'a>), Trouble>;

struct Open<'a> {
    items: Box<dyn Iterator<Item = Item<'a>> + 'a>,
    /// Length of the path to the value.
    path: usize,
}

struct Walk<'a, 'c> {
    path: String,
    open: Vec<Open<'a>>,
    left: u64,
    limit: usize,
    changes: &'c mut Changes,
}

impl<'a> Walk<'a, '_> {
    fn take(&mut self, cost: u64) -> Result<(), Trouble> {
        self.left = self.left.checked_sub(cost).ok_or_else(|| Trouble {
            old: true,
            what: "one of the two holds the same bytes again and again: too much to compare".to_owned(),
        })?;
        Ok(())
    }

    fn item(&mut self, item: Item<'a>) -> Result<(), Trouble> {
        let (step, sides) = item?;
        match step {
            Step::Here => {}
            Step::Name(name) => push_name(&mut self.path, name),
            Step::Number(number) => self.path.push_str(&format!("[{number}]")),
            Step::Key(key) => self.path.push_str(&key),
        }
        match sides {
            Sides::Both(old, new) => self.pair(old, new),
            Sides::Old(old) => self.change(Some(&old), None),
            Sides::New(new) => self.change(None, Some(&new)),
        }
    }

    fn change(&mut self, old: Option<&Value<'a>>, new: Option<&Value<'a>>) -> Result<(), Trouble> {
        self.take(1)?;
        if self.changes.kept.len() >= self.limit {
            self.changes.more += 1;
            return Ok(());
        }
        let mut cost = 0;
        let mut brief = |value: Option<&Value<'a>>| {
            let (line, done) = Line::of(value?, SHOWN);
            cost += line.cost;
            let more = if done.is_ok() { "" } else { "…" };
            Some(line.text() + more)
        };
        let change = Change { path: self.path.clone(), old: brief(old), new: brief(new) };
        self.changes.kept.push(change);
        self.take(cost)
    }

    fn enter(&mut self, items: impl Iterator<Item = Item<'a>> + 'a) -> Result<(), Trouble> {
        if self.open.len() >= DEPTH {
            let what = format!("values inside each other deeper than {}", grouped(DEPTH as u64));
            return Err(Trouble { old: true, what });
        }
        self.open.push(Open { items: Box::new(items), path: self.path.len() });
        Ok(())
    }

    fn pair(&mut self, mut old: Value<'a>, mut new: Value<'a>) -> Result<(), Trouble> {
        use Kind::*;
        // An option is passed where both hold something, or where the other is none of its type.
        loop {
            self.take(1)?;
            (old, new) = (old.resolve().map_err(in_old)?, new.resolve().map_err(in_new)?);
            let inside = |value: Value<'a>| match value.kind() {
                Option => value.option(),
                _ => Ok(Some(value)),
            };
            if old.kind() != Option && new.kind() != Option {
                break;
            }
            match (inside(old).map_err(in_old)?, inside(new).map_err(in_new)?) {
                (None, None) => return Ok(()),
                (Some(held), Some(other)) => (old, new) = (held, other),
                _ => return self.change(Some(&old), Some(&new)),
            }
        }
        let same = match (old.kind(), new.kind()) {
            (Unit, Unit) => true,
            (Bool, Bool) => old.as_bool().map_err(in_old)? == new.as_bool().map_err(in_new)?,
            (Unsigned | Signed, Unsigned | Signed) => {
                integer(&old).map_err(in_old)? == integer(&new).map_err(in_new)?
            }
            (Float, Float) => {
                let (old, new) = (old.as_f64().map_err(in_old)?, new.as_f64().map_err(in_new)?);
                old.to_bits() == new.to_bits() || (old.is_nan() && new.is_nan())
            }
            (Char, Char) => old.as_char().map_err(in_old)? == new.as_char().map_err(in_new)?,
            (Duration, Duration) => {
                old.as_duration().map_err(in_old)? == new.as_duration().map_err(in_new)?
            }
            (String, String) => {
                let (old, new) = (old.as_str().map_err(in_old)?, new.as_str().map_err(in_new)?);
                self.take(old.len().max(new.len()) as u64 / 64)?;
                old == new
            }
            (CString, CString) | (Opaque, Opaque) => {
                let (old, new) = (old.as_bytes().map_err(in_old)?, new.as_bytes().map_err(in_new)?);
                self.take(old.len().max(new.len()) as u64 / 64)?;
                old == new
            }
            (Struct | Tuple, Struct | Tuple) => return self.fields(old, new),
            (Enum, Enum) => {
                let names = (old.variant().map_err(in_old)?, new.variant().map_err(in_new)?);
                if names.0.name == names.1.name {
                    return self.fields(old, new);
                }
                false
            }
            (Sequence, Sequence) => return self.sequences(old, new),
            (Map, Map) | (Set, Set) => return self.maps(old, new),
            _ => false,
        };
        if same { Ok(()) } else { self.change(Some(&old), Some(&new)) }
    }

    /// Fields of the same name.
    fn fields(&mut self, old: Value<'a>, new: Value<'a>) -> Result<(), Trouble> {
        let old = old.fields().map_err(in_old)?.map(|(name, field)| Ok((name, field.map_err(in_old)?)));
        let new = new.fields().map_err(in_new)?.map(|(name, field)| Ok((name, field.map_err(in_new)?)));
        let old = old.collect::<Result<Vec<_>, _>>()?;
        let new = new.collect::<Result<Vec<_>, _>>()?;
        if old.iter().map(|(name, _)| name).eq(new.iter().map(|(name, _)| name)) {
            let pair = |((name, old), (_, new))| Ok((Step::Name(name), Sides::Both(old, new)));
            return self.enter(old.into_iter().zip(new).map(pair));
        }
        let mut theirs: HashMap<&str, Value<'a>> = new.iter().copied().collect();
        let mut items = Vec::new();
        for (name, old) in old {
            let part = match theirs.remove(name) {
                Some(new) => Sides::Both(old, new),
                None => Sides::Old(old),
            };
            items.push(Ok((Step::Name(name), part)));
        }
        let rest = new.into_iter().filter(|(name, _)| theirs.contains_key(name));
        items.extend(rest.map(|(name, new)| Ok((Step::Name(name), Sides::New(new)))));
        self.enter(items.into_iter())
    }

    /// Elements at the same index.
    fn sequences(&mut self, old: Value<'a>, new: Value<'a>) -> Result<(), Trouble> {
        if is_bytes(&old)
            && is_bytes(&new)
            && let (Ok(old), Ok(new)) = (old.as_bytes(), new.as_bytes())
            && old == new
        {
            return self.take(old.len() as u64 / 64);
        }
        let (mut old, mut new) = (old.iter().map_err(in_old)?, new.iter().map_err(in_new)?);
        let items = (0..).map_while(move |i| {
            let part = match (old.next(), new.next()) {
                (None, None) => return None,
                (Some(old), Some(new)) => {
                    old.map_err(in_old).and_then(|old| Ok(Sides::Both(old, new.map_err(in_new)?)))
                }
                (Some(old), None) => old.map_err(in_old).map(Sides::Old),
                (None, Some(new)) => new.map_err(in_new).map(Sides::New),
            };
            Some(part.map(|part| (Step::Number(i), part)))
        });
        self.enter(items)
    }

    /// Entries of the same key; keys of sets that only one of them has.
    fn maps(&mut self, old: Value<'a>, new: Value<'a>) -> Result<(), Trouble> {
        let set = old.kind() == Kind::Set;
        let mut theirs = HashMap::new();
        let mut order = Vec::new();
        for entry in new.entries().map_err(in_new)? {
            let (key, value) = entry.map_err(in_new)?;
            let text = self.key(&key).map_err(|what| Trouble { old: false, what })?;
            order.push((text.clone(), key, value));
            theirs.insert(text, value);
        }
        let mut items = Vec::new();
        for entry in old.entries().map_err(in_old)? {
            let (key, value) = entry.map_err(in_old)?;
            let text = self.key(&key).map_err(|what| Trouble { old: true, what })?;
            items.push(match (theirs.remove(&text), set) {
                (Some(_), true) => continue,
                (Some(new), false) => Ok((Step::Key(step(&key, &text)), Sides::Both(value, new))),
                (None, true) => Ok((Step::Here, Sides::Old(key))),
                (None, false) => Ok((Step::Key(step(&key, &text)), Sides::Old(value))),
            });
        }
        for (text, key, value) in order {
            if theirs.contains_key(&text) {
                items.push(match set {
                    true => Ok((Step::Here, Sides::New(key))),
                    false => Ok((Step::Key(step(&key, &text)), Sides::New(value))),
                });
            }
        }
        self.enter(items.into_iter())
    }

    /// A key as JSON: the same for equal keys, whatever their layout.
    fn key(&mut self, key: &Value<'a>) -> Result<String, String> {
        let limits = Limits { depth: KEY_DEPTH, elements: self.left, bytes: self.left.saturating_mul(16) };
        let text = serde_json::to_string(&key.with_limits(limits)).map_err(|error| error.to_string())?;
        self.take(1 + text.len() as u64 / 16).map_err(|trouble| trouble.what)?;
        Ok(text)
    }
}

/// An integer of either sign: whether it is negative, and its bits.
fn integer(value: &Value<'_>) -> Result<(bool, u128), ValueError> {
    Ok(match value.kind() {
        Kind::Unsigned => (false, value.as_u128()?),
        _ => {
            let number = value.as_i128()?;
            (number < 0, number as u128)
        }
    })
}

/// The step to the value of a key, as paths have it; keys that paths cannot have are in braces.
fn step(key: &Value<'_>, text: &str) -> String {
    let kind = key.resolve().map(|key| key.kind());
    match kind {
        Ok(Kind::String) => key.as_str().map_or_else(|_| short(text), quoted),
        Ok(Kind::Char) => format!("[{}]", printable_json(text)),
        Ok(Kind::Unsigned | Kind::Signed | Kind::Bool) => format!("[{text}]"),
        _ => format!("{{{}}}", short(text)),
    }
}

/// The step to a field.
fn push_name(path: &mut String, name: &str) {
    let plain = |c: char| c.is_alphanumeric() || "_-".contains(c);
    match !name.is_empty() && name.chars().all(plain) {
        true if path.is_empty() => path.push_str(name),
        true => {
            path.push('.');
            path.push_str(name);
        }
        false => path.push_str(&quoted(name)),
    }
}

/// `["name"]`
fn quoted(name: &str) -> String {
    format!("[\"{}\"]", name.replace('\\', r"\\").replace('"', r#"\""#))
}

fn printable_json(text: &str) -> String {
    text.chars().map(|c| if is_printable(c) { c } else { '?' }).collect()
}
