//! `users[3].name`: the way to a value, as text.

use alloc::string::{String, ToString};

use super::{Key, Kind, MAX_NESTING, Result, Value, ValueCause};

/// One step of a path.
enum Step<'p> {
    /// `.name`
    Name(&'p str),
    /// `[3]`
    Number(i128),
    /// `["text"]`
    Text(String),
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
    ///
    /// The dot of a first step may be left out; the empty path is the value itself. Pointers and options on the way are
    /// passed through; at the end they are not. O(length of the path · cost of each step).
    ///
    /// # Errors
    /// [`ValueCause::Path`] if the text is no path; [`ValueCause::IsNone`], [`ValueCause::NotFound`],
    /// [`ValueCause::NoField`], [`ValueCause::NoIndex`], [`ValueCause::Kind`] if it leads nowhere, with the path
    /// [up to there](super::ValueError::path); and whatever is wrong with the bytes on the way.
    ///
    /// # Examples
    /// ```
    /// use graven_format::{Schema, Value, ValueCause};
    /// use rkyv::{option::ArchivedOption, primitive::ArchivedU32, tuple::ArchivedTuple2, vec::ArchivedVec};
    /// let bytes = rkyv::to_bytes::<rkyv::rancor::BoxedError>(&(7u32, vec![Some(8u32), None]))?;
    /// let schema = Schema::of::<ArchivedTuple2<ArchivedU32, ArchivedVec<ArchivedOption<ArchivedU32>>>>();
    /// let value = Value::root(&bytes, &schema, bytes.len() as u64 - schema.root().size)?;
    /// assert_eq!(value.path("0")?.as_u64()?, 7);
    /// assert_eq!(value.path("1[0]")?.option()?.unwrap().as_u64()?, 8);
    /// assert!(value.path("1[1]")?.option()?.is_none());
    ///
    /// let error = value.path("1[2].more").unwrap_err();
    /// assert_eq!(error.cause(), &ValueCause::NoIndex { index: 2, len: 2 });
    /// assert_eq!(error.path(), "1[2]");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn path(&self, path: &str) -> Result<Value<'a>> {
        let (mut value, mut at) = (*self, 0);
        while at < path.len() {
            let Some((step, next)) = step(path, at) else {
                return Err(value.error(ValueCause::Path { at }).at_path(|| path[..at].to_string()));
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
        };
        if let Kind::Map | Kind::Set = value.kind() {
            return value.get(key)?.ok_or_else(|| value.error(ValueCause::NotFound));
        }
        match key {
            Key::Str(name) => value.field(name),
            Key::Signed(number) => match u64::try_from(number) {
                Ok(index) => value.index(index),
                Err(_) => Err(value.error(ValueCause::Range)),
            },
            _ => Err(value.not("a step")),
        }
    }

    /// Behind pointers and options.
    fn passed(&self) -> Result<Value<'a>> {
        let mut value = self.resolve()?;
        for _ in 0..MAX_NESTING {
            if value.kind() != Kind::Option {
                return Ok(value);
            }
            value = value.option()?.ok_or_else(|| value.error(ValueCause::IsNone))?.resolve()?;
        }
        Err(self.error(ValueCause::TooDeep { limit: MAX_NESTING }))
    }
}

/// The step that starts at byte `at` of a path, and where the next one starts.
fn step(path: &str, at: usize) -> Option<(Step<'_>, usize)> {
    let rest = &path[at..];
    let Some(inside) = rest.strip_prefix('[') else {
        let dot = usize::from(rest.starts_with('.'));
        if dot == 0 && at > 0 {
            return None;
        }
        let name = &rest[dot..];
        let name = &name[..name.find(['.', '[']).unwrap_or(name.len())];
        return (!name.is_empty()).then_some((Step::Name(name), at + dot + name.len()));
    };
    let Some(quoted) = inside.strip_prefix('"') else {
        let (number, _) = inside.split_once(']')?;
        return Some((Step::Number(number.parse().ok()?), at + 1 + number.len() + 1));
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
