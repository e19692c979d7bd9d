//! Arbitrary values of every type: written, adopted, made again, read by schema.
//!
//! The first byte picks the type, the rest make the value. What has to hold: the segment verifies; the value is adopted;
//! deserialized it is equal; by schema it reads as serde writes it (but for the order of sets, so that the elements of
//! all lists are compared sorted; their order is compared by deserializing).

use arbitrary::{Arbitrary, Unstructured};
use graven::fuzz::Specimen;
use graven::{Segment, Value};
use serde_json::Value as Json;

use crate::cases::{self, Case, ForCase};
use crate::ours::Fuzzed;
use crate::values;
use crate::walk::{Budget, Walk};

pub fn run(data: &[u8]) {
    if let [case, data @ ..] = data {
        cases::with((*case).into(), &mut Roundtrip { data });
    }
}

struct Roundtrip<'a> {
    data: &'a [u8],
}

impl ForCase for Roundtrip<'_> {
    fn with<T>(&mut self, case: &'static Case<T>)
    where
        T: Fuzzed + for<'a> Arbitrary<'a> + PartialEq + std::fmt::Debug + serde::Serialize,
    {
        let Ok(value) = T::arbitrary(&mut Unstructured::new(self.data)) else { return };
        let specimen =
            Specimen::new(&value).unwrap_or_else(|error| panic!("{}: {error}: {value:?}", case.name));
        let segment = Segment::from_bytes(specimen.segment()).expect("a segment");
        segment.verify().unwrap_or_else(|error| panic!("{}: {error}: {value:?}", case.name));
        let adopted = segment.root::<T>().unwrap_or_else(|error| panic!("{}: {error}: {value:?}", case.name));
        let again: T = adopted.deserialize().expect("it was made from one");
        assert_eq!(again, value, "{}", case.name);
        adopted.walk(&mut Budget(100_000));

        let by_schema = segment.value("").unwrap_or_else(|error| panic!("{}: {error}", case.name));
        values::walk(by_schema, &mut 100_000)
            .unwrap_or_else(|error| panic!("{}, by schema: {error}: {value:?}", case.name));
        let (by_schema, by_serde) = (json(&Whole(by_schema)), json(&value));
        assert!(contains(&by_schema, &by_serde), "{}:\n{by_schema}\n{by_serde}", case.name);
    }
}

/// A value without the limits that are for hostile ones.
struct Whole<'a>(Value<'a>);

impl serde::Serialize for Whole<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let limits = graven::format::Limits { depth: 128, elements: 1 << 20, bytes: 1 << 24 };
        serde::Serialize::serialize(&self.0.with_limits(limits), serializer)
    }
}

/// As text first: numbers above 2^64 become floats when it is read.
fn json(value: &impl serde::Serialize) -> Json {
    let text = serde_json::to_string(value).expect("nothing that JSON cannot say");
    sorted(serde_json::from_str(&text).expect("what was just written"))
}

fn sorted(json: Json) -> Json {
    match json {
        Json::Array(list) => {
            let mut list: Vec<Json> = list.into_iter().map(sorted).collect();
            list.sort_by_cached_key(Json::to_string);
            Json::Array(list)
        }
        Json::Object(fields) => fields.into_iter().map(|(name, field)| (name, sorted(field))).collect(),
        other => other,
    }
}

/// Whether `all` is `part`, but for fields that serde was told to skip.
fn contains(all: &Json, part: &Json) -> bool {
    match (all, part) {
        (Json::Array(all), Json::Array(part)) => {
            // Where fields were skipped, the two lists may be in different orders.
            let mut left: Vec<&Json> = all.iter().collect();
            all.len() == part.len()
                && part.iter().all(|part| {
                    let found = left.iter().position(|all| contains(all, part));
                    found.map(|at| left.swap_remove(at)).is_some()
                })
        }
        (Json::Object(all), Json::Object(part)) => {
            part.iter().all(|(name, part)| all.get(name).is_some_and(|all| contains(all, part)))
        }
        // A struct without fields is nothing by schema.
        (Json::Null, Json::Object(part)) => part.is_empty(),
        _ => all == part,
    }
}
