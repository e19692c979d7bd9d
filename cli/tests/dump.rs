//! `graven dump`: what is printed of objects, what is left out and said to be, and objects that would never end.

mod common;

use std::fs;
use std::path::Path;

use common::{fail, patched, print, reseal, rich, run, sample_file, sections, text};
use serde_json::{Value, json};

#[test]
fn objects_are_printed_as_trees_with_what_fits_on_one_line() {
    let (_dir, path) = sample_file();
    let dump = |more: &[&str]| print(&[&["dump", text(&path)], more].concat());
    assert_eq!(dump(&[]), "(root): (\"the root\", Some(3))\n", "the root, where there is one");
    assert_eq!(dump(&[""]), dump(&[]));
    let users = "\
users: Vec<User>, 2 elements
  [0]: { name: \"ann\", kind: 1, age: 30, tags: [\"a\"] }
  [1]: { name: \"a rather long name\", kind: 1, age: 40, tags: [\"a\"] }
";
    assert_eq!(dump(&["users"]), users);
    assert_eq!(dump(&["shapes"]), "shapes: [Circle { radius: 1.0 }, Line(1, 2), Empty]\n");
    let tree = "\
tree: Node
  value: 1
  children: [{ value: 2, children: [] }, { value: 3, children: [{ value: 4, children: [] }] }]
";
    assert_eq!(dump(&["tree"]), tree);
    assert_eq!(
        dump(&["more users"]),
        "\"more users\": [{ name: \"bob\", kind: 1, age: 50, tags: [\"a\"] }]\n"
    );
}

#[test]
fn every_kind_of_value_has_its_form() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rich.grv");
    graven::write(&path, &rich()).unwrap();
    let printed = print(&["dump", text(&path)]);
    let ports = [r#"  ports: {"http": 80, "https": 443}"#, r#"  ports: {"https": 443, "http": 80}"#];
    let (ports, others): (Vec<_>, Vec<_>) = printed.lines().partition(|line| ports.contains(line));
    assert_eq!(ports.len(), 1, "{printed}");
    let expected = r##"(root): Rich
  text: "a text of a length that is not inline"
  tree: BTreeMap<u32, Option<char>>, 9 entries
    0: None
    1: Some('a')
    2: Some('b')
    3: Some('c')
    4: Some('d')
    5: Some('e')
    6: Some('f')
    7: Some('g')
    8: Some('h')
  pairs: {(1, 2): true}
  set: {-3, 4}
  bytes: Vec<u8>, 40 elements
           0: 00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f  ................
          16: 10 11 12 13 14 15 16 17 18 19 1a 1b 1c 1d 1e 1f  ................
          32: 20 21 22 23 24 25 26 27                           !"#$%&'
  numbers: [0.5, NaN]
  boxed: Some(7)
  slice: [true, false]
  time: 1.5s
  shapes: [Circle { radius: 1.0 }, Line(1, 2), Empty]"##;
    assert_eq!(others.join("\n"), expected);

    let json: Value = serde_json::from_str(&print(&["dump", text(&path), "--json"])).unwrap();
    let bytes: Vec<u8> = (0..40).collect();
    let tree: serde_json::Map<_, _> = (0..9u8)
        .map(|i| (i.to_string(), if i == 0 { Value::Null } else { char::from(96 + i).to_string().into() }))
        .collect();
    let expected = json!({
        "text": "a text of a length that is not inline",
        "ports": {"http": 80, "https": 443},
        "tree": tree,
        "pairs": [[[1, 2], true]],
        "set": [-3, 4],
        "bytes": bytes,
        "numbers": [0.5, null],
        "boxed": 7,
        "slice": [true, false],
        "time": {"secs": 1, "nanos": 500_000_000},
        "shapes": [{"Circle": {"radius": 1.0}}, {"Line": [1, 2]}, "Empty"],
    });
    assert_eq!(json, expected);
}

#[test]
fn without_a_root_all_objects_are_printed_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("it.grv");
    let mut writer = graven::Writer::create(&path).unwrap();
    writer.put("b", &1u8).unwrap();
    writer.put("a\u{e9} \"", &"x".to_string()).unwrap();
    writer.finish().unwrap();
    assert_eq!(print(&["dump", text(&path)]), "b: 1\n\n\"aé \\\"\": \"x\"\n");
    assert_eq!(print(&["dump", text(&path), "--json"]), "{\"b\":1,\"aé \\\"\":\"x\"}\n");
    let (_, error) = fail(&["dump", text(&path), "--path", "x"]);
    assert!(error.contains("no object (root); the segment has b, \"aé \\\"\""), "{error}");

    graven::Writer::create(&path).unwrap().finish().unwrap();
    assert_eq!(print(&["dump", text(&path)]), "no objects\n");
    assert_eq!(print(&["dump", text(&path), "--json"]), "{}\n");
}

#[test]
fn paths_lead_to_values_or_say_where_they_end() {
    let (_dir, path) = sample_file();
    let dump = |way: &str| print(&["dump", text(&path), "users", "--path", way]);
    assert_eq!(dump("[1].name"), "[1].name: \"a rather long name\"\n");
    assert_eq!(dump("[0].tags[0]"), "[0].tags[0]: \"a\"\n");
    assert_eq!(print(&["dump", text(&path), "users", "--path", "[1]", "--json"]), {
        "{\"name\":\"a rather long name\",\"kind\":1,\"age\":40,\"tags\":[\"a\"]}\n"
    });
    for (way, expected) in [
        ("[2].name", "object users: [2]: offset "),
        ("[0].nam", "[0].nam: offset "),
        ("[0]x", "the path cannot be read from its byte 3 on"),
        ("[0].name.x", "asked for a field of a value of kind String"),
    ] {
        let (printed, error) = fail(&["dump", text(&path), "users", "--path", way]);
        assert_eq!(printed, "");
        assert!(error.starts_with(&format!("graven: {}: object users: ", path.display())), "{error}");
        assert!(error.contains(expected), "{way}: {error}");
    }
    let (_, error) = fail(&["dump", text(&path), "user"]);
    assert!(error.contains("no object user; the segment has (root), users, "), "{error}");
    assert_eq!(run(&["dump", text(&path), "users", "--depth", "0"]).status.code(), Some(2));
}

/// A value of more than is shown.
#[graven::object]
struct Long {
    numbers: Vec<u64>,
    texts: Vec<String>,
    map: std::collections::BTreeMap<String, Vec<u8>>,
}

#[test]
fn what_is_cut_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("long.grv");
    let long = Long {
        numbers: (0..10_093).collect(),
        texts: vec!["é".repeat(3000), "x".repeat(50)],
        map: (0..300).map(|i| (format!("{i:03}{}", "k".repeat(90)), vec![7; 120])).collect(),
    };
    graven::write(&path, &long).unwrap();
    let dump = |more: &[&str]| print(&[&["dump", text(&path)], more].concat());
    let printed = dump(&[]);
    for line in [
        "  numbers: Vec<u64>, 10,093 elements",
        "    … 9,993 more",
        "  texts: Vec<String>, 2 elements",
        "    [1]: \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"",
        "  map: BTreeMap<String, Vec<u8>>, 300 entries",
        "    - entry",
        "        … 20 more",
        "    … 200 more",
    ] {
        assert!(printed.lines().any(|found| found == line), "no {line:?} in\n{printed}");
    }
    assert!(printed.contains(&format!("    [0]: \"{}\" … 5,000 more bytes\n", "é".repeat(500))), "{printed}");
    assert!(printed.lines().all(|line| line.starts_with("    [0]") || line.chars().count() <= 110));
    assert_eq!(printed.matches("- entry").count(), 100);

    let few = dump(&["--limit", "3", "--path", "numbers"]);
    assert_eq!(few, "numbers: Vec<u64>, 10,093 elements\n         0: 0 1 2\n  … 10,090 more\n");
    let all = dump(&["--limit", "0"]);
    assert!(!all.contains('…') && all.contains(&"é".repeat(3000)) && all.contains(" 10092\n"), "{all}");

    let (_, error) = fail(&["dump", text(&path), "--json", "--limit", "1000"]);
    assert!(error.contains("numbers: offset ") && error.contains("more than 1000 values"), "{error}");
    let json: Value = serde_json::from_str(&dump(&["--json"])).unwrap();
    assert_eq!(json["numbers"].as_array().unwrap().len(), 10_093);
    assert_eq!(dump(&["--json", "--limit", "0"]), dump(&["--json"]));
}

