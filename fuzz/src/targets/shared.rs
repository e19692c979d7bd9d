//! Several entries over the same bytes: what is remembered of one is no answer for another. A mode of
//! [`segment_open`](super::segment_open), for which random segments hardly ever have two entries over one object.
//!
//! The first byte says how many entries there are, eight bytes each what an entry is; the rest are the objects' bytes. What
//! has to hold: each answer is that of a segment that was just opened, whatever was asked before; and what is adopted can
//! be read to the end. What is asked, as which type and in which order, differs by input: [`Dice`].

use std::sync::OnceLock;

use arbitrary::Arbitrary;
use graven::Segment;
use graven_format::Section;

use crate::cases::{self, Case, ForCase};
use crate::dice::Dice;
use crate::entries::{self, Aim, OBJECTS, Tables};
use crate::ours::Fuzzed;
use crate::values;
use crate::walk::{Budget, Walk};

/// Bytes of the objects: more than what has to be there for an object to be remembered.
const ROOM: u64 = 2 * OBJECTS;
/// Bytes of an entry.
const AIM: usize = 8;
/// Entries, at most.
const AIMS: usize = 6;
/// Questions.
const ASKS: u64 = 6;

/// What an entry begins with instead of a type's number to have everything but the root from the one before.
pub const AGAIN: u8 = 0xff;

pub fn run(data: &[u8]) {
    let Some((count, data)) = data.split_first() else { return };
    let count = 1 + usize::from(*count) % AIMS;
    let Some((given, objects)) = data.split_at_checked(count * AIM) else { return };
    let (mut types, mut aims): (Vec<usize>, Vec<Aim>) = (Vec::new(), Vec::new());
    for given in given.chunks_exact(AIM) {
        let [ty, table, position @ .., l, m, r, s] = given else { return };
        let [p, q] = position else { return };
        let [position, length, root] =
            [[*p, *q], [*l, *m], [*r, *s]].map(|two| u64::from(u16::from_le_bytes(two)));
        let aim = match (types.last(), aims.last()) {
            (Some(&before), Some(&aim)) if *ty == AGAIN => {
                types.push(before);
                Aim { root: root * 2, ..aim }
            }
            _ => {
                types.push(usize::from(*ty) % cases::COUNT);
                let position = position * 16 % ROOM;
                // Nothing is everything.
                let length = if length == 0 { ROOM - position } else { length };
                let table = types[types.len() - 1] + usize::from(*table);
                let table = tables().at[table % cases::COUNT];
                Aim { object: Section { position, length }, root: root * 2, table, align: 16 }
            }
        };
        aims.push(aim);
    }
    let mut objects = objects.to_vec();
    objects.resize(ROOM as usize, 0);
    let bytes = entries::segment(&objects, tables(), &aims);
    let segment = Segment::from_bytes(&bytes).expect("a header that is right");
    let mut dice = Dice::of(data);
    for ask in 0..ASKS {
        // Each at least once, and in order: then what there is more of.
        let entry = if ask < count as u64 { ask as usize } else { dice.throw(count as u64) as usize };
        let name = entry.to_string();
        let ty = match dice.throw(16) {
            0 => {
                by_schema(&bytes, &segment, &name);
                continue;
            }
            1 => dice.throw(cases::COUNT as u64) as usize,
            _ => types[entry],
        };
        let doubt = dice.one_in(8);
        cases::with(ty, &mut Ask { bytes: &bytes, segment: &segment, name, doubt });
    }
}

/// The tables of all types.
fn tables() -> &'static Tables {
    struct Collect(Vec<Vec<u8>>);
    impl ForCase for Collect {
        fn with<T: Fuzzed + for<'a> Arbitrary<'a>>(&mut self, case: &'static Case<T>) {
            self.0.push(case.prepared().schema.encode());
        }
    }
    static TABLES: OnceLock<Tables> = OnceLock::new();
    TABLES.get_or_init(|| {
        let mut tables = Collect(Vec::new());
        (0..cases::COUNT).for_each(|number| cases::with(number, &mut tables));
        Tables::new(&tables.0)
    })
}

struct Ask<'a> {
    bytes: &'a [u8],
    segment: &'a Segment,
    name: String,
    /// A new segment is asked too, whatever this one says.
    doubt: bool,
}

impl ForCase for Ask<'_> {
    fn with<T: Fuzzed + for<'a> Arbitrary<'a>>(&mut self, case: &'static Case<T>) {
        let got = self.segment.get::<T>(&self.name);
        // To open one takes longer than to ask it: what was refused could only have been refused for another reason.
        if got.is_ok() || self.doubt {
            let fresh = Segment::from_bytes(self.bytes).expect("opened before");
            same(case.name, &self.name, &fresh.get::<T>(&self.name), &got);
        }
        if let Ok(adopted) = got {
            adopted.walk(&mut Budget(500));
        }
    }
}

fn by_schema(bytes: &[u8], segment: &Segment, name: &str) {
    let fresh = Segment::from_bytes(bytes).expect("opened before");
    let (expected, got) = (fresh.value(name), segment.value(name));
    same("by schema", name, &expected, &got);
    if let Ok(value) = got {
        let _ = values::walk(value, &mut 200);
    }
}

fn same<V>(as_what: &str, name: &str, expected: &graven::Result<V>, got: &graven::Result<V>) {
    let said = |answer: &graven::Result<V>| answer.as_ref().err().map(ToString::to_string);
    assert_eq!(
        said(expected),
        said(got),
        "entry {name} as {as_what}: of a new segment, and of one that was asked before"
    );
}

/// An object at the start of the room, as three entries: as it is, with all the room, and with another root.
pub fn seed(number: u8, object: &[u8], size: usize) -> Vec<u8> {
    let root = (object.len() - size) as u16 / 2;
    let entry = |ty: u8, length: u16, root: u16| {
        let [length, root] = [length, root].map(u16::to_le_bytes);
        [&[ty, 0, 0, 0][..], &length, &root].concat()
    };
    let entries = [entry(number, object.len() as u16, root), entry(number, 0, root), entry(AGAIN, 0, root)];
    [&[2][..], &entries.concat(), object].concat()
}
