//! `users[3].name`: the way to a value, as text.

use alloc::string::{String, ToString};

use super::error::{Question, Result};
use super::key::{Key, KeyKind};
use super::kind::Kind;
use super::step::{MAX_NESTING, Value};
use crate::types::layout::Shape;

/// One step of a path.
enum Step<'p> {
    /// `.name`
    Name(&'p str),
    /// `[3]`
    Number(i128),
    /// `["text"]`
    Text(String),
    /// `[true]`
    Bool(bool),
    /// `{3}`
    Entry(u64),
}

impl<'a> Value<'a> {
    /// The value at the end of a path, from this one.
    ///
    /// | step | of | leads to |
    /// |---|---|---|
    /// | `.name` | struct, tuple (`.0`), enum | the field of that name, in the variant there is |
    /// | | map with text as keys | the value of that key |
    /// | `[3]` | sequence | the element |
    /// | | map with integers as keys | the value of that key |
    /// | `["text"]` | all that have `.name` | the same, for any text; `\"` and `\\` stand for `"` and `\` |
    /// | | map with chars as keys | the value of the key that is the text's only char |
    /// | `[true]` | map with bools as keys | the value of that key |
    /// | `{3}` | map | the value of the fourth entry, in the map's own order |
    /// | | set | the fourth key |
    ///
    /// The dot of a first step may be left out; the empty path is the value itself. Pointers and options on the way are
    /// passed through; at the end they are not. O(length of the path · cost of each step); `{3}` is O(4).
    ///
    /// Errors of serializing name places in this form too.
    ///
    /// # Errors
    /// [`Question::Path`] if the text is no path; [`Question::IsNone`], [`Question::NotFound`],
    /// [`Question::NoField`], [`Question::NoIndex`], [`Question::Kind`] if it leads nowhere, with the path
    /// [up to there](super::ValueError::path); and whatever is wrong with the bytes on the way.
    ///
    /// # Examples
    /// ```
    /// use graven_format::{Question, Schema, Value};
    /// use rkyv::{option::ArchivedOption, primitive::ArchivedU32, tuple::ArchivedTuple2, vec::ArchivedVec};
    /// let bytes = rkyv::to_bytes::<rkyv::rancor::BoxedError>(&(7u32, vec![Some(8u32), None]))?;
    /// let schema = Schema::of::<ArchivedTuple2<ArchivedU32, ArchivedVec<ArchivedOption<ArchivedU32>>>>();
    /// let value = Value::root(&bytes, &schema, bytes.len() as u64 - schema.root().size)?;
    /// assert_eq!(value.path("0")?.as_u64()?, 7);
    /// assert_eq!(value.path("1[0]")?.option()?.unwrap().as_u64()?, 8);
    /// assert!(value.path("1[1]")?.option()?.is_none());
    ///
    /// let error = value.path("1[2].more").unwrap_err();
    /// assert_eq!(error.question(), Some(&Question::NoIndex { index: 2, len: 2 }));
    /// assert_eq!(error.path(), "1[2]");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn path(&self, path: &str) -> Result<Value<'a>> {
        let (mut value, mut at) = (*self, 0);
        while at < path.len() {
            let Some((step, next)) = step(path, at) else {
                return Err(value.error(Question::Path { at }).at_path(|| path[..at].to_string()));
            };
            let found = value.step(&step).map_err(|error| error.at_path(|| path[..next].to_string()))?;
            (value, at) = (found, next);
        }
        Ok(value)
    }

    fn step(&self, step: &Step<'_>) -> Result<Value<'a>> {
        let value = self.passed()?;
        let key = match step {
            Step::Name(name) => Key::Str(name),
            Step::Text(text) => Key::Str(text),
            Step::Number(number) => Key::Signed(*number),
            Step::Bool(key) => Key::Bool(*key),
            Step::Entry(number) => return value.entry_at(*number),
        };
        // Texts of one char find chars.
        let key = match (key, &value.ty().shape) {
            (
                Key::Str(text),
                &(Shape::HashMap { key: ty, .. }
                | Shape::IndexMap { key: ty, .. }
                | Shape::BTreeMap { key: ty, .. }),
            ) if value.key_kind(ty) == Some(KeyKind::Char) => {
                let mut chars = text.chars();
                match (chars.next(), chars.next()) {
                    (Some(one), None) => Key::Char(one),
                    _ => return Err(value.error(Question::NotFound)),
                }
            }
            _ => key,
        };
        if let Kind::Map | Kind::Set = value.kind() {
            return value.get(key)?.ok_or_else(|| value.error(Question::NotFound));
        }
        match key {
            Key::Str(name) => value.field(name),
            Key::Signed(number) => match u64::try_from(number) {
                Ok(index) => value.index(index),
                Err(_) => Err(value.error(Question::Range)),
            },
            _ => Err(value.not("a step")),
        }
    }

    /// The value of an entry, or the key of a set, by its number in the map's order.
    fn entry_at(&self, number: u64) -> Result<Value<'a>> {
        let entries = self.entries()?;
        let len = entries.left();
        for (i, entry) in (0..).zip(entries) {
            let (key, value) = entry?;
            if i == number {
                return Ok(if self.kind() == Kind::Set { key } else { value });
            }
        }
        Err(self.error(Question::NoIndex { index: number, len }))
    }

    /// Behind pointers and options.
    fn passed(&self) -> Result<Value<'a>> {
        let mut value = self.resolve()?;
        for _ in 0..MAX_NESTING {
            if value.kind() != Kind::Option {
                return Ok(value);
            }
            value = value.option()?.ok_or_else(|| value.error(Question::IsNone))?.resolve()?;
        }
        Err(self.error(Question::TooDeep { limit: MAX_NESTING }))
    }
}

