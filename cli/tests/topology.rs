//! `graven topology`: the demo proves what it shows, and any segment that is a topology can be shown.

mod common;

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use common::topologies::{least, levels};
use common::{fail, graven, print, sample, text};
use graven_topology::{Builder, Node, Topo, Topology, Type};

/// Directories of demos that are there.
fn left_behind() -> HashSet<PathBuf> {
    let entries = [PathBuf::from("/dev/shm"), std::env::temp_dir()]
        .into_iter()
        .filter_map(|dir| fs::read_dir(dir).ok());
    let paths = entries.flatten().filter_map(|entry| Some(entry.ok()?.path()));
    paths.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("graven-demo-")).collect()
}

/// The demo's own directory, from what it printed.
fn directory(printed: &str) -> PathBuf {
    let line = printed.lines().find(|line| line.contains("demo.grv")).expect("it says where the file is");
    PathBuf::from(line.trim().split(',').next().unwrap()).parent().unwrap().to_owned()
}

#[test]
fn the_demo_shows_one_digest_at_four_addresses_and_a_refusal_and_leaves_nothing() {
    let printed = print(&["topology", "demo"]);
    let rows: Vec<Vec<&str>> = printed
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|row| matches!(row[..], ["this", "one", ..] | ["reader", _, ..]) && row.len() == 11)
        .collect();
    assert_eq!(rows.len(), 4, "{printed}");
    let distinct = |column: usize| rows.iter().map(|row| row[column]).collect::<HashSet<_>>().len();
    assert_eq!(distinct(2), 4, "process ids:\n{printed}");
    assert_eq!(distinct(3), 4, "addresses:\n{printed}");
    assert_eq!(distinct(10), 1, "digests:\n{printed}");
    for part in [
        "\n   Machine",
        "PU L#0",
        "EINVAL (22): layout differs: Config.limits[].soft: writer u32 at offset 8",
    ] {
        assert!(printed.contains(part), "no {part:?} in\n{printed}");
    }
    assert!(!directory(&printed).exists());
}

#[test]
fn a_demo_that_nobody_reads_ends_quietly_and_leaves_nothing() {
    let before = left_behind();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = graven(&["topology", "demo"]).stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stderr, b"");
    // Another test's demo may have come meanwhile, and goes again.
    for path in left_behind().difference(&before) {
        let gone = || !path.exists();
        assert!((0..100).any(|_| gone() || {
            std::thread::sleep(std::time::Duration::from_millis(50));
            gone()
        }));
    }
}

#[test]
fn the_demos_reader_maps_no_other_files() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("demo.grv");
    sample(&path);
    let (printed, error) = fail(&["topology", "demo-reader", text(&path)]);
    assert_eq!(printed, "");
    assert!(error.contains(text(&path)) && error.contains("private directory"), "{error}");
}

#[test]
fn what_write_wrote_show_shows() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("here.grv");
    let printed = print(&["topology", "write", text(&path)]);
    assert!(printed.starts_with(&format!("{}: ", path.display())), "{printed}");
    let tree = print(&["topology", "show", text(&path)]);
    assert!(tree.starts_with("Machine"), "{tree}");

    let topology = graven::Segment::read(&path).unwrap().root::<Topology>().unwrap();
    assert_eq!(tree.lines().count(), topology.object_count() as usize);
    let pus = print(&["topology", "show", text(&path), "--type", "pu"]);
    assert_eq!(pus.lines().count(), topology.count(Type::Pu) as usize);
    assert!(pus.lines().all(|line| line.starts_with("PU L#")), "{pus}");
    assert_eq!(print(&["topology", "show", text(&path), "--type", "memcache"]), "");
    print(&["verify", text(&path)]);
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("no/such/place.grv");
    let (printed, error) = fail(&["topology", "write", text(&path)]);
    assert_eq!(printed, "");
    assert!(error.starts_with(&format!("graven: {}: ", path.display())), "{error}");
}

#[test]
fn a_segment_that_holds_no_topology_says_what_differs() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sample.grv");
    sample(&path);
    let (printed, error) = fail(&["topology", "show", text(&path)]);
    assert_eq!(printed, "");
    assert!(error.starts_with(&format!("graven: {}: ", path.display())), "{error}");
    assert!(error.contains("layout differs"), "{error}");

    let mut writer = graven::Writer::create(&path).unwrap();
    writer.put("x", &1u8).unwrap();
    writer.finish().unwrap();
    let (_, error) = fail(&["topology", "show", text(&path)]);
    assert!(error.contains("\"x\""), "{error}");
}

#[test]
fn a_tree_of_forty_thousand_levels_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep.grv");
    graven::write(&path, &levels(40_000)).unwrap();
    let printed = print(&["topology", "show", text(&path)]);
    assert_eq!(printed.lines().count(), 40_003);
    assert!(printed.len() < 40_003 * 1000, "{} bytes of mostly indentation", printed.len());
    assert_eq!(print(&["topology", "show", text(&path), "--type", "misc"]).lines().count(), 40_000);
}

#[test]
fn names_in_a_topology_cannot_drive_the_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hostile.grv");
    let mut builder = least();
    builder.add(Builder::ROOT, Node::new(Type::Misc).name("\x1b[2J").subtype("\x1b[3J"));
    graven::write(&path, &builder.build().unwrap()).unwrap();
    let printed = print(&["topology", "show", text(&path)]);
    assert!(printed.contains("[2J") && printed.contains("[3J"), "{printed}");
    assert!(!printed.contains('\x1b'), "{printed:?}");
}
