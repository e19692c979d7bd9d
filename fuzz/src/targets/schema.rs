//! Hostile schema tables, and objects read by those that can be followed.
//!
//! Two bytes are the length of the table, then the table, then the object. What has to hold: nothing panics; a decoded
//! table encodes to the same bytes; a canonical one has the fingerprint of the canonical form it would get; it differs
//! from itself in nothing and from another one in something exactly if their canonical bytes do; what a sound one reads
//! lies in the object.

use std::sync::OnceLock;

use graven::{LayoutMismatch, Schema, Value};

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
    if let Ok(value) = value {
        let _ = values::walk(value, &mut 2_000);
        values::serialize(value);
    }
}

/// The schema with the most kinds of types.
fn known() -> &'static Schema {
    static KNOWN: OnceLock<Schema> = OnceLock::new();
    KNOWN.get_or_init(Schema::of::<<Mixed as graven::Archive>::Archived>)
}
