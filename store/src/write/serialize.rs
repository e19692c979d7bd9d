//! One value as the bytes of an object, and what is asked of them before the object counts.

use graven_format::{Damage, Payload, Schema, Validator};
use rkyv::rancor::BoxedError;
use rkyv::ser::allocator::Arena;
use rkyv::ser::sharing::Share;
use rkyv::{Archive, Serialize};

use crate::segment::known::Known;
use crate::write::rehearsal::{PADDED, Plan};
use crate::write::stream::{Serializer, Stream};
use crate::{Cause, Error};

/// Checks an object that has been written, where only its bytes tell.
pub(crate) fn check_written(schema: &Schema, object: &[u8], root: u64) -> Result<(), Cause> {
    let validator = Validator::of_schema(schema).map_err(Cause::Unwritable)?;
    validator.check(object, root).map_err(|error| Cause::Serialize {
        message: format!(
            "{error}; what is shared both as an array and as a slice, or as text and as bytes, can be written once \
             only: clone its contents for one of them, or use rkyv::with::Unshare"
        ),
    })
}

/// Serializes a value of that layout as the object that the stream is at the start of. Where its root is.
pub(crate) fn serialize<T>(stream: &mut Stream, known: &Known, value: &T) -> Result<u64, Cause>
where
    T: Archive + for<'a> Serialize<Serializer<'a>>,
{
    let (pointers, align) = (known.writable()?, known.schema.max_align());
    let plan = (align > PADDED).then(|| rehearse(value, pointers)).transpose()?;
    stream.expect_pointers_within(pointers, align);
    if let Some(plan) = plan {
        stream.plan(plan.follow(align.into()));
    }
    let mut arena = Arena::new();
    let mut serializer = rkyv::ser::Serializer::new(stream, arena.acquire(), Share::new());
    Ok(rkyv::api::serialize_using(value, &mut serializer).map_err(not_serialized)? as u64)
}

/// Why rkyv stopped. What is a part too large has been written apart from the rest, as keys of maps are.
fn not_serialized(error: BoxedError) -> Cause {
    let first: Option<&(dyn std::error::Error + 'static)> = Some(BoxedError::inner(&error));
    let mut causes = std::iter::successors(first, |error| error.source());
    match causes.find_map(|error| error.downcast_ref::<Error>()).map(Error::cause) {
        Some(&Cause::TooLarge { limit }) => Cause::TooLarge { limit },
        Some(Cause::Serialize { message }) => Cause::Serialize { message: message.clone() },
        _ => Cause::Serialize { message: error.to_string() },
    }
}

/// Serializes a value into nowhere, to learn where it has to be aligned.
fn rehearse<T>(value: &T, pointers: u64) -> Result<Plan, Cause>
where
    T: Archive + for<'a> Serialize<Serializer<'a>>,
{
    let limit = Payload::NATIVE.max_position();
    if pointers > limit {
        // Not even a piece by itself could be laid out.
        return Err(Cause::TooLarge { limit });
    }
    let mut stream = Stream::counting();
    stream.plan(Plan::default());
    let mut arena = Arena::new();
    let mut serializer = rkyv::ser::Serializer::new(&mut stream, arena.acquire(), Share::new());
    let root = rkyv::api::serialize_using(value, &mut serializer);
    root.map_err(not_serialized)?;
    drop(serializer);
    Ok(stream.rehearsed())
}

/// Lookups in the maps of an object that has been written find what is in them: rkyv places entries by the keys of the
/// program, and what they are archived as may hash or compare otherwise.
pub(crate) fn check_keys<T>(known: &Known, object: &[u8], root: u64) -> Result<(), Cause> {
    let asked = known.validator().check_keys(object, root).map_err(|error| match error.cause() {
        Damage::Disorder { .. } => Cause::Keys(error),
        _ => Cause::Contents(error),
    })?;
    if asked {
        known.has_looked_into_maps_of::<T>();
    }
    Ok(())
}