#[test]
fn damage_is_marked_where_it_is_and_what_is_around_it_is_printed() {
    let (_dir, path) = sample_file();
    let mut bytes = fs::read(&path).unwrap();
    // A byte of the text that is not inline.
    let at = bytes.windows(18).position(|bytes| bytes == b"a rather long name").unwrap();
    bytes[at + 2] = 0xff;
    fs::write(&path, &bytes).unwrap();
    let (printed, error) = fail(&["dump", text(&path), "users"]);
    assert!(
        printed.contains("    name: damaged: offset ") && printed.contains("UTF-8 after 2 bytes\n"),
        "{printed}"
    );
    assert!(printed.contains("\n    age: 40\n"), "{printed}");
    assert!(error.contains(": object users: offset ") && error.contains("not UTF-8"), "{error}");
    // Bytes that mean something else are not what was written either.
    bytes[at + 2] = b'R';
    fs::write(&path, &bytes).unwrap();
    let (printed, error) = fail(&["dump", text(&path), "users"]);
    assert!(printed.contains("a Rather long name"), "{printed}");
    assert!(error.contains("object users is not as it was written: checksum "), "{error}");
    assert_eq!(print(&["dump", text(&path), "tree"]).lines().count(), 3);
}

#[test]
fn objects_that_overlap_are_not_read_again_and_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("it.grv");
    let mut writer = graven::Writer::create(&path).unwrap();
    for name in ["a", "b", "c"] {
        writer.put(name, &vec![7u8; 1 << 14]).unwrap();
    }
    writer.finish().unwrap();
    assert_eq!(print(&["dump", text(&path)]).matches("Vec<u8>, 16,384 elements").count(), 3);
    let mut bytes = fs::read(&path).unwrap();
    let [schema, directory] = sections(&bytes);
    let section = |position: u64, length: u64| [position.to_le_bytes(), length.to_le_bytes()].concat();
    for name in ["a", "b", "c"] {
        let object = graven_format::View::inspect(&bytes).unwrap().find(name).unwrap().unwrap().1.object;
        let wanted = section(object.position, object.length);
        let directory = &mut bytes[directory.clone()];
        let at = directory.windows(16).position(|bytes| bytes == wanted).expect("position, then length");
        directory[at..at + 16].copy_from_slice(&section(4096, schema.start as u64 - 4096));
    }
    reseal(&mut bytes);
    fs::write(&path, &bytes).unwrap();
    let (printed, error) = fail(&["dump", text(&path)]);
    assert_eq!((printed.as_str(), error), ("", format!("graven: {}: objects overlap\n", path.display())));
}

