//! `graven topology write --xml`, `show --jsonl` and `xml`: hwloc's files go in and come out, and bad ones are named.

mod common;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use common::topologies::{everything, least, real_one};
use common::{fail, graven, print, run, text};
use graven_topology::{Builder, Node, Type};
use serde_json::Value;

/// What is in our records but cannot be in hwloc 2.14's, or the reverse.
fn comparable(mut record: Value) -> Option<Value> {
    let fields = record.as_object_mut().unwrap();
    // The version of the library that made the golden.
    fields.remove("api");
    // hwloc 2.14 has neither.
    if matches!(fields["rec"].as_str().unwrap(), "memtier" | "pci_locality") {
        return None;
    }
    if let Some(attributes) = fields.get_mut("attr").and_then(Value::as_object_mut) {
        // New in hwloc 3.
        attributes.remove("kinds");
        for pci in ["pci", "up_pci"] {
            if let Some(pci) = attributes.get_mut(pci).and_then(Value::as_object_mut) {
                pci.remove("prog_if");
            }
        }
    }
    Some(record)
}

fn parsed(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).filter_map(comparable).collect()
}

#[test]
fn what_was_written_from_xml_is_shown_as_its_golden_record_by_record_real() {
    let dir = tempfile::tempdir().unwrap();
    let segment = dir.path().join("it.grv");
    // Formats 1, 2 and 3; one has devices, one has matrices and kinds of processors.
    for name in ["32em64t-2n8c2t-pci-wholeio.v1", "64intel64-heteromem", "nvidiaDGX2"] {
        let Some(xml) = real_one(name) else { return };
        print(&["topology", "write", "--xml", text(&xml), text(&segment)]);
        let ours = print(&["topology", "show", "--jsonl", text(&segment)]);
        let golden = fs::read_to_string(xml.with_extension("dump.jsonl")).unwrap();
        let (ours, golden) = (parsed(&ours), parsed(&golden));
        assert_eq!(ours.len(), golden.len(), "{name}");
        for (ours, golden) in ours.iter().zip(&golden) {
            assert_eq!(ours, golden, "{name}");
        }
    }
}

/// Exports the topology of a segment, imports that, and exports it again.
fn there_and_back(first: &Path) -> String {
    let [xml, second] = ["there.xml", "back.grv"].map(|name| first.with_file_name(name));
    let exported = print(&["topology", "xml", text(first)]);
    fs::write(&xml, &exported).unwrap();
    print(&["topology", "write", "--xml", text(&xml), text(&second)]);
    let [ours, theirs] =
        [first, &second].map(|segment| print(&["topology", "show", "--jsonl", text(segment)]));
    assert_eq!(ours, theirs);
    assert_eq!(print(&["topology", "xml", text(&second)]), exported);
    exported
}

#[test]
fn what_is_exported_is_imported_as_an_equal_topology() {
    let dir = tempfile::tempdir().unwrap();
    let segment = dir.path().join("it.grv");
    hostile(&segment);
    let exported = there_and_back(&segment);
    assert!(exported.contains("a&amp;&lt;&quot;&#155;&#8238;b"), "{exported}");
    assert!(exported.chars().all(|c| c == '\n' || (!c.is_control() && c != '\u{202e}')), "{exported:?}");
    graven::write(&segment, &everything()).unwrap();
    there_and_back(&segment);
}

#[test]
fn what_is_exported_is_imported_as_an_equal_topology_real() {
    let dir = tempfile::tempdir().unwrap();
    let segment = dir.path().join("it.grv");
    for name in ["fakeheterodistances", "Intel-RaptorLake-Corei7-1370P", "cxlmem+dax.v3"] {
        let Some(original) = real_one(name) else { return };
        print(&["topology", "write", "--xml", text(&original), text(&segment)]);
        there_and_back(&segment);
    }
}

/// Names with all that XML can hold and a terminal should not get.
fn hostile(path: &Path) {
    let mut builder = least();
    let name = "a&<\"\u{9b}\u{202e}b\r\n\t'";
    // Those of an import; XML has no place for others.
    builder.flags(1 | 1 << 3);
    builder.add(Builder::ROOT, Node::new(Type::Misc).name(name).subtype(name).info("of", name));
    graven::write(path, &builder.build().unwrap()).unwrap();
}

#[test]
fn records_have_names_in_full_without_characters_that_do_not_print() {
    let dir = tempfile::tempdir().unwrap();
    let segment = dir.path().join("it.grv");
    hostile(&segment);
    let printed = print(&["topology", "show", "--jsonl", text(&segment), "--type", "misc"]);
    assert!(printed.trim_end().chars().all(|c| !c.is_control() && c != '\u{202e}'), "{printed:?}");
    let [misc] = &parsed(&printed)[..] else { panic!("one object of the type:\n{printed}") };
    assert_eq!(misc["name"], "a&<\"\u{9b}\u{202e}b\r\n\t'");
    assert_eq!(misc["type"], "Misc");
    let all = parsed(&print(&["topology", "show", "--jsonl", text(&segment)]));
    assert_eq!(all[0]["rec"], "topology");
    assert_eq!(all.iter().filter(|record| record["rec"] == "obj").count(), 4);
}

