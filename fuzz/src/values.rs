//! Reading all of a value by schema, as a program may that has no types.

use graven::{
    Value,
    error::ValueError,
    format::{Kind, Limits},
};

/// Enough for everything that a fuzzer's object holds, and an end to what hostile ones pretend to.
const LIMITS: Limits = Limits { depth: 64, elements: 3_000, bytes: 60_000 };

/// Visits all of a value, `left` values at most; looks up in each map what it has. The first damage it meets.
pub fn walk(value: Value<'_>, left: &mut u32) -> Result<(), ValueError> {
    level(value, 64, left)
}

fn level(value: Value<'_>, depth: u32, left: &mut u32) -> Result<(), ValueError> {
    *left = left.saturating_sub(1);
    if *left == 0 || depth == 0 {
        return Ok(());
    }
    let mut damage = Ok(());
    let mut note = |result: Result<(), ValueError>| {
        if damage.is_ok() && result.as_ref().is_err_and(ValueError::is_damage) {
            damage = result;
        }
    };
    match value.kind() {
        Kind::Pointer => note(value.target().and_then(|target| level(target, depth - 1, left))),
        Kind::Option => match value.option() {
            Ok(Some(inside)) => note(level(inside, depth - 1, left)),
            Ok(None) => {}
            Err(error) => note(Err(error)),
        },
        Kind::Struct | Kind::Tuple | Kind::Enum => match value.fields() {
            Ok(fields) => {
                for (_, field) in fields {
                    note(field.and_then(|field| level(field, depth - 1, left)));
                }
            }
            Err(error) => note(Err(error)),
        },
        Kind::Sequence => match value.iter() {
            Ok(elements) => {
                for element in elements.take(1000) {
                    note(element.and_then(|element| level(element, depth - 1, left)));
                }
            }
            Err(error) => note(Err(error)),
        },
        Kind::Map | Kind::Set => match value.entries() {
            Ok(entries) => {
                for entry in entries.take(1000) {
                    note(entry.and_then(|(key, inside)| {
                        look_up(value, key);
                        level(key, depth - 1, left)?;
                        level(inside, depth - 1, left)
                    }));
                }
            }
            Err(error) => note(Err(error)),
        },
        _ => note(scalar(value)),
    }
    // Not all of them: each question may be as long as a walk.
    if left.is_multiple_of(64) {
        ask(value);
    }
    damage
}

fn scalar(value: Value<'_>) -> Result<(), ValueError> {
    match value.kind() {
        Kind::Bool => value.as_bool().map(drop),
        Kind::Unsigned => value.as_u128().map(drop),
        Kind::Signed => value.as_i128().map(drop),
        Kind::Float => value.as_f64().map(drop),
        Kind::Char => value.as_char().map(drop),
        Kind::String => value.as_str().map(drop),
        Kind::CString | Kind::Opaque => value.as_bytes().map(drop),
        Kind::Duration => value.as_duration().map(drop),
        _ => Ok(()),
    }
}

/// Whether it is found is a question of integrity; that the search ends is not.
fn look_up(map: Value<'_>, key: Value<'_>) {
    let _ = match key.kind() {
        Kind::Unsigned => key.as_u128().and_then(|key| map.get(key)),
        Kind::Signed => key.as_i128().and_then(|key| map.get(key)),
        Kind::Char => key.as_char().and_then(|key| map.get(key)),
        Kind::Bool => key.as_bool().and_then(|key| map.get(key)),
        _ => key.as_str().and_then(|key| map.get(key)),
    };
}

/// Asks a value for everything, whatever it is.
fn ask(value: Value<'_>) {
    let _ = (
        value.as_bool(),
        value.as_u64(),
        value.as_i128(),
        value.as_f64(),
        value.as_char(),
        value.as_duration(),
    );
    let _ = (value.as_str(), value.as_bytes(), value.len(), value.variant(), value.option(), value.target());
    let _ = (value.get("absent"), value.get(7919), value.get('a'), value.get(true), value.get(-1i128));
    let _ = (value.field("0"), value.index(1), value.path("[0].a"), value.path("b.c[\"d\"]"));
    let _ = (value.iter().is_ok(), value.entries().is_ok(), value.fields().is_ok());
}

/// Serializes a value that may be damaged, within limits.
pub fn serialize(value: Value<'_>) {
    let mut out = Vec::new();
    let _ = serde_json::to_writer(&mut out, &value.with_limits(LIMITS));
    // A byte of text takes six at most, a number forty.
    assert!(out.len() as u64 <= LIMITS.elements * 48 + LIMITS.bytes * 6, "{} bytes", out.len());
}
