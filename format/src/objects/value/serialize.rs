//! Values as serde sees them: JSON, and whatever else writes data that describes itself.
//!
//! | value | serde |
//! |---|---|
//! | unit, bool, numbers, char, text | the same; integers and floats of their own width, 128 bits included |
//! | struct | map from names to values: serde's structs need names known at compile time |
//! | tuple | tuple; of one field, the field, as of a newtype |
//! | enum | as serde's derive: the variant's name, or a map from it to the field, the tuple or the struct |
//! | option, weak pointer | none, or some |
//! | sequence, set | sequence |
//! | map with text, integers, bools or chars as keys | map |
//! | other map | sequence of pairs: JSON has no such keys |
//! | box, shared pointer | what it leads to, each time |
//! | duration | map of `secs` and `nanos`, as serde does |
//! | C string, opaque | bytes: in JSON an array of numbers |
//!
//! JSON has neither NaN nor infinities: `serde_json` writes null for both. It writes 128-bit integers in full, which not
//! every reader takes.

use alloc::format;
use alloc::string::String;
use core::cell::Cell;

use serde::ser::{SerializeMap, SerializeSeq, SerializeTuple};
use serde::{Serialize, Serializer};

use super::error::{Question, Result, ValueError};
use super::kind::Kind;
use super::path::push_name;
use super::step::{Value, is_tuple};
use crate::types::layout::{Field, Shape};

/// How much of a value is serialized before it is an error: hostile objects may be deep, and may hold the same bytes many
/// times.
///
/// # Examples
/// ```
/// use graven_format::Limits;
/// let shallow = Limits { depth: 3, ..Limits::default() };
/// assert_eq!(shallow.elements, 1 << 24);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Values inside each other. Each level takes stack, with `serde_json` up to some kilobytes in builds without
    /// optimisation. By default 128, which is what `serde_json` reads.
    pub depth: u32,
    /// Values altogether: structs, fields, elements, keys. By default 2^24.
    pub elements: u64,
    /// Bytes of text, names and byte strings altogether. By default 2^30.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { depth: 128, elements: 1 << 24, bytes: 1 << 30 }
    }
}

/// A value that serializes within limits: see [`Value::with_limits`].
#[derive(Clone, Copy, Debug)]
pub struct Limited<'a> {
    value: Value<'a>,
    limits: Limits,
}

impl<'a> Value<'a> {
    /// The value, to be serialized within these limits rather than the default ones.
    ///
    /// What passes a limit, or is damaged, is an error of the serializer with the text of a [`ValueError`], its path
    /// included. In a path, `{3}` is the fourth entry of a map or a set, in the map's order.
    ///
    /// # Examples
    /// ```
    /// use graven_format::{Limits, Schema, Value};
    /// use rkyv::{string::ArchivedString, tuple::ArchivedTuple2, vec::ArchivedVec};
    /// let bytes = rkyv::to_bytes::<rkyv::rancor::BoxedError>(&("ports".to_string(), vec![80u8, 88]))?;
    /// let schema = Schema::of::<ArchivedTuple2<ArchivedString, ArchivedVec<u8>>>();
    /// let value = Value::root(&bytes, &schema, bytes.len() as u64 - schema.root().size)?;
    /// assert_eq!(serde_json::to_string(&value)?, r#"["ports",[80,88]]"#);
    ///
    /// let few = value.with_limits(Limits { elements: 4, ..Limits::default() });
    /// let error = serde_json::to_string(&few).unwrap_err();
    /// assert!(error.to_string().ends_with("more than 4 values"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_limits(self, limits: Limits) -> Limited<'a> {
        Limited { value: self, limits }
    }
}

/// Within [`Limits::default`].
impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.with_limits(Limits::default()).serialize(serializer)
    }
}

impl Serialize for Limited<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Limited { value, limits } = *self;
        let walk = Walk { limits, elements: Cell::new(limits.elements), bytes: Cell::new(limits.bytes) };
        let root = Node { value, walk: &walk, above: None, step: Step::Root, depth: 1 };
        if let Err(error) = root.take_elements(1) {
            return Err(root.fail(error));
        }
        root.serialize(serializer)
    }
}

/// What is left of the limits.
struct Walk {
    limits: Limits,
    elements: Cell<u64>,
    bytes: Cell<u64>,
}

/// The way from the value above.
#[derive(Clone, Copy)]
enum Step<'a> {
    Root,
    Name(&'a str),
    Number(u64),
    Entry(u64),
}

