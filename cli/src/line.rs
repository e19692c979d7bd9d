//! Values on one line: `{ name: "ann", tags: ["a", "b"], size: Some(3) }`.
//!
//! A line is made as far as it fits and no further, so its cost is its width, whatever it stands for.

use graven_format::{Kind, Value, ValueError};

use crate::text::label;

/// Why a line ended early.
pub(crate) enum Stop {
    /// The rest does not fit.
    Full,
    /// The bytes are damaged.
    Bad(ValueError),
}

impl From<ValueError> for Stop {
    fn from(error: ValueError) -> Stop {
        Stop::Bad(error)
    }
}

/// A line of a limited number of characters.
pub(crate) struct Line {
    text: String,
    left: usize,
    /// What it took to read: values, and bytes of text that had to be looked at, by the cache line.
    pub(crate) cost: u64,
}

impl Line {
    /// As much of a value as fits, and whether that is all.
    pub(crate) fn of(value: &Value<'_>, width: usize) -> (Line, Result<(), Stop>) {
        let mut line = Line { text: String::new(), left: width, cost: 0 };
        let done = line.value(value);
        (line, done)
    }

    /// The text, without anything that could drive a terminal.
    pub(crate) fn text(self) -> String {
        self.text
    }

    fn push(&mut self, text: &str) -> Result<(), Stop> {
        for character in text.chars() {
            self.left = self.left.checked_sub(1).ok_or(Stop::Full)?;
            self.text.push(character);
        }
        Ok(())
    }

    /// Each value but pointers adds a character before those inside it are visited: so it is the width that bounds
    /// how deep this recurses.
    fn value(&mut self, value: &Value<'_>) -> Result<(), Stop> {
        self.cost += 1;
        let value = value.resolve()?;
        match value.kind() {
            Kind::Unit => self.push("()"),
            Kind::String => self.quoted(&value),
            Kind::CString => {
                let text = value.as_bytes()?;
                self.cost += text.len() as u64 / 64;
                let shown = &text[..text.len().min(self.left + 1)];
                self.push(&format!("c\"{}\"", shown.escape_ascii()))
            }
            Kind::Opaque => {
                self.push("opaque")?;
                self.hex(value.as_bytes()?)
            }
            Kind::Duration => self.push(&format!("{:?}", value.as_duration()?)),
            Kind::Struct | Kind::Tuple => self.fields(&value),
            Kind::Enum => {
                let variant = value.variant()?;
                self.push(&label(&variant.name))?;
                match variant.fields.is_empty() {
                    true => Ok(()),
                    false => self.fields(&value),
                }
            }
            Kind::Option => match value.option()? {
                None => self.push("None"),
                Some(inside) => {
                    self.push("Some(")?;
                    self.value(&inside)?;
                    self.push(")")
                }
            },
            Kind::Sequence if is_bytes(&value) && value.len()? > 0 => {
                self.push("bytes")?;
                self.hex(value.as_bytes()?)
            }
            Kind::Sequence => {
                self.push("[")?;
                for (i, element) in value.iter()?.enumerate() {
                    self.comma(i)?;
                    self.value(&element?)?;
                }
                self.push("]")
            }
            kind @ (Kind::Map | Kind::Set) => {
                self.push("{")?;
                for (i, entry) in value.entries()?.enumerate() {
                    let (key, value) = entry?;
                    self.comma(i)?;
                    self.value(&key)?;
                    if kind == Kind::Map {
                        self.push(": ")?;
                        self.value(&value)?;
                    }
                }
                self.push("}")
            }
            _ => {
                let text = scalar(&value)?;
                self.push(&text)
            }
        }
    }

    fn comma(&mut self, i: usize) -> Result<(), Stop> {
        if i > 0 { self.push(", ") } else { Ok(()) }
    }

    /// `{ a: 1, b: 2 }`, or `(1, 2)` where fields have no names but numbers.
    fn fields(&mut self, value: &Value<'_>) -> Result<(), Stop> {
        let fields = value.fields()?;
        let tuple = value.kind() == Kind::Tuple || numbered(value)?;
        let space = if self.text.ends_with(|c: char| c.is_alphanumeric()) { " " } else { "" };
        match tuple {
            true => self.push("(")?,
            false => self.push(&format!("{space}{{ "))?,
        }
        for (i, (name, field)) in fields.enumerate() {
            self.comma(i)?;
            if !tuple {
                self.push(&format!("{}: ", label(name)))?;
            }
            self.value(&field?)?;
        }
        self.push(if tuple { ")" } else { " }" })
    }

    /// Text in quotes; no more of it is read than fits.
    fn quoted(&mut self, value: &Value<'_>) -> Result<(), Stop> {
        let bytes = value.as_bytes()?;
        let first = &bytes[..bytes.len().min(4 * (self.left + 1))];
        let text = match str::from_utf8(first) {
            Ok(text) => text,
            Err(error) if error.error_len().is_none() && first.len() < bytes.len() => {
                str::from_utf8(&first[..error.valid_up_to()]).unwrap_or_default()
            }
            Err(_) => value.as_str()?,
        };
        let shown = format!("{text:?}");
        // What was cut does not fit without its quote either.
        self.push(&shown)
    }

    fn hex(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        bytes.iter().try_for_each(|byte| self.push(&format!(" {byte:02x}")))
    }
}

/// A number, a bool or a char.
pub(crate) fn scalar(value: &Value<'_>) -> Result<String, ValueError> {
    Ok(match value.kind() {
        Kind::Bool => value.as_bool()?.to_string(),
        Kind::Unsigned => value.as_u128()?.to_string(),
        Kind::Signed => value.as_i128()?.to_string(),
        Kind::Float if value.ty().size == 4 => format!("{:?}", value.as_f64()? as f32),
        Kind::Float => format!("{:?}", value.as_f64()?),
        _ => format!("{:?}", value.as_char()?),
    })
}

/// Whether a value is a sequence of `u8`.
pub(crate) fn is_bytes(value: &Value<'_>) -> bool {
    value.index(0).is_ok_and(|first| first.kind() == Kind::Unsigned && first.ty().size == 1)
        && value.as_bytes().is_ok()
}

/// Whether the fields of an enum's variant have numbers for names.
pub(crate) fn numbered(value: &Value<'_>) -> Result<bool, ValueError> {
    let mut fields = value.fields()?.enumerate();
    Ok(fields.len() > 0 && fields.all(|(i, (name, _))| name == i.to_string()))
}
