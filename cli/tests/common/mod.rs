//! A small segment of several objects, and the command to run on it.
#![allow(dead_code)] // each test file uses some of it

pub(crate) mod topologies;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use graven_format::{Header, View, checksum};

/// A record with a gap between its fields.
#[graven::object]
pub(crate) struct User {
    /// Its name.
    pub(crate) name: String,
    /// One byte, so that three are left out before `age`.
    pub(crate) kind: u8,
    /// Four bytes.
    pub(crate) age: u32,
    /// A list.
    pub(crate) tags: Vec<String>,
}

/// Variants with and without fields.
#[graven::object]
pub(crate) enum Shape {
    /// With one.
    Circle {
        /// Four bytes.
        radius: f32,
    },
    /// With two.
    Line(u8, u64),
    /// Without.
    Empty,
}

/// A type that contains itself.
#[graven::object]
pub(crate) struct Node {
    /// A number.
    pub(crate) value: u16,
    /// Nodes.
    pub(crate) children: Vec<Node>,
}

/// Writes the segment that most tests look at.
pub(crate) fn sample(path: &Path) {
    let user = |name: &str, age| User { name: name.into(), kind: 1, age, tags: vec!["a".into()] };
    let node = |value, children| Node { value, children };
    let mut writer = graven::Writer::options().generation(7).create(path).unwrap();
    writer.put("", &("the root".to_string(), Some(3u64))).unwrap();
    writer.put("users", &vec![user("ann", 30), user("a rather long name", 40)]).unwrap();
    writer.put("more users", &vec![user("bob", 50)]).unwrap();
    writer.put("shapes", &vec![Shape::Circle { radius: 1.0 }, Shape::Line(1, 2), Shape::Empty]).unwrap();
    writer.put("tree", &node(1, vec![node(2, vec![]), node(3, vec![node(4, vec![])])])).unwrap();
    assert_eq!(writer.finish().unwrap().objects, 5);
}

/// The bytes of a segment with two objects, of a struct and of an enum.
pub(crate) fn small_bytes() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("small.grv");
    let user = User { name: "ann".into(), kind: 1, age: 30, tags: vec![] };
    let mut writer = graven::Writer::create(&path).unwrap();
    writer.put("users", &vec![user]).unwrap();
    writer.put("shape", &Shape::Empty).unwrap();
    writer.finish().unwrap();
    std::fs::read(path).unwrap()
}

/// Of everything that objects are made of.
#[graven::object]
#[derive(Default)]
pub(crate) struct Rich {
    /// Text outside of the value.
    pub(crate) text: String,
    /// A hash map.
    pub(crate) ports: HashMap<String, u16>,
    /// A tree.
    pub(crate) tree: BTreeMap<u32, Option<char>>,
    /// Keys that no path can have.
    pub(crate) pairs: BTreeMap<(u8, u8), bool>,
    /// A set.
    pub(crate) set: BTreeSet<i16>,
    /// Bytes.
    pub(crate) bytes: Vec<u8>,
    /// Numbers.
    pub(crate) numbers: Vec<f32>,
    /// Behind a pointer.
    pub(crate) boxed: Option<Box<u64>>,
    /// Behind a pointer that says how much there is.
    pub(crate) slice: Box<[bool]>,
    /// Seconds and nanoseconds.
    pub(crate) time: Duration,
    /// Variants.
    pub(crate) shapes: Vec<Shape>,
}

pub(crate) fn rich() -> Rich {
    Rich {
        text: "a text of a length that is not inline".into(),
        ports: HashMap::from([("http".into(), 80), ("https".into(), 443)]),
        tree: (0..9).map(|i| (i, char::from_u32(96 + i).filter(|c| c.is_alphabetic()))).collect(),
        pairs: BTreeMap::from([((1, 2), true)]),
        set: BTreeSet::from([-3, 4]),
        bytes: (0..40).collect(),
        numbers: vec![0.5, f32::NAN],
        boxed: Some(Box::new(7)),
        slice: Box::new([true, false]),
        time: Duration::from_millis(1500),
        shapes: vec![Shape::Circle { radius: 1.0 }, Shape::Line(1, 2), Shape::Empty],
    }
}

/// The bytes of a segment with one object of everything.
pub(crate) fn rich_bytes() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rich.grv");
    graven::write(&path, &rich()).unwrap();
    std::fs::read(path).unwrap()
}

/// Makes the checksums of header, schema and directory right again after bytes were changed.
pub(crate) fn reseal(bytes: &mut [u8]) {
    let place = |name: &str| Header::PLACES.iter().find(|place| place.name == name).unwrap();
    let number = |bytes: &[u8], name: &str| {
        let place = place(name);
        u64::from_le_bytes(bytes[place.offset..][..8].try_into().unwrap()) as usize
    };
    for section in ["schema", "directory"] {
        let from = number(bytes, &format!("{section} position"));
        let to = from.saturating_add(number(bytes, &format!("{section} length")));
        if let Some(part) = bytes.get(from..to) {
            let sum = checksum(part).to_le_bytes();
            bytes[place(&format!("{section} checksum")).offset..][..8].copy_from_slice(&sum);
        }
    }
    let end = place("header checksum").offset;
    let sum = checksum(&bytes[..end]).to_le_bytes();
    bytes[end..][..8].copy_from_slice(&sum);
}

/// Changes the bytes of a segment's only object and makes all checksums right again.
pub(crate) fn patched(path: &Path, change: impl FnOnce(&mut [u8])) {
    let mut bytes = std::fs::read(path).unwrap();
    let entry = View::inspect(&bytes)
        .unwrap()
        .directory()
        .unwrap()
        .entry(0)
        .map(|entry| (entry.object, entry.checksum));
    let (object, recorded) = entry.unwrap();
    let range = object.position as usize..object.end().unwrap() as usize;
    change(&mut bytes[range.clone()]);
    let computed = checksum(&bytes[range]).to_le_bytes();
    let [_, directory] = sections(&bytes);
    let directory = &mut bytes[directory];
    let at = directory.windows(8).position(|word| word == recorded.to_le_bytes()).unwrap();
    directory[at..at + 8].copy_from_slice(&computed);
    reseal(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

/// Where the schema of these bytes starts and ends, then the directory.
pub(crate) fn sections(bytes: &[u8]) -> [std::ops::Range<usize>; 2] {
    let header = *View::inspect(bytes).unwrap().header();
    [header.schema, header.directory]
        .map(|section| section.position as usize..section.end().unwrap() as usize)
}

/// The command, not yet started.
pub(crate) fn graven(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_graven"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs the command to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    graven(arguments).output().unwrap()
}

/// Runs the command, which succeeds without complaint, and returns what it printed.
pub(crate) fn print(arguments: &[&str]) -> String {
    let output = run(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    assert_eq!(errors, "", "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs the command, which exits with 1, and returns what it printed and its complaint.
pub(crate) fn fail(arguments: &[&str]) -> (String, String) {
    let output = run(arguments);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {errors}");
    assert!(errors.starts_with("graven: ") && errors.ends_with('\n'), "{errors:?}");
    assert_eq!(errors.lines().count(), 1, "{errors:?}");
    (String::from_utf8(output.stdout).unwrap(), errors)
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The sample in a directory that lives as long as the first of the two.
pub(crate) fn sample_file() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sample.grv");
    sample(&path);
    (dir, path)
}
