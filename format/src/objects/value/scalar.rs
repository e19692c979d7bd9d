//! Values that hold no others: numbers, chars, durations, text, bytes.
//!
//! Source: SPEC 6.2; 6.3, String.

use core::time::Duration;

use super::error::{Question, Result};
use super::kind::Kind;
use super::step::Value;
use crate::objects::damage::Damage;
use crate::types::layout::Shape;

impl<'a> Value<'a> {
    /// The bool. O(1).
    ///
    /// # Errors
    /// [`Question::Kind`], [`Damage::Bool`].
    pub fn as_bool(&self) -> Result<bool> {
        let value = self.resolve()?;
        if value.kind() != Kind::Bool {
            return Err(value.not("a bool"));
        }
        match value.bytes(value.at, 1)? {
            [0] => Ok(false),
            [1] => Ok(true),
            other => Err(value.error(Damage::Bool { got: other.first().copied().unwrap_or_default() })),
        }
    }

    /// The bits of a number, zero-extended, and how many there are.
    fn bits(&self, expected: &'static str, kinds: &[Kind]) -> Result<(u128, u32)> {
        match self.ty().shape {
            Shape::Number { nonzero, big_endian, .. } if kinds.contains(&self.kind()) => {
                match self.number(self.at, self.ty().size, big_endian)? {
                    0 if nonzero => Err(self.error(Damage::Zero)),
                    bits => Ok((bits, 8 * self.ty().size as u32)),
                }
            }
            _ => Err(self.not(expected)),
        }
    }

    /// An integer, as one of the two types that hold all of them.
    pub(super) fn integer<T: TryFrom<u128> + TryFrom<i128>>(&self) -> Result<T> {
        let value = self.resolve()?;
        let (bits, width) = value.bits("an integer", &[Kind::Unsigned, Kind::Signed])?;
        let number = match value.kind() {
            Kind::Unsigned => T::try_from(bits).ok(),
            _ => T::try_from((bits << (128 - width)) as i128 >> (128 - width)).ok(),
        };
        number.ok_or_else(|| value.error(Question::Range))
    }

    /// The integer, of whatever width and sign, as a `u64`. O(1).
    ///
    /// # Errors
    /// [`Question::Kind`], [`Damage::Zero`]; [`Question::Range`] if it is none.
    pub fn as_u64(&self) -> Result<u64> {
        self.integer()
    }

    /// The integer, of whatever width and sign, as an `i64`. O(1).
    ///
    /// # Errors
    /// As [`as_u64`](Value::as_u64).
    pub fn as_i64(&self) -> Result<i64> {
        self.integer()
    }

    /// The integer, of whatever width and sign, as a `u128`. O(1).
    ///
    /// # Errors
    /// As [`as_u64`](Value::as_u64).
    pub fn as_u128(&self) -> Result<u128> {
        self.integer()
    }

    /// The integer, of whatever width and sign, as an `i128`. O(1).
    ///
    /// # Errors
    /// As [`as_u64`](Value::as_u64).
    pub fn as_i128(&self) -> Result<i128> {
        self.integer()
    }

    /// The float, of four or eight bytes; NaN and infinities as they are. O(1).
    ///
    /// # Errors
    /// [`Question::Kind`].
    pub fn as_f64(&self) -> Result<f64> {
        let value = self.resolve()?;
        Ok(match value.bits("a float", &[Kind::Float])? {
            (bits, 32) => f32::from_bits(bits as u32).into(),
            (bits, _) => f64::from_bits(bits as u64),
        })
    }

    /// The char. O(1).
    ///
    /// # Errors
    /// [`Question::Kind`], [`Damage::Char`].
    pub fn as_char(&self) -> Result<char> {
        let value = self.resolve()?;
        let (bits, _) = value.bits("a char", &[Kind::Char])?;
        let got = bits as u32;
        char::from_u32(got).ok_or_else(|| value.error(Damage::Char { got }))
    }

    /// The duration. O(1).
    ///
    /// # Errors
    /// [`Question::Kind`], [`Damage::Nanoseconds`].
    pub fn as_duration(&self) -> Result<Duration> {
        let value = self.resolve()?;
        let Shape::Duration { big_endian } = value.ty().shape else { return Err(value.not("a duration")) };
        let seconds = value.number(value.at, 8, big_endian)? as u64;
        match value.number(value.at + 8, 4, big_endian)? as u32 {
            nanoseconds @ ..=999_999_999 => Ok(Duration::new(seconds, nanoseconds)),
            got => Err(value.error(Damage::Nanoseconds { got })),
        }
    }

    /// The text of a string. O(bytes), to check that it is UTF-8; nothing is copied.
    ///
    /// # Errors
    /// [`Question::Kind`], [`Damage::NotUtf8`]; [`Damage::Outside`].
    ///
    /// Source: SPEC 6.3, String.
    pub fn as_str(&self) -> Result<&'a str> {
        let value = self.resolve()?;
        let bytes = match value.ty().shape {
            Shape::String => value.string()?,
            Shape::Str => value.bytes(value.at, value.len)?,
            _ => return Err(value.not("a string")),
        };
        core::str::from_utf8(bytes)
            .map_err(|error| value.error(Damage::NotUtf8 { valid: error.valid_up_to() as u64 }))
    }

    /// The bytes of a string, not yet known to be UTF-8.
    fn string(&self) -> Result<&'a [u8]> {
        let width = self.width();
        let inline = self.bytes(self.at, 2 * width)?;
        if inline.first().is_none_or(|byte| byte & 0xc0 != 0x80) {
            return Ok(inline.split(|byte| *byte == 0xff).next().unwrap_or_default());
        }
        let raw = self.word(self.at)?;
        let len = match self.schema.payload().big_endian {
            true => raw & (u64::MAX >> (64 - 8 * width + 2)),
            false => (raw & 0x3f) | ((raw & !0xff) >> 2),
        };
        let start = self.reach(self.at + width, self.at, 0, len, 1)?;
        self.bytes(start, len)
    }

    /// The bytes of a string, of a C string without its final zero, of a sequence of 1-byte integers, or of an opaque
    /// value. O(1), for C strings O(bytes); nothing is copied.
    ///
    /// # Errors
    /// [`Question::Kind`], [`Damage::CString`]; [`Damage::Outside`].
    pub fn as_bytes(&self) -> Result<&'a [u8]> {
        let value = self.resolve()?;
        match value.ty().shape {
            Shape::String => value.string(),
            Shape::Str => value.bytes(value.at, value.len),
            Shape::Opaque { .. } => value.bytes(value.at, value.ty().size),
            Shape::CStr => match value.bytes(value.at, value.len)?.split_last() {
                Some((0, text)) if !text.contains(&0) => Ok(text),
                _ => Err(value.error(Damage::CString)),
            },
            _ => {
                let elements = value.elements("bytes")?;
                let element = value.type_of(elements.element);
                match element.shape {
                    Shape::Number { nonzero: false, .. } if element.size == 1 => {
                        value.bytes(elements.start, elements.len)
                    }
                    _ => Err(value.not("bytes")),
                }
            }
        }
    }
}
