//! Damaged segments: every command prints what there is, or says what is wrong, and ends.
//!
//! The damage is done twice: as it is, which checksums notice, and with the checksums made right again, as someone
//! with bad intentions would, which leaves it to each check behind them.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use common::{reseal, rich_bytes, sections, small_bytes};
use graven_cli::Failure;
use graven_cli::segment::diff::Diff;
use graven_cli::segment::draw::picture;
use graven_cli::segment::dump::Dump;
use graven_cli::segment::inspect::Inspect;
use graven_cli::segment::schema::Layouts;
use graven_cli::segment::verify::Verify;
use graven_cli::topology::adopt::adopt;
use graven_cli::topology::distances::distances;
use graven_cli::topology::draw::draw;
use graven_cli::topology::show::{show, show_records};
use graven_cli::topology::xml::export;
use graven_topology::{Builder, Node, Type};

/// Runs the commands; returns what `verify` says.
fn all(bytes: &[u8], what: impl Fn() -> String) -> Result<(), Failure> {
    let file = || "f".into();
    let run = |out: &mut Vec<u8>| {
        vec![
            Inspect { file: file(), json: false }.print(bytes, out),
            Inspect { file: file(), json: true }.print(bytes, out),
            Layouts { file: file(), object: None, json: false }.print(bytes, out),
            Layouts { file: file(), object: Some("users".into()), json: true }.print(bytes, out),
            Verify { file: file(), json: true, threads: Some(2) }.print(bytes, out),
            Verify { file: file(), json: false, threads: Some(1) }.print(bytes, out),
        ]
    };
    checked(run, what).pop().expect("what `verify` says")
}

/// Runs the commands that look into objects, `diff` with the segment as it was; returns what `dump` says.
fn values(bytes: &[u8], original: &[u8], what: impl Fn() -> String) -> Result<(), Failure> {
    let run = |out: &mut Vec<u8>| {
        let (depth, limit) = (Dump::DEPTH, Diff::LIMIT);
        let dump = |object: Option<String>, path: Option<String>, json| Dump {
            file: "f".into(),
            object,
            path,
            limit: None,
            depth,
            json,
        };
        let diff = |json| Diff { old: "old".into(), new: "new".into(), values: true, limit, json };
        let picture = picture("f", bytes).map(|picture| out.extend(picture.bytes()));
        vec![
            picture,
            dump(None, None, true).print(bytes, out),
            dump(Some("users".into()), Some("[0].name".into()), false).print(bytes, out),
            diff(false).print([bytes, original], out).map(|_| ()),
            diff(true).print([original, bytes], out).map(|_| ()),
            dump(None, None, false).print(bytes, out),
        ]
    };
    checked(run, what).pop().expect("what `dump` says")
}

/// What commands say that printed nothing that could harm.
fn checked(
    run: impl Fn(&mut Vec<u8>) -> Vec<Result<(), Failure>>,
    what: impl Fn() -> String,
) -> Vec<Result<(), Failure>> {
    let run = || {
        let mut out = Vec::new();
        let results = run(&mut out);
        assert!(out.len() < 1 << 20, "{} bytes of output", out.len());
        assert!(!out.iter().any(|&byte| byte < b' ' && byte != b'\n'), "control characters");
        for failure in results.iter().filter_map(|result| result.as_ref().err()) {
            assert!(matches!(failure, Failure::Cause { .. }));
            assert!(failure.to_string().len() > 10, "{failure}");
        }
        results
    };
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| panic!("{}", what()))
}