/// Adds the step to a field to a path, in the form that [`Value::path`] reads.
#[cfg(feature = "serde")]
pub(super) fn push_name(path: &mut String, name: &str) {
    if !name.is_empty() && !name.contains(['.', '[', ']', '{', '}', '"', '\\']) {
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(name);
        return;
    }
    path.push_str("[\"");
    for character in name.chars() {
        if let '"' | '\\' = character {
            path.push('\\');
        }
        path.push(character);
    }
    path.push_str("\"]");
}

/// The step that starts at byte `at` of a path, and where the next one starts.
fn step(path: &str, at: usize) -> Option<(Step<'_>, usize)> {
    let rest = &path[at..];
    if let Some(inside) = rest.strip_prefix('{') {
        let (number, behind) = inside.split_once('}')?;
        return Some((Step::Entry(number.parse().ok()?), path.len() - behind.len()));
    }
    let Some(inside) = rest.strip_prefix('[') else {
        let dot = usize::from(rest.starts_with('.'));
        if dot == 0 && at > 0 {
            return None;
        }
        let name = &rest[dot..];
        let name = &name[..name.find(['.', '[', '{']).unwrap_or(name.len())];
        return (!name.is_empty()).then_some((Step::Name(name), at + dot + name.len()));
    };
    let Some(quoted) = inside.strip_prefix('"') else {
        let (key, behind) = inside.split_once(']')?;
        let step = match key {
            "true" => Step::Bool(true),
            "false" => Step::Bool(false),
            number => Step::Number(number.parse().ok()?),
        };
        return Some((step, path.len() - behind.len()));
    };
    let (mut text, mut characters) = (String::new(), quoted.char_indices());
    loop {
        match characters.next()?.1 {
            '"' => break,
            '\\' => match characters.next()?.1 {
                character @ ('"' | '\\') => text.push(character),
                _ => return None,
            },
            character => text.push(character),
        }
    }
    let behind = characters.as_str().strip_prefix(']')?;
    Some((Step::Text(text), path.len() - behind.len()))
}