const GOOD: &str = r#"<topology version="2.0">
  <object type="Machine" os_index="0" cpuset="0x1" complete_cpuset="0x1" nodeset="0x1" complete_nodeset="0x1">
    <object type="NUMANode" os_index="0" cpuset="0x1" complete_cpuset="0x1" nodeset="0x1" complete_nodeset="0x1"/>
    <object type="PU" os_index="0" cpuset="0x1" complete_cpuset="0x1" nodeset="0x1" complete_nodeset="0x1"/>
  </object>
</topology>
"#;

#[test]
fn xml_comes_from_standard_input_too() {
    let dir = tempfile::tempdir().unwrap();
    let segment = dir.path().join("it.grv");
    let arguments = ["topology", "write", "--xml", "-", text(&segment)];
    let mut writing = graven(&arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    writing.stdin.take().unwrap().write_all(GOOD.as_bytes()).unwrap();
    let output = writing.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(print(&["topology", "show", text(&segment)]).lines().count(), 3);
}

#[test]
fn bad_xml_is_named_with_line_and_attribute_and_leaves_the_old_segment() {
    let dir = tempfile::tempdir().unwrap();
    let [xml, segment] = ["it.xml", "it.grv"].map(|name| dir.path().join(name));
    fs::write(&xml, GOOD).unwrap();
    print(&["topology", "write", "--xml", text(&xml), text(&segment)]);
    let before = fs::read(&segment).unwrap();
    let pu = "type=\"PU\" os_index=\"0\"";
    for (bad, expected) in [
        (
            GOOD.replace(pu, "type=\"PU\" os_index=\"zero\""),
            "line 4, column 5 in <object>: os_index=\"zero\" is not ",
        ),
        (GOOD.replace(pu, "type=\"CPU\u{1b}[2J\""), "line 4, column 22: not well-formed XML: U+001B"),
        // What XML has, and terminals obey.
        (GOOD.replace(pu, "type=\"CPU\u{9b}2J\""), "type="),
        (GOOD.replace("</topology>", ""), "line 7"),
        (GOOD.replace("topology", "machine"), "line 1"),
        (String::new(), "line 1"),
    ] {
        fs::write(&xml, &bad).unwrap();
        let (printed, error) = fail(&["topology", "write", "--xml", text(&xml), text(&segment)]);
        assert_eq!(printed, "");
        assert!(error.starts_with(&format!("graven: {}: line ", xml.display())), "{error}");
        assert!(error.contains(expected), "{error}");
        assert!(!error.trim_end().contains(char::is_control), "{error:?}");
        assert_eq!(fs::read(&segment).unwrap(), before);
    }
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let [pipe, segment] = ["pipe", "it.grv"].map(|name| dir.path().join(name));
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for (path, what) in [(pipe.as_path(), "not a regular file"), (&dir.path().join("none"), "cannot open")] {
        let (_, error) = fail(&["topology", "write", "--xml", text(path), text(&segment)]);
        assert!(error.contains(text(path)) && error.contains(what), "{error}");
    }
    assert_eq!(run(&["topology", "write", "--xml"]).status.code(), Some(2));
}

#[test]
fn sets_that_hwlocs_form_cannot_hold_are_refused_by_name_of_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let segment = dir.path().join("it.grv");
    let mut builder = Builder::new();
    builder.add(Builder::ROOT, Node::new(Type::Pu).os_index(4_000_000_000));
    builder.add(Builder::ROOT, Node::new(Type::NumaNode).os_index(0));
    let Ok(topology) = builder.build() else { return };
    graven::write(&segment, &topology).unwrap();
    let (_, error) = fail(&["topology", "xml", text(&segment)]);
    assert!(error.contains(text(&segment)) && error.contains("cpuset"), "{error}");
}

#[test]
fn a_description_becomes_a_topology_or_says_what_is_wrong_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let segment = dir.path().join("it.grv");
    let printed = print(&["topology", "write", "--synthetic", "package:2 core:4 pu:2", text(&segment)]);
    assert!(printed.contains("2 Packages, 8 Cores, 16 PUs"), "{printed}");
    let (_, error) = fail(&["topology", "write", "--synthetic", "package:2 \x1b[2J", text(&segment)]);
    assert!(!error.contains('\x1b'), "{error:?}");
    let both = run(&["topology", "write", "--synthetic", "pu:1", "--xml", "x", text(&segment)]);
    assert_eq!(both.status.code(), Some(2));
}
