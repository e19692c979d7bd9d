//! Entries over the same bytes: whatever was adopted before, by whom, as what, no answer is another than that of a
//! segment that was just opened.
//!
//! What is remembered of a segment (valid objects, decoded schemas) once was remembered by less than had been asked: the
//! position without the root. Directories that honest writers make could not show it. So these are made up: positions,
//! lengths, roots and tables are picked so that entries share them often, and are right often enough.

#[path = "support/entries.rs"]
mod entries;
mod support;

use std::fmt::Debug;
use std::num::NonZeroUsize;

use entries::{Aim, OBJECTS, Tables};

use graven::rkyv::rancor::BoxedError;
use graven::rkyv::{Archived, api::high::HighDeserializer};
use graven::{
    Archive, Deserialize, Layout, Segment,
    format::{Schema, Section},
};
use graven_store::fuzz::rounds;
use support::{Config, bytes_of, range};

/// Types that share layouts of parts, so that the bytes of one often are another.
macro_rules! types {
    ($($ty:ty = $value:expr;)*) => {
        /// The table of each, and an object.
        fn samples() -> Vec<(Vec<u8>, Vec<u8>)> {
            vec![$({
                let bytes = bytes_of::<$ty>(&$value);
                let object = Segment::from_bytes(&bytes).unwrap().objects().next().unwrap().unwrap().object;
                (Schema::of::<Archived<$ty>>().encode(), bytes[range(object)].to_vec())
            }),*]
        }

        /// What a segment says when it is asked for an object as the type of that number.
        fn ask(segment: &Segment, name: &str, ty: usize) -> String {
            let asks: &[fn(&Segment, &str) -> String] = &[$(adopt::<$ty>),*];
            match asks.get(ty) {
                Some(ask) => ask(segment, name),
                None => by_schema(segment, name),
            }
        }

        const TYPES: usize = [$(stringify!($ty)),*].len();
    };
}
types! {
    u64 = 7;
    Vec<u32> = vec![1, 2, 3];
    Vec<u64> = vec![1, 2, 3, 4];
    String = "a text that is not inline".to_string();
    (Vec<u32>, Vec<u8>) = (vec![1, 2, 3], (0..200).map(|n| n & 7).collect());
    (Vec<u8>, Vec<u32>) = ((0..50).collect(), vec![0; 40]);
    Vec<String> = (0..9).map(|n| format!("text number {n}")).collect();
    Option<Box<u32>> = Some(Box::new(7));
    Vec<bool> = vec![true; 30];
    Config = Config::sample(3);
}

fn adopt<T>(segment: &Segment, name: &str) -> String
where
    T: Archive<Archived: Layout + Deserialize<T, HighDeserializer<BoxedError>>> + Debug,
{
    match segment.get::<T>(name) {
        Ok(adopted) => format!("{:?}", adopted.deserialize::<T>()),
        Err(error) => error.to_string(),
    }
}

fn by_schema(segment: &Segment, name: &str) -> String {
    match segment.value(name) {
        Ok(value) => format!("{:?}", serde_json::to_string(&value).map_err(|error| error.to_string())),
        Err(error) => error.to_string(),
    }
}

/// Numbers from a row of bytes, the same for each seed.
struct Dice(Box<dyn Iterator<Item = u8>>);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        let number = self.0.by_ref().take(4).fold(0usize, |number, byte| number << 8 | usize::from(byte));
        number % sides
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}

/// Objects side by side, and where each of them is.
fn objects(samples: &[(Vec<u8>, Vec<u8>)]) -> (Vec<u8>, Vec<Section>) {
    let (mut bytes, mut at) = (Vec::new(), Vec::new());
    for (_, object) in samples {
        bytes.resize(bytes.len().next_multiple_of(16), 0);
        at.push(Section { position: bytes.len() as u64, length: object.len() as u64 });
        bytes.extend(object);
    }
    // From this length on valid objects are remembered.
    bytes.resize(3 * OBJECTS as usize, 0);
    (bytes, at)
}