/// A value on the way down.
#[derive(Clone, Copy)]
struct Node<'w, 'a> {
    value: Value<'a>,
    walk: &'w Walk,
    above: Option<&'w Node<'w, 'a>>,
    step: Step<'a>,
    depth: u32,
}

impl<'a> Node<'_, 'a> {
    fn below<'n>(&'n self, value: Value<'a>, step: Step<'a>) -> Node<'n, 'a> {
        Node { value, walk: self.walk, above: Some(self), step, depth: self.depth + 1 }
    }

    /// Takes what a value holds from what is left, before any of it is visited: serializers may allocate for as many.
    fn take_elements(&self, count: u64) -> Result<()> {
        let limit = self.walk.limits.elements;
        match self.walk.elements.get().checked_sub(count) {
            Some(left) => self.walk.elements.set(left),
            None => return Err(self.value.error(Question::TooMany { limit })),
        }
        Ok(())
    }

    fn take_bytes(&self, count: usize) -> Result<()> {
        let limit = self.walk.limits.bytes;
        match self.walk.bytes.get().checked_sub(count as u64) {
            Some(left) => self.walk.bytes.set(left),
            None => return Err(self.value.error(Question::TooLong { limit })),
        }
        Ok(())
    }

    /// The bytes of this value, taken from what is left.
    fn take_text(&self) -> Result<&'a [u8]> {
        let bytes = self.value.as_bytes()?;
        self.take_bytes(bytes.len())?;
        Ok(bytes)
    }

    /// An error of a value, as the serializer has them.
    fn fail<E: serde::ser::Error>(&self, error: ValueError) -> E {
        E::custom(error.at_path(|| {
            let mut steps = alloc::vec![self.step];
            let mut node = self;
            while let Some(above) = node.above {
                steps.push(above.step);
                node = above;
            }
            let mut path = String::new();
            for step in steps.iter().rev() {
                match step {
                    Step::Root => {}
                    Step::Name(name) => push_name(&mut path, name),
                    Step::Number(number) => path.push_str(&format!("[{number}]")),
                    Step::Entry(number) => path.push_str(&format!("{{{number}}}")),
                }
            }
            path
        }))
    }

    fn number<S: Serializer>(&self, serializer: S) -> Result<Result<S::Ok, S::Error>> {
        let (value, size) = (self.value, self.value.ty().size);
        Ok(match (value.kind(), size) {
            (Kind::Unsigned, 1) => serializer.serialize_u8(value.integer()?),
            (Kind::Unsigned, 2) => serializer.serialize_u16(value.integer()?),
            (Kind::Unsigned, 4) => serializer.serialize_u32(value.integer()?),
            (Kind::Unsigned, 8) => serializer.serialize_u64(value.integer()?),
            (Kind::Unsigned, _) => serializer.serialize_u128(value.integer()?),
            (Kind::Signed, 1) => serializer.serialize_i8(value.integer()?),
            (Kind::Signed, 2) => serializer.serialize_i16(value.integer()?),
            (Kind::Signed, 4) => serializer.serialize_i32(value.integer()?),
            (Kind::Signed, 8) => serializer.serialize_i64(value.integer()?),
            (Kind::Signed, _) => serializer.serialize_i128(value.integer()?),
            (_, 4) => serializer.serialize_f32(value.as_f64()? as f32),
            _ => serializer.serialize_f64(value.as_f64()?),
        })
    }

    /// Fields as a map from their names, or as a tuple.
    fn fields<S: Serializer>(&self, fields: &'a [Field<u32>], serializer: S) -> Result<S::Ok, S::Error> {
        self.take_elements(fields.len() as u64).map_err(|error| self.fail(error))?;
        let field = |field: &'a Field<u32>| {
            let value = self.value.place_field(field).map_err(|error| self.fail(error))?;
            Ok(self.below(value, Step::Name(&field.name)))
        };
        match fields {
            [one] if is_tuple(fields) => field(one)?.serialize(serializer),
            _ if is_tuple(fields) => {
                let mut tuple = serializer.serialize_tuple(fields.len())?;
                for one in fields {
                    tuple.serialize_element(&field(one)?)?;
                }
                tuple.end()
            }
            _ => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for one in fields {
                    self.take_bytes(one.name.len()).map_err(|error| self.fail(error))?;
                    map.serialize_entry(&*one.name, &field(one)?)?;
                }
                map.end()
            }
        }
    }

    fn sequence<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let start = || {
            let (elements, limit) = (self.value.elements("elements")?, Value::MAX_EMPTY);
            if self.value.type_of(elements.element).size == 0 && elements.len > limit {
                return Err(self.value.error(Question::EmptyElements { len: elements.len, limit }));
            }
            self.take_elements(elements.len)?;
            Ok((self.value.iter()?, elements.len))
        };
        let (elements, len) = start().map_err(|error| self.fail(error))?;
        let mut seq = serializer.serialize_seq(usize::try_from(len).ok())?;
        for (i, element) in (0..).zip(elements) {
            let element = element.map_err(|error| self.fail(error))?;
            seq.serialize_element(&self.below(element, Step::Number(i)))?;
        }
        seq.end()
    }

    fn map<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let start = || {
            let entries = self.value.entries()?;
            self.take_elements(entries.left().saturating_mul(2))?;
            Ok(entries)
        };
        let entries = start().map_err(|error| self.fail(error))?;
        let len = usize::try_from(entries.left()).ok();
        let as_map = match self.value.ty().shape {
            Shape::HashMap { key, .. } | Shape::IndexMap { key, .. } | Shape::BTreeMap { key, .. } => {
                self.value.key_kind(key).is_some()
            }
            _ => false,
        };
        let entries = (0..).zip(entries).map(|(i, entry)| {
            let (key, value) = entry.map_err(|error| self.fail(error))?;
            Ok((self.below(key, Step::Entry(i)), self.below(value, Step::Entry(i))))
        });
        if self.value.kind() != Kind::Set && as_map {
            let mut map = serializer.serialize_map(len)?;
            for entry in entries {
                let (key, value) = entry?;
                map.serialize_entry(&key, &value)?;
            }
            return map.end();
        }
        let mut seq = serializer.serialize_seq(len)?;
        for entry in entries {
            match (entry?, self.value.kind()) {
                ((key, _), Kind::Set) => seq.serialize_element(&key)?,
                (pair, _) => seq.serialize_element(&pair)?,
            }
        }
        seq.end()
    }

    fn variant<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let start = || {
            let variant = self.value.variant()?;
            self.take_bytes(variant.name.len())?;
            Ok(variant)
        };
        let variant = start().map_err(|error| self.fail(error))?;
        if variant.fields.is_empty() {
            return serializer.serialize_str(&variant.name);
        }
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(&*variant.name, &Content { node: self, fields: &variant.fields })?;
        map.end()
    }
}

