//! `graven diff`: what is said of objects that come, go, change their layout or their contents, and by which exit code.

mod common;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use common::{print, reseal, run, sections, text};
use serde_json::{Value, json};

mod old {
    /// A record.
    #[graven::object]
    pub(super) struct Limit {
        pub(super) name: String,
        pub(super) soft: u32,
        pub(super) hard: Option<u32>,
        pub(super) gone: bool,
    }
}

mod new {
    /// The same, later: wider, in another order, and no longer optional.
    #[graven::object]
    pub(super) struct Limit {
        pub(super) soft: u64,
        pub(super) name: Box<str>,
        pub(super) hard: i16,
        pub(super) come: u8,
    }
}

fn write(path: &Path, put: impl FnOnce(&mut graven::Writer)) {
    let mut writer = graven::Writer::create(path).unwrap();
    put(&mut writer);
    writer.finish().unwrap();
}

fn files() -> (tempfile::TempDir, [PathBuf; 2]) {
    let dir = tempfile::tempdir().unwrap();
    let paths = ["a.grv", "b.grv"].map(|name| dir.path().join(name));
    (dir, paths)
}

/// The exit code, and what is printed but for the names of the files.
fn diff(arguments: &[&str], [old, new]: &[PathBuf; 2]) -> (i32, String) {
    let output = run(&[&["diff", text(old), text(new)], arguments].concat());
    assert_eq!(output.stderr, b"", "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    let heading = format!("--- {}\n+++ {}\n", old.display(), new.display());
    let printed = printed.strip_prefix(&heading).unwrap_or(&printed);
    (output.status.code().unwrap(), printed.to_owned())
}

#[test]
fn objects_that_come_and_go_and_layouts_that_change_are_said() {
    let (_dir, paths) = files();
    let limit = || old::Limit { name: "files".into(), soft: 1, hard: Some(2), gone: true };
    write(&paths[0], |writer| {
        writer.put("same", &7u8).unwrap();
        writer.put("old", &vec![1u16]).unwrap();
        writer.put("limit", &limit()).unwrap();
    });
    write(&paths[1], |writer| {
        writer.put("limit", &new::Limit { soft: 1, name: "files".into(), hard: 2, come: 3 }).unwrap();
        writer.put("same", &8u8).unwrap();
        writer.put("new", &String::new()).unwrap();
    });
    let (code, printed) = diff(&[], &paths);
    assert_eq!(code, 1);
    let lines: Vec<_> = printed.lines().collect();
    for line in ["- old: Vec<u16>", "~ limit: layout", "+ new: String", "  - Limit.gone: bool at offset 20"] {
        assert!(lines.contains(&line), "no {line:?} in\n{printed}");
    }
    assert!(!printed.contains("same"), "{printed}");

    // Across the layouts, what has the same meaning is the same.
    let (_, printed) = diff(&["--values"], &paths);
    let expected = "\
~ limit: values
  - gone: true
  + come: 3
+ new: String
";
    assert!(printed.ends_with(expected), "{printed}");
    assert!(printed.starts_with("~ same: values\n    7 -> 8\n- old: Vec<u16>\n"), "{printed}");

    let same = [paths[0].clone(), paths[0].clone()];
    assert_eq!(diff(&["--values"], &same), (0, String::new()));
    assert_eq!(diff(&[], &same), (0, String::new()));
}

type Everything = (
    Vec<u32>,
    BTreeMap<String, Option<u8>>,
    HashMap<u64, f32>,
    BTreeSet<(u8, char)>,
    BTreeMap<(u8, bool), String>,
    Vec<Result<u8, String>>,
    Vec<u8>,
    BTreeMap<char, bool>,
);

fn everything() -> Everything {
    (
        vec![1, 2, 3],
        BTreeMap::from([("a.b".into(), Some(1)), ("plain".into(), None), ("x \"".into(), Some(1))]),
        HashMap::from([(5, f32::NAN), (6, 1.0)]),
        BTreeSet::from([(1, 'a'), (2, 'b')]),
        BTreeMap::from([((1, true), "one".into())]),
        vec![Ok(1), Err("no".into())],
        (0..200).collect(),
        BTreeMap::from([('q', true)]),
    )
}

#[test]
fn contents_are_compared_by_path_by_key_and_by_variant() {
    let (_dir, paths) = files();
    graven::write(&paths[0], &everything()).unwrap();
    let mut other = everything();
    other.0 = vec![1, 5, 3, 4];
    other.1 = BTreeMap::from([("a.b".into(), Some(2)), ("plain".into(), Some(0)), ("z".into(), None)]);
    other.2 = HashMap::from([(6, 1.5), (5, f32::NAN)]);
    other.3 = BTreeSet::from([(2, 'b'), (3, '\u{1b}')]);
    other.4 = BTreeMap::from([((1, true), "\u{202e}".into())]);
    other.5 = vec![Err("yes".into()), Err("no".into())];
    other.6[199] = 0;
    other.7 = BTreeMap::from([('q', false)]);
    graven::write(&paths[1], &other).unwrap();
    let (code, printed) = diff(&["--values"], &paths);
    assert_eq!(code, 1);
    let expected = r#"~ (root): values
    0[1]: 2 -> 5
  + 0[3]: 4
    1["a.b"]: 1 -> 2
    1["plain"]: None -> Some(0)
  - 1["x \""]: Some(1)
  + 1["z"]: None
    2[6]: 1.0 -> 1.5
  - 3: (1, 'a')
  + 3: (3, '\u{1b}')
    4{[1,true]}: "one" -> "\u{202e}"
    5[0]: Ok(1) -> Err("yes")
    6[199]: 199 -> 0
    7["q"]: true -> false
"#;
    assert_eq!(printed, expected);

    let (_, few) = diff(&["--values", "--limit", "2"], &paths);
    assert_eq!(few, "~ (root): values\n    0[1]: 2 -> 5\n  + 0[3]: 4\n    … 11 more\n");
    let (code, none) = diff(&["--values", "--limit", "0"], &paths);
    assert_eq!((code, none.as_str()), (1, "~ (root): values\n    … 13 more\n"));

    let (code, printed) = diff(&["--values", "--json", "--limit", "1"], &paths);
    assert_eq!(code, 1);
    let value: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(value["same"], false);
    let object = &value["objects"][0];
    assert_eq!(object["values"], json!([{"path": "0[1]", "old": "2", "new": "5"}]));
    assert_eq!((&object["more_values"], &object["layout"]), (&json!(12), &json!([])));
    let same = [paths[0].clone(), paths[0].clone()];
    let (code, printed) = diff(&["--json"], &same);
    let value: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((code, &value["same"], &value["objects"]), (0, &json!(true), &json!([])));
    // What is equal is equal in whatever order the tables have it.
    graven::write(&paths[1], &everything()).unwrap();
    assert_eq!(diff(&["--values"], &paths), (0, String::new()));
}

#[test]
fn trouble_exits_with_2_and_names_the_file() {
    let (dir, paths) = files();
    graven::write(&paths[0], &vec!["a text that is not inline".to_string()]).unwrap();
    let mut bytes = fs::read(&paths[0]).unwrap();
    let at = bytes.windows(4).position(|bytes| bytes == b"text").unwrap();
    bytes[at] = 0xff;
    fs::write(&paths[1], &bytes).unwrap();
    assert_eq!(diff(&[], &paths).0, 0, "layouts alone are read");
    let trouble = |arguments: &[&str], name: &Path, expected: &str| {
        let output = run(&[&["diff"], arguments].concat());
        assert_eq!(output.status.code(), Some(2));
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(
            error.starts_with(&format!("graven: {}: ", name.display())) && error.contains(expected),
            "{error}"
        );
        assert_eq!(error.lines().count(), 1);
    };
    let [good, bad] = [text(&paths[0]), text(&paths[1])];
    trouble(&["--values", good, bad], &paths[1], "object (root): [0]: offset ");
    trouble(&["--values", bad, good], &paths[1], "text is not UTF-8 after 2 bytes");
    trouble(&["--values", bad, bad], &paths[1], "is not as it was written");
    // Two objects, the table of one of which is said to be all of the schema.
    let overlapping = dir.path().join("overlapping");
    write(&overlapping, |writer| {
        writer.put("a", &vec![1u8]).unwrap();
        writer.put("b", &String::new()).unwrap();
    });
    let mut bytes = fs::read(&overlapping).unwrap();
    let [schema, directory] = sections(&bytes);
    let header = schema.clone();
    let table = graven_format::View::inspect(&bytes).unwrap().find("b").unwrap().unwrap().1.schema;
    let section = |position: u64, length: u64| [position.to_le_bytes(), length.to_le_bytes()].concat();
    let directory = &mut bytes[directory];
    let wanted = section(table.position, table.length);
    let at = directory.windows(16).position(|bytes| bytes == wanted).expect("position, then length");
    directory[at..at + 16].copy_from_slice(&section(header.start as u64, header.len() as u64));
    reseal(&mut bytes);
    fs::write(&overlapping, &bytes).unwrap();
    trouble(&[text(&overlapping), good], &overlapping, "its schema table overlaps another");

    let none = dir.path().join("none");
    trouble(&[good, text(&none)], &none, "cannot open");
    assert_eq!(run(&["diff", good]).status.code(), Some(2));

    // Nobody who reads must not mean that nothing differs.
    graven::write(&paths[1], &vec![1u8]).unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = common::graven(&["diff", good, bad]).stdout(writer).output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(2), 0));
    assert_eq!(print(&["diff", good, good]), "");
}
