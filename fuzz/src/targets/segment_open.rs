//! Arbitrary bytes as a segment: nothing crashes, hangs or takes memory that the bytes do not account for.
//!
//! The data is packed as [`crate::segments`] says, so that mutations hit something else than zeros and get past the
//! checksums. What has to hold: nothing panics; errors about bytes are EINVAL; what verifies can be listed, and
//! its schemas decoded; what is adopted can be read to the end.
//!
//! With the flag [`SHARED`](segments::SHARED) the data is what [`shared`] takes instead.
//!
//! What is verified, read by schema and adopted as which type differs by input: [`Dice`].

use graven::{Cause, Error, Segment};

use crate::dice::Dice;
use crate::ours::Fuzzed;
use crate::segments;
use crate::targets::shared;
use crate::types::{Hashes, Node, VerifiedEverywhere};
use crate::values;
use crate::walk::{Budget, Walk};

pub fn run(data: &[u8]) {
    if let [flags, data @ ..] = data
        && flags & segments::SHARED != 0
    {
        return shared::run(data);
    }
    let bytes = segments::unpack(data);
    let segment = match Segment::from_bytes(&bytes) {
        Ok(segment) => segment,
        Err(error) => return check(&error),
    };
    let mut dice = Dice::of(data);
    let verified = dice.one_in(4).then(|| segment.verify());
    let whole = matches!(verified, Some(Ok(_)));
    if let Some(Err(error)) = &verified {
        check(error);
    }
    for object in segment.objects() {
        match object {
            Ok(entry) if dice.one_in(4) => by_schema(&segment, entry.name, whole),
            Ok(_) => {}
            Err(error) => {
                assert!(!whole, "verified, but {error}");
                check(&error);
            }
        }
    }
    if dice.one_in(4) {
        for schema in segment.schema().take(100) {
            if let Err(error) = schema {
                assert!(!whole, "verified, but {error}");
                check(&error);
            }
        }
    }
    for name in ["", "numbers", "hashes", "absent"] {
        match dice.throw(5) {
            0 => adopt::<Node>(&segment, name),
            1 => adopt::<Hashes>(&segment, name),
            2 => adopt::<VerifiedEverywhere>(&segment, name),
            3 => adopt::<Vec<u32>>(&segment, name),
            _ => adopt::<u64>(&segment, name),
        }
    }
}

fn adopt<T: Fuzzed>(segment: &Segment, name: &str) {
    match segment.get::<T>(name) {
        Ok(adopted) => adopted.walk(&mut Budget(5_000)),
        Err(error) => check(&error),
    }
}

fn by_schema(segment: &Segment, name: &str, whole: bool) {
    match segment.value(name) {
        Ok(value) => {
            let _ = values::walk(value, &mut 1_000);
            values::serialize(value);
        }
        Err(error) => {
            // A table may be canonical and yet not one to follow.
            assert!(!whole || matches!(error.cause(), Cause::Unsound(_)), "verified, but {error}");
            check(&error);
        }
    }
}

/// The error says something, and is about the bytes.
fn check(error: &Error) {
    let message = error.to_string();
    assert!(message.len() > 20, "{message}");
    match error.cause() {
        Cause::NoObject { .. } => assert_eq!(error.errno(), 2, "{message}"),
        Cause::Header(_)
        | Cause::Directory(_)
        | Cause::Schema(_)
        | Cause::Unsound(_)
        | Cause::Value(_)
        | Cause::Verify(_)
        | Cause::Layout(_)
        | Cause::Contents { .. } => assert_eq!(error.errno(), 22, "{message}"),
        other => panic!("{other:?}"),
    }
}
