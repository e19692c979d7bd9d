//! Damaged segments: every byte changed, every length cut, checksums right or wrong. None of it crashes a reader.
//!
//! hwloc's shared-memory topologies let all of 2,000 random bit flips behind the header through; 156 crashed the
//! adopter and 63 gave wrong answers without a word. Here the header, the bounds and the schema's checksum are checked
//! before anything is believed, adopting validates every pointer, and `verify` covers every byte of the file: it is
//! under a checksum or has to be zero.

mod support;

use std::cell::Cell;
use std::collections::HashMap;
use std::fs;
use std::ops::Range;
use std::os::fd::AsRawFd;

use graven::{
    Cause, Error, Segment, Writer,
    error::{Damage, HeaderError, VerifyError},
};
use graven_format::View;
use support::*;

/// A small segment of three objects.
struct Specimen {
    bytes: Vec<u8>,
    header: graven::format::Header,
    /// Start and end of each object, in order, and its name.
    objects: Vec<(usize, usize, String)>,
    /// Where the schema table of each object is.
    tables: Vec<Range<usize>>,
}

fn specimen() -> Specimen {
    let directory = directory();
    let path = directory.path().join("specimen.grv");
    let mut writer = Writer::create(&path).unwrap();
    writer.put("numbers", &vec![0x0102_0304u32, 5, 6]).unwrap();
    writer.put("", &Config::sample(1)).unwrap();
    writer.put("table", &table()).unwrap();
    writer.finish().unwrap();
    let bytes = fs::read(path).unwrap();
    let segment = Segment::from_bytes(&bytes).unwrap();
    segment.verify().unwrap();
    let entries: Vec<_> = segment.objects().map(Result::unwrap).collect();
    let object = |entry: &graven::format::Entry<'_>| {
        let bytes = range(entry.object);
        (bytes.start, bytes.end, entry.name.to_owned())
    };
    let objects = entries.iter().map(object).collect();
    let tables = entries.iter().map(|entry| range(entry.schema)).collect();
    drop(entries);
    Specimen { header: *segment.header(), bytes, objects, tables }
}

/// Zero, all ones, and each bit flipped: what differs from `byte`.
fn changes(byte: u8) -> Vec<u8> {
    let mut values: Vec<u8> = [0, 0xff].into_iter().chain((0..8).map(|bit| byte ^ 1 << bit)).collect();
    values.retain(|&value| value != byte);
    values.sort();
    values.dedup();
    values
}

/// What each step of using a segment said.
struct Outcome {
    open: Result<(), Error>,
    /// Of the steps after opening: none if that failed.
    objects: Vec<Error>,
    schema: Vec<Error>,
    adopt: Vec<Error>,
    verify: Result<(), Error>,
}

/// Opens the bytes and does everything with them that a program can. Whatever is adopted is read to the end.
fn use_all(bytes: &[u8]) -> Outcome {
    let mut outcome =
        Outcome { open: Ok(()), objects: vec![], schema: vec![], adopt: vec![], verify: Ok(()) };
    let segment = match Segment::from_bytes(bytes) {
        Ok(segment) => segment,
        Err(error) => {
            outcome.open = Err(error);
            return outcome;
        }
    };
    outcome.objects = segment.objects().filter_map(Result::err).collect();
    outcome.schema = segment.schema().filter_map(Result::err).collect();
    let objects = ["", "numbers", "table"];
    outcome.adopt = objects.into_iter().filter_map(|name| adopt_and_read(&segment, name).err()).collect();
    outcome.verify = segment.verify().map(drop);
    outcome
}

/// Adopts an object as what it was written from, and reads all of it.
fn adopt_and_read(segment: &Segment, name: &str) -> Result<(), Error> {
    let read = match name {
        "" => {
            let config = segment.root::<Config>()?;
            let found = (0..8u32).filter(|&key| config.weights.get(&key.into()).is_some()).count();
            config.digest() ^ found as u64
        }
        "numbers" => segment.get::<Vec<u32>>(name)?.iter().map(|number| u64::from(number.to_native())).sum(),
        _ => {
            let table = segment.get::<HashMap<String, u64>>(name)?;
            let found = table.keys().filter_map(|key| table.get(key.as_str())).count();
            let absent = usize::from(table.get("no key").is_some());
            table.values().fold((found + absent) as u64, |all, value| all ^ value.to_native())
        }
    };
    std::hint::black_box(read);
    Ok(())
}

