//! Whatever happens to an object or to its schema, reading ends, with what was there or with an error.

use super::*;

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
    let _ = (
        value.get("key3"),
        value.get(7919),
        value.get('a'),
        value.get(true),
        value.field("0"),
        value.index(1),
    );
    let _ = (value.path("[0].a"), value.iter().is_ok(), value.entries().is_ok(), value.fields().is_ok());
}

/// Visits all of a value, `left` values at most, and looks up in each map what it has.
fn walk(value: Value<'_>, depth: u32, left: &mut u64) {
    let Some(rest) = left.checked_sub(1).filter(|_| depth > 0) else { return };
    *left = rest;
    let mut down = |below: Result<Value<'_>, ValueError>| {
        if let Ok(below) = below {
            walk(below, depth - 1, left);
        }
    };
    match value.kind() {
        Kind::Pointer => down(value.target()),
        Kind::Option => value.option().into_iter().flatten().for_each(|inside| down(Ok(inside))),
        Kind::Struct | Kind::Tuple | Kind::Enum => {
            value.fields().into_iter().flatten().for_each(|(_, field)| down(field));
        }
        Kind::Sequence => value.iter().into_iter().flatten().take(1000).for_each(down),
        Kind::Map | Kind::Set => {
            for (key, inside) in value.entries().into_iter().flatten().flatten().take(1000) {
                let _ = match key.kind() {
                    Kind::Unsigned => key.as_u128().and_then(|key| value.get(key)),
                    Kind::Signed => key.as_i128().and_then(|key| value.get(key)),
                    Kind::Char => key.as_char().and_then(|key| value.get(key)),
                    Kind::Bool => key.as_bool().and_then(|key| value.get(key)),
                    _ => key.as_str().and_then(|key| value.get(key)),
                };
                down(Ok(key));
                down(Ok(inside));
            }
        }
        _ if rest.is_multiple_of(16) => ask(value),
        _ => {}
    }
    if rest.is_multiple_of(32) {
        ask(value);
    }
}

/// A writer that counts, and stops nothing.
struct Sink(u64);

impl std::io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

const FEW: Limits = Limits { depth: 20, elements: 2_000, bytes: 20_000 };

/// Walks and serializes a value that may be damaged; says whether it was whole.
fn survives(value: Value<'_>) -> bool {
    walk(value, 20, &mut 500);
    let mut sink = Sink(0);
    let whole = serde_json::to_writer(&mut sink, &value.with_limits(FEW)).is_ok();
    // A byte of text takes six at most, a number forty.
    assert!(sink.0 <= FEW.elements * 48 + FEW.bytes * 6, "{} bytes", sink.0);
    whole
}

fn damage(bytes: &mut [u8], random: &mut Random) {
    for _ in 0..1 + random.below(4) * random.below(3) {
        let at = random.below(bytes.len());
        match random.below(4) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.next() as u8,
            2 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.below(5)],
            // A whole word: what pointers and lengths are made of.
            _ => {
                let word = (random.next() >> random.below(64)).to_le_bytes();
                for (byte, new) in bytes[at..].iter_mut().zip(word).take(1 << random.below(4)) {
                    *byte = new;
                }
            }
        }
    }
}

#[test]
fn objects_damaged_at_random_are_read_to_the_end_or_to_an_error() {
    let segment = segment_of(&All::sample(2));
    let entry = segment.objects().next().unwrap().unwrap();
    let (root, bytes) = (entry.root, &segment.as_bytes()[range(entry.object)]);
    let schema = segment.schema().next().unwrap().unwrap().1;
    assert!(survives(Value::root(bytes, &schema, root).unwrap()));
    let mut random = Random(0x5eed);
    let mut refused = 0;
    for _ in 0..20_000 {
        let mut bytes = bytes.to_vec();
        damage(&mut bytes, &mut random);
        refused += u32::from(!survives(Value::root(&bytes, &schema, root).unwrap()));
    }
    // Most damage is in numbers and texts, which may be anything; a good part is not.
    assert!(refused > 2_000, "only {refused} were found damaged");
}

#[test]
fn objects_read_by_tables_damaged_at_random_are_read_to_the_end_or_to_an_error() {
    let segment = segment_of(&All::sample(2));
    let entry = segment.objects().next().unwrap().unwrap();
    let (root, bytes) = (entry.root, &segment.as_bytes()[range(entry.object)]);
    let table = segment.section_of_schema();
    let mut random = Random(0x7ab1e);
    let (mut readable, mut sound) = (0, 0);
    for _ in 0..20_000 {
        let mut table = table.clone();
        damage(&mut table[16..], &mut random);
        let Ok(schema) = Schema::decode(&table) else { continue };
        readable += 1;
        if let Ok(value) = Value::root(bytes, &schema, root) {
            sound += 1;
            survives(value);
        }
    }
    assert!(readable > 2_000 && sound > 500 && sound < readable, "{readable} readable, {sound} sound");
}

trait SchemaSection {
    fn section_of_schema(&self) -> Vec<u8>;
}
impl SchemaSection for Segment {
    /// Of a segment with one table: the table.
    fn section_of_schema(&self) -> Vec<u8> {
        self.as_bytes()[range(self.header().schema)].to_vec()
    }
}
