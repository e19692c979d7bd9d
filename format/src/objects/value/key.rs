//! Keys of maps that can be looked up without their types: how they hash, and how they compare.
//!
//! Source: SPEC 6.3, Hash map (the hash).

use alloc::string::String;
use core::cmp::Ordering;

use super::error::Result;
use super::kind::Kind;
use super::step::{MAX_NESTING, Value};
use crate::types::layout::{NumberKind, Shape, Type};

/// A key to look up: anything that a string, an integer, a bool or a char can be made of.
///
/// Integers of all widths and signs are alike: `7u8` finds the key `7i64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Key<'k> {
    /// A text.
    Str(&'k str),
    /// An integer that is not negative.
    Unsigned(u128),
    /// Any integer.
    Signed(i128),
    /// A bool.
    Bool(bool),
    /// A char.
    Char(char),
}

impl<'k> From<&'k str> for Key<'k> {
    fn from(key: &'k str) -> Key<'k> {
        Key::Str(key)
    }
}
impl<'k> From<&'k String> for Key<'k> {
    fn from(key: &'k String) -> Key<'k> {
        Key::Str(key)
    }
}
impl From<bool> for Key<'_> {
    fn from(key: bool) -> Self {
        Key::Bool(key)
    }
}
impl From<char> for Key<'_> {
    fn from(key: char) -> Self {
        Key::Char(key)
    }
}
macro_rules! integer_keys {
    ($($variant:ident: $($ty:ty),*;)*) => {$($(
        impl From<$ty> for Key<'_> {
            fn from(key: $ty) -> Self {
                Key::$variant(key as _)
            }
        }
    )*)*};
}
integer_keys! {
    Unsigned: u8, u16, u32, u64, u128, usize;
    Signed: i8, i16, i32, i64, i128, isize;
}

/// What a key type says about looking keys up.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum KeyKind {
    Text,
    Unsigned { size: u64 },
    Signed { size: u64 },
    Bool,
    Char,
}

impl KeyKind {
    /// What the key type with that index says, if it is one that can be looked up without its program.
    pub(super) fn of(types: &[Type<u32>], mut key: u32) -> Option<KeyKind> {
        for _ in 0..MAX_NESTING {
            let ty = &types[key as usize];
            key = match ty.shape {
                Shape::Box { pointee } | Shape::Shared { pointee } => pointee,
                Shape::String | Shape::Str => return Some(KeyKind::Text),
                Shape::Bool => return Some(KeyKind::Bool),
                Shape::Number { kind, .. } => {
                    return match kind {
                        NumberKind::Unsigned => Some(KeyKind::Unsigned { size: ty.size }),
                        NumberKind::Signed => Some(KeyKind::Signed { size: ty.size }),
                        NumberKind::Char => Some(KeyKind::Char),
                        NumberKind::Float => None,
                    };
                }
                _ => return None,
            };
        }
        None
    }
}

/// An integer of either sign, so that all compare.
fn widest(key: Key<'_>) -> Option<Result<u128, i128>> {
    match key {
        Key::Unsigned(number) => Some(Ok(number)),
        Key::Signed(number) => Some(u128::try_from(number).map_err(|_| number)),
        _ => None,
    }
}

impl Key<'_> {
    /// The bits of an integer in so many bytes, if it has such a value.
    fn bits(self, size: u64, signed: bool) -> Option<u128> {
        let unused = 128 - 8 * size as u32;
        match widest(self)? {
            Ok(number) if signed => (number <= (i128::MAX >> unused) as u128).then_some(number),
            Ok(number) => (number <= u128::MAX >> unused).then_some(number),
            Err(number) => {
                (signed && number >= i128::MIN >> unused).then_some((number as u128) << unused >> unused)
            }
        }
    }

    /// Whether the key can be one of this kind at all; `None` if it is not even comparable.
    pub(super) fn fits(self, kind: KeyKind) -> Option<bool> {
        match (self, kind) {
            (Key::Str(_), KeyKind::Text) | (Key::Bool(_), KeyKind::Bool) | (Key::Char(_), KeyKind::Char) => {
                Some(true)
            }
            (Key::Unsigned(_) | Key::Signed(_), KeyKind::Unsigned { size }) => {
                Some(self.bits(size, false).is_some())
            }
            (Key::Unsigned(_) | Key::Signed(_), KeyKind::Signed { size }) => {
                Some(self.bits(size, true).is_some())
            }
            _ => None,
        }
    }

    /// The hash that decides where the entry is.
    pub(super) fn hash(self, kind: KeyKind) -> u64 {
        let mut hash = Fx(0);
        match (self, kind) {
            (Key::Str(text), _) => hash.text(text.as_bytes()),
            (Key::Bool(key), _) => hash.word(key.into()),
            (Key::Char(key), _) => hash.word(u32::from(key).into()),
            (_, KeyKind::Unsigned { size } | KeyKind::Signed { size }) => {
                let bits = self.bits(size, matches!(kind, KeyKind::Signed { .. })).unwrap_or_default();
                hash.word(bits as u64);
                if size == 16 {
                    hash.word((bits >> 64) as u64);
                }
            }
            _ => {}
        }
        hash.0
    }

    /// How the key compares with one of the map.
    pub(super) fn compare(self, with: Value<'_>) -> Result<Ordering> {
        Ok(match self {
            // UTF-8 sorts as its bytes do. Checking all of every key that is passed would make one lookup cost as much
            // as the keys are long, which in hostile objects may all be the same long text.
            Key::Str(key) => key.as_bytes().cmp(with.as_bytes()?),
            Key::Bool(key) => key.cmp(&with.as_bool()?),
            Key::Char(key) => key.cmp(&with.as_char()?),
            Key::Unsigned(_) | Key::Signed(_) => {
                let other = match with.resolve()?.kind() {
                    Kind::Unsigned => Ok(with.as_u128()?),
                    _ => {
                        let number = with.as_i128()?;
                        u128::try_from(number).map_err(|_| number)
                    }
                };
                match (widest(self), other) {
                    (Some(Ok(key)), Ok(other)) => key.cmp(&other),
                    (Some(Err(key)), Err(other)) => key.cmp(&other),
                    (Some(Ok(_)), Err(_)) => Ordering::Greater,
                    _ => Ordering::Less,
                }
            }
        })
    }
}

/// rkyv's hash. SPEC 6.3, Hash map.
struct Fx(u64);

impl Fx {
    fn word(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn text(&mut self, bytes: &[u8]) {
        let (words, mut rest) = bytes.as_chunks::<8>();
        for word in words {
            self.word(u64::from_le_bytes(*word));
        }
        for size in [4, 2, 1] {
            if let Some((first, behind)) = rest.split_at_checked(size) {
                self.word(first.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)));
                rest = behind;
            }
        }
        self.word(0xff);
    }
}