impl Outcome {
    fn errors(&self) -> impl Iterator<Item = &Error> {
        let results = [&self.open, &self.verify].into_iter().filter_map(|result| result.as_ref().err());
        results.chain(&self.objects).chain(&self.schema).chain(&self.adopt)
    }

    /// No error is silent, of a wrong kind, or about something else than the bytes.
    fn check_errors(&self) {
        for error in self.errors() {
            let message = error.to_string();
            assert!(message.len() > 20, "{message}");
            match error.cause() {
                Cause::Header(_)
                | Cause::Directory(_)
                | Cause::Schema(_)
                | Cause::Verify(_)
                | Cause::Layout(_)
                | Cause::Contents(_) => assert_eq!(error.errno(), EINVAL, "{message}"),
                Cause::NoObject { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

// ---- every byte, checksums as they were ----------------------------------------------------------------------------

#[test]
fn every_change_of_a_header_byte_is_refused_when_opening() {
    let whole = specimen();
    let mut bytes = whole.bytes.clone();
    for at in 0..graven::format::Header::SIZE {
        for value in changes(whole.bytes[at]) {
            bytes[at] = value;
            let error = Segment::from_bytes(&bytes).unwrap_err();
            assert_eq!(error.errno(), EINVAL);
            let Cause::Header(cause) = error.cause() else { panic!("{error}") };
            let expected = match at {
                0..8 => matches!(cause, HeaderError::BadMagic { .. }),
                8..10 => matches!(cause, HeaderError::UnsupportedVersion { .. }),
                10..12 => matches!(cause, HeaderError::HeaderLength { .. }),
                _ => matches!(cause, HeaderError::BadChecksum { .. }),
            };
            assert!(expected, "byte {at} = {value:#x}: {error}");
            assert_eq!(View::inspect(&bytes).unwrap_err().to_string(), error.to_string());
        }
        bytes[at] = whole.bytes[at];
    }
}

#[test]
fn every_change_of_a_schema_byte_is_refused_when_adopting_and_by_verify() {
    let whole = specimen();
    let mut bytes = whole.bytes.clone();
    for at in range(whole.header.schema) {
        for value in changes(whole.bytes[at]) {
            bytes[at] = value;
            let segment = Segment::from_bytes(&bytes).unwrap();
            assert!(segment.objects().all(|entry| entry.is_ok()));
            let errors = [
                segment.schema().next().unwrap().unwrap_err(),
                segment.root::<Config>().unwrap_err(),
                segment.verify().unwrap_err(),
            ];
            for error in errors {
                assert_eq!(error.errno(), EINVAL);
                let cause = error.cause();
                assert!(
                    matches!(cause, Cause::Verify(VerifyError::SchemaChecksum { .. })),
                    "byte {at}: {error}"
                );
            }
        }
        bytes[at] = whole.bytes[at];
    }
}

#[test]
fn every_change_of_a_directory_byte_is_refused_by_verify_and_crashes_nothing() {
    let whole = specimen();
    let mut bytes = whole.bytes.clone();
    for at in range(whole.header.directory) {
        for value in changes(whole.bytes[at]) {
            bytes[at] = value;
            let outcome = use_all(&bytes);
            outcome.check_errors();
            assert!(outcome.open.is_ok(), "the directory is looked at when it is used");
            let error = outcome.verify.unwrap_err();
            let cause = error.cause();
            assert!(
                matches!(cause, Cause::Verify(VerifyError::DirectoryChecksum { .. })),
                "byte {at}: {error}"
            );
        }
        bytes[at] = whole.bytes[at];
    }
}

/// [S7]
#[test]
fn verify_refuses_every_changed_byte_of_the_file_and_names_the_part_it_is_in() {
    let whole = specimen();
    let mut bytes = whole.bytes.clone();
    let (schema, directory) = (range(whole.header.schema), range(whole.header.directory));
    let first = whole.objects[0].0;
    let last = whole.objects[2].1;
    for at in graven::format::Header::SIZE..bytes.len() {
        bytes[at] ^= 1 << (at % 8);
        let error = Segment::from_bytes(&bytes).unwrap().verify().unwrap_err();
        let object = whole.objects.iter().find(|(start, end, _)| (*start..*end).contains(&at));
        let at_64 = at as u64;
        let named = match error.cause() {
            Cause::Verify(VerifyError::HeaderPage { position: offset, .. }) => at < 4096 && *offset == at_64,
            Cause::Verify(VerifyError::ObjectChecksum { name, .. }) => {
                object.is_some_and(|(_, _, expected)| name == expected)
            }
            Cause::Verify(VerifyError::ObjectPadding { position: offset, .. }) => {
                object.is_none() && (first..last).contains(&at) && *offset == at_64
            }
            Cause::Verify(VerifyError::SchemaChecksum { .. }) => schema.contains(&at),
            Cause::Verify(VerifyError::DirectoryChecksum { .. }) => directory.contains(&at),
            Cause::Verify(VerifyError::Padding { position: offset, .. }) => {
                let between =
                    (last..schema.start).contains(&at) || (schema.end..directory.start).contains(&at);
                (between || at >= directory.end) && *offset == at_64
            }
            _ => false,
        };
        assert!(named, "byte {at}: {error}");
        bytes[at] = whole.bytes[at];
    }
    Segment::from_bytes(&bytes).unwrap().verify().unwrap();
}

#[test]
fn a_segment_cut_at_any_length_or_extended_is_refused_with_both_lengths() {
    let whole = specimen();
    let full = whole.bytes.len() as u64;
    for length in 0..full {
        let bytes = &whole.bytes[..length as usize];
        let error = Segment::from_bytes(bytes).unwrap_err();
        let expected = if length < 256 { 256 } else { full };
        let Cause::Header(HeaderError::Truncated { expected: e, got }) = error.cause() else {
            panic!("{error}")
        };
        assert_eq!((*e, *got), (expected, length));
        assert!(error.to_string().contains(&length.to_string()), "{error}");
    }
    let mut bytes = whole.bytes;
    for more in [1, 255, 4095, 4096] {
        bytes.resize((full + more) as usize, 0);
        let error = Segment::from_bytes(&bytes).unwrap_err();
        let Cause::Header(HeaderError::Extended { expected, got }) = error.cause() else { panic!("{error}") };
        assert_eq!((*expected, *got), (full, full + more));
    }
}

#[test]
fn a_file_cut_or_extended_is_refused_by_every_way_in() {
    let whole = specimen();
    let directory = directory();
    let path = directory.path().join("cut.grv");
    let full = whole.bytes.len() as u64;
    let lengths = (0..full).step_by(61).chain([255, 256, 257, 4095, 4096, full - 1, full + 1, full + 4096]);
    for length in lengths {
        fs::write(&path, &whole.bytes).unwrap();
        let file = fs::OpenOptions::new().write(true).read(true).open(&path).unwrap();
        file.set_len(length).unwrap();
        for result in [map(&path), Segment::read(&path)] {
            let error = result.unwrap_err();
            let cause = error.cause();
            assert!(
                matches!(cause, Cause::Header(HeaderError::Truncated { got, .. } | HeaderError::Extended { got, .. })
                    if *got == length),
                "{error}"
            );
            assert_eq!(error.file(), Some(&*path));
        }
        // A run is as long as the caller says, so a file may go on behind it.
        assert_eq!(map_at(&file, 0, full).is_ok(), length >= full);
    }
}

#[test]
fn of_a_run_that_is_cut_the_length_is_told_before_what_its_objects_are_encoded_for() {
    let whole = specimen();
    let mut bytes = whole.bytes.clone();
    let full = bytes.len() as u64;
    // Endianness: the other one.
    bytes[20] ^= 1;
    reseal_header(&mut bytes);
    let file = tempfile::tempfile_in(directory().path()).unwrap();
    fs::write(format!("/proc/self/fd/{}", file.as_raw_fd()), &bytes).unwrap();
    let cause = |file| map_at(file, 0, full).unwrap_err().cause().to_string();
    assert!(cause(&file).contains("another encoding"), "{}", cause(&file));
    file.set_len(full - 1).unwrap();
    assert!(cause(&file).starts_with("truncated"), "{}", cause(&file));
}

/// Other bytes each time they are asked for, as those of a region may be that somebody writes without its lock.
struct Changing {
    asked: Cell<usize>,
    bytes: [Vec<u8>; 2],
}

impl AsRef<[u8]> for Changing {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[self.asked.replace(1)]
    }
}

#[test]
fn the_header_of_a_copy_is_that_of_the_bytes_that_were_copied() {
    let shorter = specimen().bytes;
    let longer = bytes_of(&vec![7u8; 2 * shorter.len()]);
    for bytes in [[longer.clone(), shorter.clone()], [shorter, longer]] {
        let segment = Segment::from_bytes(Changing { asked: Cell::new(0), bytes }).unwrap();
        assert_eq!(segment.header().length, segment.as_bytes().len() as u64);
        segment.verify().unwrap();
    }
}

#[test]
fn a_header_that_changed_after_its_segment_was_opened_is_seen_by_verify() {
    let whole = specimen();
    let directory = directory();
    let path = directory.path().join("rotten.grv");
    fs::write(&path, &whole.bytes).unwrap();
    // SAFETY: nothing is adopted from it when it changes, and it is not cut.
    let segment = unsafe { Segment::map(&path) }.unwrap();
    segment.verify().unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[whole.bytes[100] ^ 1], 100).unwrap();
    let refused = segment.verify().unwrap_err();
    assert!(matches!(refused.cause(), Cause::Header(HeaderError::BadChecksum { .. })), "{refused}");
}

// ---- every byte, checksums made right again ------------------------------------------------------------------------

#[test]
fn headers_that_lie_under_a_right_checksum_crash_nothing() {
    let whole = specimen();
    let mut bytes = whole.bytes.clone();
    for at in 0..248 {
        for value in changes(whole.bytes[at]) {
            bytes[at] = value;
            reseal_header(&mut bytes);
            use_all(&bytes).check_errors();
            let _ = View::inspect(&bytes).map(|view| view.verify());
        }
        bytes[at] = whole.bytes[at];
    }
}

#[test]
fn schemas_that_lie_under_a_right_checksum_crash_nothing_and_adopt_nothing_else() {
    let whole = specimen();
    let mut bytes = whole.bytes.clone();
    let digest = Segment::from_bytes(&bytes).unwrap().root::<Config>().unwrap().digest();
    for (table, (_, _, name)) in whole.tables.iter().zip(&whole.objects) {
        for at in table.clone() {
            for value in changes(whole.bytes[at]) {
                bytes[at] = value;
                reseal(&mut bytes, &whole.header);
                let segment = Segment::from_bytes(&bytes).unwrap();
                let adopted = adopt_and_read(&segment, name);
                let verified = segment.verify();
                if let Ok(schema) = graven::format::Schema::decode(&bytes[table.clone()]) {
                    std::hint::black_box(
                        (0..schema.types().len() as u32).map(|ty| schema.name_of(ty).len()).max(),
                    );
                }
                for error in adopted.as_ref().err().into_iter().chain(verified.as_ref().err()) {
                    assert_eq!(error.errno(), EINVAL);
                    let cause = error.cause();
                    assert!(
                        matches!(cause, Cause::Schema(_) | Cause::Verify(_) | Cause::Layout(_)),
                        "{error}"
                    );
                    assert!(error.to_string().len() > 20, "{error}");
                }
                // Names of types are for people; all else has to be what it was.
                if adopted.is_ok() && name.is_empty() {
                    assert_eq!(segment.root::<Config>().unwrap().digest(), digest);
                }
            }
            bytes[at] = whole.bytes[at];
        }
    }
}

#[test]
fn directories_that_lie_under_a_right_checksum_crash_nothing() {
    let whole = specimen();
    let mut bytes = whole.bytes.clone();
    for at in range(whole.header.directory) {
        for value in changes(whole.bytes[at]) {
            bytes[at] = value;
            reseal(&mut bytes, &whole.header);
            use_all(&bytes).check_errors();
        }
        bytes[at] = whole.bytes[at];
    }
}

#[test]
fn objects_that_lie_under_right_checksums_are_refused_or_read_to_the_end() {
    let whole = specimen();
    let mut bytes = whole.bytes.clone();
    let (mut refused, mut read) = (0, 0);
    for (start, end, name) in &whole.objects {
        for at in *start..*end {
            let mut adopts = true;
            for value in changes(whole.bytes[at]) {
                bytes[at] = value;
                // Adopting does not look at an object's checksum.
                let adopted = adopt_and_read(&Segment::from_bytes(&bytes).unwrap(), name);
                adopts = adopted.is_ok();
                match adopted {
                    Ok(()) => read += 1,
                    Err(error) => {
                        assert_eq!(error.errno(), EINVAL);
                        assert_eq!(error.object(), Some(name.as_str()));
                        assert!(matches!(error.cause(), Cause::Contents(_)), "{error}");
                        refused += 1;
                    }
                }
            }
            reseal_objects(&mut bytes, &whole.header);
            // Without the types, it finds what adopting finds, and also entries that no lookup would.
            match Segment::from_bytes(&bytes).unwrap().verify().as_ref().map_err(Error::cause) {
                Ok(_) => assert!(adopts),
                Err(Cause::Verify(VerifyError::Object { error, .. })) => {
                    assert_eq!(adopts, matches!(error.cause(), Damage::Disorder { .. }));
                }
                Err(other) => panic!("{other}"),
            }
            bytes.copy_from_slice(&whole.bytes);
        }
    }
    println!("{refused} refused, {read} read");
    assert!(refused > 1000 && read > 1000);
}

// ---- at random -----------------------------------------------------------------------------------------------------

/// `rounds` segments with 1 to 16 bytes changed anywhere, most of them with right checksums.
fn at_random(seed: u64, rounds: u32) {
    let whole = specimen();
    let mut random = Random(seed);
    for _ in 0..rounds {
        let mut bytes = whole.bytes.clone();
        for _ in 0..1 + random.below(16) {
            let at = match random.below(20) {
                0 => 12 + random.below(236),
                1..7 => {
                    range(whole.header.directory).start + random.below(whole.header.directory.length as usize)
                }
                _ => 4096 + random.below(range(whole.header.directory).end - 4096),
            };
            bytes[at] = match random.below(3) {
                0 => 0xff,
                1 => bytes[at] ^ 1 << random.below(8),
                _ => random.next() as u8,
            };
        }
        if random.below(8) > 0 {
            reseal(&mut bytes, &whole.header);
        }
        use_all(&bytes).check_errors();
    }
}

#[test]
fn random_damage_crashes_nothing() {
    at_random(0x9e37_79b9_7f4a_7c15, 10_000);
}

#[test]
fn other_random_damage_crashes_nothing() {
    at_random(0x2545_f491_4f6c_dd1d, 10_000);
}

// ---- depth ---------------------------------------------------------------------------------------------------------

#[test]
fn an_object_nested_as_deep_as_it_can_be_written_is_adopted_on_a_small_stack() {
    // What rkyv's serializer recurses into has a stack of its own; adopting has 64 KiB.
    let large = std::thread::Builder::new().stack_size(256 << 20);
    let bytes = large.spawn(|| bytes_of(&Nested::new(20_000))).unwrap().join().unwrap();
    let small = std::thread::Builder::new().stack_size(64 << 10);
    let test = move || {
        let segment = Segment::from_bytes(bytes).unwrap();
        segment.verify().unwrap();
        let nested = segment.root::<Nested>().unwrap();
        let levels = std::iter::successors(Some(&*nested), |nested| nested.inner.as_deref());
        assert_eq!(levels.count(), 20_001);
    };
    small.spawn(test).unwrap().join().unwrap();
}