#[test]
fn texts_in_objects_cannot_drive_the_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("it.grv");
    let hostile = "\x1b[2J\u{9b}\u{202e}\r\n".to_string();
    let map = std::collections::BTreeMap::from([(hostile.clone(), vec![hostile.clone() + &"x".repeat(200)])]);
    graven::write(&path, &(map, hostile.chars().collect::<Vec<_>>())).unwrap();
    for more in [&[][..], &["--json"], &["--limit", "1"], &["--path", "0{0}[0]"]] {
        let printed = print(&[&["dump", text(&path)], more].concat());
        assert!(printed.chars().all(|c| c == '\n' || (!c.is_control() && c != '\u{202e}')), "{printed:?}");
    }
}

/// A node of a list, and of what hostile bytes make of it.
#[graven::object]
struct Link {
    value: u32,
    next: Option<Box<Link>>,
}

/// A list, and the room for its nodes.
#[graven::object]
struct List {
    first: Option<Box<Link>>,
    links: Vec<Link>,
}

/// A list of that length, longer than rkyv writes without using up the stack: of nodes in a row, each made to lead to
/// the one before it.
fn long_list(path: &Path, len: u32, first: u32) {
    let value = |i| if i == len - 1 { first } else { i };
    let links: Vec<Link> = (0..len).map(|i| Link { value: value(i), next: None }).collect();
    graven::write(path, &List { first: None, links }).unwrap();
    patched(path, |object| {
        let mut lead = |option: usize, to: usize| {
            object[option] = 1;
            let distance = to as i32 - (option + 4) as i32;
            object[option + 4..option + 8].copy_from_slice(&distance.to_le_bytes());
        };
        // The value, the tag of the option, the pointer: 12 bytes each.
        let size = 12 * len as usize;
        (12..size).step_by(12).for_each(|at| lead(at + 4, at - 12));
        lead(size, size - 12);
    });
}