/// Calls `damage` with each of the positions and a copy of the segment of its own, on all processors.
fn for_each(positions: &[usize], original: &[u8], damage: impl Fn(usize, &mut [u8]) + Sync) {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut bytes = original.to_vec();
        while let Some(&at) = positions.get(next.fetch_add(1, Ordering::Relaxed)) {
            damage(at, &mut bytes);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
}

#[test]
fn any_byte_of_header_schema_and_directory_may_have_any_value() {
    let original = small_bytes();
    all(&original, || "the segment".into()).unwrap();
    let [schema, directory] = sections(&original);
    let positions: Vec<usize> = (0..256).chain(schema).chain(directory).collect();
    for_each(&positions, &original, |at, bytes| {
        let was = original[at];
        for value in [0, 0xff].into_iter().chain((0..8).map(|bit| was ^ 1 << bit)) {
            if value == was {
                continue;
            }
            let what = |sealed| format!("byte {at} set to {value:#04x}, {sealed}");
            bytes[at] = value;
            assert!(all(bytes, || what("as it is")).is_err(), "{}", what("not noticed"));
            if [0, 0xff, was ^ 1, was ^ 0x80].contains(&value) {
                reseal(bytes);
                let _ = all(bytes, || what("sealed again"));
                let _ = (value == was ^ 1).then(|| values(bytes, &original, || what("sealed again")));
                bytes.copy_from_slice(&original);
            }
        }
        bytes[at] = was;
    });
}

#[test]
fn any_byte_of_the_objects_may_have_any_value() {
    let original = rich_bytes();
    values(&original, &original, || "the segment".into()).unwrap();
    let [schema, _] = sections(&original);
    let positions: Vec<usize> = (4096..schema.start).collect();
    for_each(&positions, &original, |at, bytes| {
        let was = original[at];
        for value in [0, 0xff, was ^ 1, was ^ 4, was ^ 0x80] {
            if value != was {
                bytes[at] = value;
                let what = || format!("byte {at} set to {value:#04x}");
                assert!(values(bytes, &original, what).is_err(), "{}", what());
            }
        }
        bytes[at] = was;
    });
}

#[test]
fn any_number_of_bytes_may_be_missing() {
    let original = small_bytes();
    for length in 0..original.len() {
        let error = all(&original[..length], || format!("cut to {length}")).unwrap_err().to_string();
        values(&original[..length], &original, || format!("cut to {length}")).unwrap_err();
        assert!(error.contains("truncated"), "{length}: {error}");
    }
}

#[test]
fn any_word_of_schema_and_directory_may_have_any_extreme_value() {
    let original = small_bytes();
    let [schema, directory] = sections(&original);
    let positions: Vec<usize> = schema.chain(directory).collect();
    for_each(&positions, &original, |at, bytes| {
        for value in [1, 0x7fff_ffff, i64::MAX as u64, u64::MAX] {
            for size in [4, 8] {
                let end = (at + size).min(original.len());
                bytes[at..end].copy_from_slice(&value.to_le_bytes()[..end - at]);
                reseal(bytes);
                let what = || format!("{size} bytes at {at} set to {value:#x}");
                let _ = all(bytes, what);
                let _ = (size == 8).then(|| values(bytes, &original, what));
                bytes.copy_from_slice(&original);
            }
        }
    });
}

#[test]
fn a_damaged_topology_is_shown_drawn_and_exported_or_refused() {
    let mut builder = Builder::new();
    let package = builder.add(Builder::ROOT, Node::new(Type::Package).os_index(0).info("CPUModel", "none"));
    for number in 0..2 {
        let core = builder.add(package, Node::new(Type::Core).os_index(number));
        builder.add(core, Node::new(Type::Pu).os_index(7 * number));
    }
    builder.add(package, Node::new(Type::NumaNode).os_index(0));
    builder.add(package, Node::new(Type::Misc).name("a name").subtype("a subtype"));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("small.grv");
    graven::write(&path, &builder.build().unwrap()).unwrap();
    let original = std::fs::read(&path).unwrap();

    let check = |bytes: &[u8], all: bool, what: &dyn Fn() -> String| {
        let run = || {
            let mut out = Vec::new();
            let shown = graven::Segment::from_bytes(bytes)
                .map_err(Failure::from)
                .and_then(|segment| adopt(&segment))
                .and_then(|topology| {
                    show(&*topology, None, &mut out)?;
                    if !all {
                        return Ok(());
                    }
                    show_records(&*topology, None, &mut out)?;
                    distances(&*topology, &mut out)?;
                    out.extend(draw(&*topology, true).bytes());
                    export(&*topology, &mut out)
                });
            let control = |&byte: &u8| byte < b' ' && byte != b'\n';
            assert!(!out.iter().any(control), "control characters");
            assert!(out.len() < 1 << 16, "{} bytes of output", out.len());
            if let Err(failure) = shown {
                assert!(failure.to_string().len() > 10, "{failure}");
            }
        };
        catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| panic!("{}", what()));
    };
    let [schema, directory] = sections(&original);
    // Adopting does not ask for the objects' checksums, so these are damaged as they are.
    let objects: Vec<usize> = (4096..schema.start).collect();
    for_each(&objects, &original, |at, bytes| {
        for value in [0, 0xff, original[at] ^ 1, original[at] ^ 0x80] {
            bytes[at] = value;
            // One of them will do for what takes longer.
            check(bytes, value == original[at] ^ 1, &|| format!("byte {at} set to {value:#04x}"));
        }
        bytes[at] = original[at];
    });
    let described: Vec<usize> = schema.chain(directory).step_by(4).collect();
    for_each(&described, &original, |at, bytes| {
        for value in [1, i64::MAX as u64, u64::MAX] {
            let end = (at + 8).min(original.len());
            bytes[at..end].copy_from_slice(&value.to_le_bytes()[..end - at]);
            reseal(bytes);
            check(bytes, true, &|| format!("8 bytes at {at} set to {value:#x}"));
            bytes.copy_from_slice(&original);
        }
    });
}