/// An entry that is right, or nearly, or that has something of another one.
fn aim(
    dice: &mut Dice,
    samples: &[(Vec<u8>, Vec<u8>)],
    at: &[Section],
    tables: &Tables,
    others: &[Aim],
) -> Aim {
    let ty = dice.below(samples.len());
    let size = Schema::decode(&samples[ty].0).unwrap().root().size;
    // Numbers have two tables more.
    let table = if ty == 0 { dice.of(&[0, samples.len(), samples.len() + 1]) } else { ty };
    let mut aim = Aim { object: at[ty], root: at[ty].length - size, table: tables.at[table], align: 16 };
    // Large, and still right: it ends where it did or further, and starts where it did or before.
    if dice.below(3) > 0 {
        let start = dice.of(&[0, aim.object.position / 2 / 16 * 16, aim.object.position]);
        aim.root += aim.object.position - start;
        let length =
            dice.of(&[aim.object.length + aim.object.position - start, 4096, 5000, 3 * OBJECTS - start]);
        aim.object = Section { position: start, length: length.min(3 * OBJECTS - start) };
    }
    for _ in 0..dice.below(3) {
        let other = if others.is_empty() { aim } else { dice.of(others) };
        match dice.below(8) {
            0 => aim.object.position = other.object.position,
            1 => aim.object.length = other.object.length,
            2 => aim.root = other.root,
            3 => aim.table = other.table,
            4 => aim.root = dice.below(aim.object.length as usize + 2) as u64 / 4 * 4,
            5 => aim.object.length = (aim.object.length + 8).saturating_sub(dice.below(17) as u64),
            6 => aim.table.length = (aim.table.length + 4).saturating_sub(dice.below(9) as u64),
            _ => aim.table.position = (aim.table.position + 16).saturating_sub(8 * dice.below(5) as u64),
        }
    }
    aim
}

/// A table of numbers whose name for people is a table too, 40 bytes from its start.
fn around(table: &[u8]) -> Vec<u8> {
    let canonical = graven_format::canonical_part(table).unwrap();
    let inner = std::str::from_utf8(table).unwrap();
    let name = format!("as {inner}");
    let (c, t) = (8 + canonical.len() as u32, (8 + canonical.len() + 5 + name.len()) as u32);
    let annotation = [&[0][..], &(name.len() as u32).to_le_bytes(), name.as_bytes()].concat();
    let table = [&c.to_le_bytes()[..], &t.to_le_bytes(), canonical, &annotation].concat();
    Schema::decode(&table).unwrap();
    assert_eq!(&table[40..40 + inner.len()], inner.as_bytes());
    table
}

#[test]
fn no_answer_depends_on_what_was_asked_before() {
    let samples = samples();
    let (objects, at) = objects(&samples);
    let mut list: Vec<Vec<u8>> = samples.iter().map(|(table, _)| table.clone()).collect();
    list.push(around(&list[0]));
    let mut tables = Tables::new(&list);
    let (last, inner) = (tables.at[list.len() - 1], tables.at[0].length);
    tables.at.push(Section { position: last.position + 40, length: inner });
    let (mut adopted, mut refused) = (0, 0);
    for seed in 0..10_000 {
        let mut dice = Dice(Box::new(rounds(seed, u32::MAX).flatten()));
        let mut aims: Vec<Aim> = Vec::new();
        for _ in 0..2 + dice.below(5) {
            let next = aim(&mut dice, &samples, &at, &tables, &aims);
            aims.push(next);
        }
        let bytes = entries::segment(&objects, &tables, &aims);
        let fresh =
            |(name, ty): (usize, usize)| ask(&Segment::from_bytes(&bytes).unwrap(), &name.to_string(), ty);
        // Mostly what each is, by its table.
        let asks: Vec<(usize, usize)> = (0..10)
            .map(|_| {
                let name = dice.below(aims.len());
                let own = tables.at.iter().position(|table| *table == aims[name].table);
                (name, own.filter(|_| dice.below(4) > 0).unwrap_or_else(|| dice.below(TYPES + 4)))
            })
            .collect();
        let expected: Vec<String> = asks.iter().map(|ask| fresh(*ask)).collect();
        refused += expected.iter().filter(|answer| answer.contains("object \"")).count();
        adopted += expected.iter().filter(|answer| !answer.contains("object \"")).count();

        let segment = Segment::from_bytes(&bytes).unwrap();
        let check = |segment: &Segment| {
            for (asked, expected) in asks.iter().zip(&expected) {
                let got = ask(segment, &asked.0.to_string(), asked.1);
                assert_eq!(got, *expected, "seed {seed}, {asked:?} of {asks:?}: {aims:#?}");
            }
        };
        match seed % 8 {
            0 => {
                let clones = [1, 2, 3].map(|n| segment.clone().with_threads(NonZeroUsize::new(n).unwrap()));
                std::thread::scope(|scope| {
                    clones.iter().for_each(|clone| drop(scope.spawn(|| check(clone))))
                });
                check(&segment);
            }
            1 => {
                check(&segment.clone());
                check(&segment);
            }
            _ => check(&segment),
        }
    }
    println!("{adopted} adopted, {refused} refused");
    assert!(adopted > 10_000 && refused > 10_000, "{adopted} adopted, {refused} refused");
}
