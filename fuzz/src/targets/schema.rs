//! Hostile schema tables, and objects read by those that can be followed.
//!
//! Two bytes are the length of the table, then the table, then the object. What has to hold: nothing panics; a decoded
//! table encodes to the same bytes; a canonical one has the fingerprint of the canonical form it would get; it differs
//! from itself in nothing and from another one in something exactly if their canonical bytes do; what a sound one reads,
//! and what a validator made of it checks, lies in the object.

use std::sync::OnceLock;

use graven::fuzz::{damage, rounds};
use graven::{
    Value,
    error::LayoutMismatch,
    format::{Schema, Validator},
};

use crate::exact::Exact;
use crate::types::Mixed;
use crate::values;

pub fn run(data: &[u8]) {
    let Some((length, data)) = data.split_first_chunk() else { return };
    let length = usize::from(u16::from_le_bytes(*length)).min(data.len());
    let (table, object) = data.split_at(length);
    let table = Exact::new(table, 1);
    let Ok(schema) = Schema::decode(&table) else { return };

    assert!(schema.types().len() <= table.len(), "more types than bytes");
    assert_eq!(schema.encode(), table[..], "a decoded table is encoded as it was");
    assert_eq!(LayoutMismatch::between(&schema, &schema), None);
    let fingerprint = schema.fingerprint();
    let names = (0..schema.types().len().min(20) as u32).map(|ty| schema.name_of(ty).len()).max();
    assert!(names < Some(1 << 20), "a name of {names:?} bytes");

    let canonical = schema.is_canonical();
    let known = known();
    let mismatch = LayoutMismatch::between(&schema, known);
    if canonical {
        let same = schema.canonical() == known.canonical();
        assert_eq!(mismatch.is_none(), same, "{mismatch:?}");
        assert!(!same || fingerprint == known.fingerprint());
    }
    if let Some(mismatch) = mismatch {
        assert!(!mismatch.to_string().is_empty());
    }

    let sound = schema.check_sound();
    let aligned =
        object.len() as u64 / u64::from(schema.root().align.max(1)) * u64::from(schema.root().align);
    let root = aligned.saturating_sub(schema.root().size);
    // A page is enough for any alignment that a segment can give.
    let object = Exact::new(object, (schema.max_align() as usize).clamp(1, 4096));
    let value = Value::root(&object, &schema, root);
    assert!(sound.is_ok() || value.is_err(), "followed a table that cannot be: {sound:?}");
    if let Err(error) = &sound {
        assert!(!error.to_string().is_empty());
    }
    let validator = Validator::of_schema(&schema);
    assert_eq!(validator.as_ref().err(), sound.as_ref().err());
    if let Ok(validator) = validator
        && let Err(error) = validator.check(&object, root)
    {
        assert!(!error.to_string().is_empty());
    }
    if let Ok(value) = value {
        let _ = values::walk(value, &mut 2_000);
        values::serialize(value);
    }
}

/// Half of the mutations are the fuzzer's own; the other half change numbers of the table as
/// [`damage`](graven::fuzz::damage) does. The new length.
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let table = data[..size].split_first_chunk_mut().and_then(|(length, data)| {
        let length = usize::from(u16::from_le_bytes(*length));
        data.get_mut(..length)
    });
    match table {
        Some(table) if seed % 2 == 0 => {
            rounds(seed.into(), 1).for_each(|edits| damage(table, &edits));
            size.min(max_size)
        }
        _ => libfuzzer_sys::fuzzer_mutate(data, size, max_size),
    }
}

/// The schema with the most kinds of types.
fn known() -> &'static Schema {
    static KNOWN: OnceLock<Schema> = OnceLock::new();
    KNOWN.get_or_init(Schema::of::<<Mixed as graven::Archive>::Archived>)
}