#[test]
fn a_list_of_a_million_is_printed_as_deep_as_asked() {
    let dir = tempfile::tempdir().unwrap();
    let [path, other] = ["list.grv", "other.grv"].map(|name| dir.path().join(name));
    let len = 1_000_000;
    long_list(&path, len, len - 1);
    // Each node is claimed by the row and by the list: `verify` refuses that, and what is dumped is only read.
    let refused = graven::Segment::read(&path).unwrap().verify().unwrap_err();
    assert!(refused.to_string().contains("links: offset"), "{refused}");
    let dump = |more: &[&str]| print(&[&["dump", text(&path), "--path", "first"], more].concat());
    let printed = dump(&[]);
    assert!(printed.ends_with(": Some Link … deeper than 128\n"), "{printed}");
    assert_eq!(printed.lines().count(), 257);
    let expected = "first: Some Link\n  value: 999999\n  next: Some Link\n    value: 999998\n";
    assert!(printed.starts_with(expected), "{printed}");
    assert_eq!(dump(&["--depth", "3"]).lines().count(), 7);
    assert_eq!(dump(&["--depth", "1000"]).lines().count(), 2001);

    let (printed, error) = fail(&["dump", text(&path), "--path", "first", "--json", "--depth", "512"]);
    assert!(printed.starts_with("{\"value\":999999,\"next\":{\"value\":999998,"), "{printed}");
    assert!(error.contains("next.next.next") && error.contains("deeper than 512"), "{error}");
    let (_, error) = fail(&["dump", text(&path), "--json", "--depth", "513"]);
    assert!(
        error.contains("--depth 513 is more than JSON is printed with, 512; leave out --json"),
        "{error}"
    );
    let short = print(&["dump", text(&path), "--path", "links[200]", "--json", "--depth", "512"]);
    assert_eq!(short.matches("next").count(), 201);

    // As far down as the stack of `diff` goes.
    long_list(&other, len, 7);
    let output = run(&["diff", "--values", text(&path), text(&other)]);
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("first.next.next") && error.contains("deeper than 65,536"), "{error}");
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.ends_with("    first.value: 999999 -> 7\n"), "{printed}");
}

/// Two ways on from each.
#[graven::object]
struct Fork {
    left: Option<std::rc::Rc<Fork>>,
    right: Option<std::rc::Rc<Fork>>,
}

#[test]
fn pointers_in_circles_and_the_same_bytes_again_and_again_come_to_an_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("it.grv");
    let write = |distances: fn(i32) -> [i32; 2]| {
        let forks: Vec<Fork> = (0..60).map(|_| Fork { left: None, right: None }).collect();
        graven::write(&path, &forks).unwrap();
        patched(&path, |object| {
            for i in 1..60usize {
                for (side, distance) in distances(16 * i as i32).into_iter().enumerate() {
                    let at = 16 * i + 8 * side;
                    object[at] = 1;
                    object[at + 4..at + 8].copy_from_slice(&distance.to_le_bytes());
                }
            }
        });
    };
    let fails = |more: &[&str], expected: &str| {
        let output = run(&[&["dump", text(&path), "--path", "[59]"], more].concat());
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains(expected), "{more:?}: {error}");
        assert!(output.stdout.len() < 1 << 30);
    };
    // Each to itself.
    write(|_| [-4, -12]);
    fails(&["--depth", "20"], "where only 0 to");
    fails(&["--json"], "where only 0 to");
    // Each to the one before: 2^59 ways.
    write(|_| [-20, -28]);
    fails(&["--depth", "20"], "again and again; stopped after 26");
    fails(&["--json"], "more than 26");
    let output = run(&["diff", "--values", text(&path), text(&path)]);
    assert_eq!(output.status.code(), Some(0), "equal bytes are not walked");
    let other = dir.path().join("other.grv");
    fs::copy(&path, &other).unwrap();
    // A byte of padding: nothing differs but bytes.
    patched(&other, |object| object[1] ^= 1);
    let output = run(&["diff", "--values", text(&path), text(&other)]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("too much to compare"), "{error}");
}
