//! Kinds of values.

/// What a value is, as far as its type says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// No bytes: `()`, structs without fields.
    Unit,
    /// See [`Value::as_bool`](super::Value::as_bool).
    Bool,
    /// See [`Value::as_u64`](super::Value::as_u64).
    Unsigned,
    /// See [`Value::as_i64`](super::Value::as_i64).
    Signed,
    /// See [`Value::as_f64`](super::Value::as_f64).
    Float,
    /// See [`Value::as_char`](super::Value::as_char).
    Char,
    /// See [`Value::as_str`](super::Value::as_str).
    String,
    /// See [`Value::as_bytes`](super::Value::as_bytes).
    CString,
    /// See [`Value::field`](super::Value::field).
    Struct,
    /// A struct whose fields are `0`, `1`, …: see [`Value::fields`](super::Value::fields).
    Tuple,
    /// See [`Value::variant`](super::Value::variant).
    Enum,
    /// An option, in whatever encoding, or a weak pointer: see [`Value::option`](super::Value::option).
    Option,
    /// A vector, an array or a slice: see [`Value::iter`](super::Value::iter).
    Sequence,
    /// See [`Value::entries`](super::Value::entries).
    Map,
    /// A map to unit: see [`Value::entries`](super::Value::entries).
    Set,
    /// A box or a shared pointer: all questions are passed on to what it leads to. See [`Value::target`](super::Value::target).
    Pointer,
    /// See [`Value::as_duration`](super::Value::as_duration).
    Duration,
    /// Bytes that only the program knows: see [`Value::as_bytes`](super::Value::as_bytes).
    Opaque,
}