/// What a variant holds.
struct Content<'n, 'w, 'a> {
    node: &'n Node<'w, 'a>,
    fields: &'a [Field<u32>],
}

impl Serialize for Content<'_, '_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.node.fields(self.fields, serializer)
    }
}

impl Serialize for Node<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let start = || {
            let limit = self.walk.limits.depth;
            if self.depth > limit {
                return Err(self.value.error(Question::TooDeep { limit }));
            }
            self.value.resolve()
        };
        let value = start().map_err(|error| self.fail(error))?;
        let node = Node { value, ..*self };
        let fail = |error| node.fail(error);
        match value.kind() {
            Kind::Unit => serializer.serialize_unit(),
            Kind::Bool => serializer.serialize_bool(value.as_bool().map_err(fail)?),
            Kind::Unsigned | Kind::Signed | Kind::Float => node.number(serializer).map_err(fail)?,
            Kind::Char => serializer.serialize_char(value.as_char().map_err(fail)?),
            Kind::String => {
                node.take_text().map_err(fail)?;
                serializer.serialize_str(value.as_str().map_err(fail)?)
            }
            Kind::CString | Kind::Opaque => serializer.serialize_bytes(node.take_text().map_err(fail)?),
            Kind::Struct | Kind::Tuple => node.fields(value.field_list("fields").map_err(fail)?, serializer),
            Kind::Enum => node.variant(serializer),
            Kind::Option => match value.option().map_err(fail)? {
                None => serializer.serialize_none(),
                Some(inside) => {
                    node.take_elements(1).map_err(fail)?;
                    serializer.serialize_some(&node.below(inside, Step::Root))
                }
            },
            Kind::Sequence => node.sequence(serializer),
            Kind::Map | Kind::Set => node.map(serializer),
            Kind::Duration => {
                let duration = value.as_duration().map_err(fail)?;
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("secs", &duration.as_secs())?;
                map.serialize_entry("nanos", &duration.subsec_nanos())?;
                map.end()
            }
            // Resolved above.
            Kind::Pointer => Err(fail(value.not("a value"))),
        }
    }
}
