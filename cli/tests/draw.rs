//! `graven topology draw` and `distances`: the picture has a box for each object, inside of its parent's and beside its
//! siblings', and neither it nor the matrices carry what names try to smuggle in.

mod common;

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use common::topologies::{everything, least, levels, own, real};
use common::{fail, print, text};
use graven_topology::{Builder, Node, Topo, Topology, Type};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// A box of the picture: type, left, top, right, bottom.
type Rect = (String, u64, u64, u64, u64);

/// The picture's size and boxes, and all of its texts. Panics unless it is well-formed.
fn parse(svg: &str) -> ((u64, u64), Vec<Rect>, Vec<String>) {
    assert!(svg.chars().all(|c| c == '\n' || (!c.is_control() && c != '\u{202e}')), "{svg:?}");
    let mut reader = Reader::from_str(svg);
    let attributes = |tag: &BytesStart<'_>| -> HashMap<String, String> {
        let attributes = tag.attributes().map(|attribute| attribute.unwrap());
        attributes.map(|attribute| (attribute.key.as_ref().to_owned(), attribute.value.to_string())).collect()
    };
    let (mut size, mut rects, mut texts, mut class) = ((0, 0), Vec::new(), Vec::new(), String::new());
    let mut depth = 0u32;
    loop {
        match reader.read_event().unwrap() {
            Event::Start(tag) => {
                depth += 1;
                let attributes = attributes(&tag);
                match tag.name().as_ref() {
                    "svg" => {
                        size = (attributes["width"].parse().unwrap(), attributes["height"].parse().unwrap())
                    }
                    "g" => class = attributes["class"].clone(),
                    "title" | "text" | "path" => {}
                    other => panic!("<{other}>"),
                }
            }
            Event::Empty(tag) if tag.name().as_ref() == "rect" && !class.is_empty() && class != "legend" => {
                let attributes = attributes(&tag);
                let [x, y, width, height] =
                    ["x", "y", "width", "height"].map(|name| attributes[name].parse::<u64>().unwrap());
                rects.push((class.clone(), x, y, x + width, y + height));
            }
            Event::Empty(tag) => assert!(matches!(tag.name().as_ref(), "rect" | "path"), "{tag:?}"),
            Event::End(_) => depth -= 1,
            Event::Text(text) => texts.push(text.to_string()),
            Event::GeneralRef(_) => {}
            Event::Eof => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(depth, 0);
    (size, rects, texts)
}

/// Draws a segment: the boxes do not leave the picture, and two of them are apart or one is inside of the other.
fn boxes(segment: &Path, arguments: &[&str]) -> (Vec<Rect>, Vec<String>) {
    let arguments = [&["topology", "draw", text(segment), "-o", "-"], arguments].concat();
    let svg = print(&arguments);
    let ((width, height), rects, texts) = parse(&svg);
    let inside = |a: &Rect, b: &Rect| a.1 >= b.1 && a.2 >= b.2 && a.3 <= b.3 && a.4 <= b.4;
    let picture = (String::new(), 0, 0, width, height);
    for (index, a) in rects.iter().enumerate() {
        assert!(inside(a, &picture), "{}: {a:?} is not in {picture:?}", segment.display());
        for b in &rects[..index] {
            let apart = a.1 > b.3 || b.1 > a.3 || a.2 > b.4 || b.2 > a.4;
            assert!(apart || inside(a, b), "{}: {a:?} and {b:?}", segment.display());
        }
    }
    (rects, texts)
}

/// How many boxes of each type there are.
fn counts(rects: &[Rect]) -> HashMap<&str, u32> {
    let mut counts = HashMap::new();
    for (class, ..) in rects {
        *counts.entry(class.as_str()).or_default() += 1;
    }
    counts
}

/// The full picture of a topology has a box for each object, and the other one says what it leaves out.
fn every_object_is_drawn_or_counted(segment: &Path, what: &str) {
    let topology = graven::Segment::read(segment).unwrap().root::<Topology>().unwrap();
    // Comparing all boxes of the largest with each other takes long without optimization.
    if topology.object_count() < 2000 {
        let (rects, _) = boxes(segment, &["--full"]);
        let counts = counts(&rects);
        for ty in Type::ALL {
            let count = counts.get(ty.name()).copied().unwrap_or(0);
            assert_eq!(count, topology.count(ty), "{what}: {ty}");
        }
    }
    let (rects, texts) = boxes(segment, &[]);
    let drawn = rects.iter().filter(|(class, ..)| class != "more").count() as u32;
    let legend = texts.iter().find(|text| text.starts_with("Left out: "));
    let numbers = |text: &String| -> u32 {
        text.split_whitespace().map(|word| if word == "a" { 1 } else { word.parse().unwrap_or(0) }).sum()
    };
    let left_out = legend.map_or(0, numbers);
    assert_eq!(drawn + left_out, topology.object_count(), "{what}: {legend:?}");
    assert!(rects.len() < 4000, "{what}: {} boxes", rects.len());
}

#[test]
fn the_full_picture_has_a_box_for_each_object_and_another_says_what_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let segment = dir.path().join("it.grv");
    own(&segment, |what| every_object_is_drawn_or_counted(&segment, what));
    let (rects, texts) = boxes(&segment, &[]);
    assert!(rects.iter().any(|(class, ..)| class == "more"), "devices that are alike");
    assert!(texts.iter().any(|text| text.starts_with("Left out: ")), "what is dull");
}

#[test]
fn the_full_picture_has_a_box_for_each_object_and_another_says_what_is_left_out_real() {
    let dir = tempfile::tempdir().unwrap();
    let segment = dir.path().join("it.grv");
    real(&segment, |xml| every_object_is_drawn_or_counted(&segment, text(xml)));
}

#[test]
fn a_small_machine_has_all_of_its_labels() {
    let dir = tempfile::tempdir().unwrap();
    let segment = dir.path().join("it.grv");
    let mut builder = Builder::new();
    let package = builder.add(Builder::ROOT, Node::new(Type::Package).os_index(0));
    for number in 0..2 {
        let core = builder.add(package, Node::new(Type::Core).os_index(number));
        builder.add(core, Node::new(Type::Pu).os_index(number + 4));
    }
    builder.add(package, Node::new(Type::NumaNode).os_index(3));
    builder.add(package, Node::new(Type::Misc).name("a note"));
    graven::write(&segment, &builder.build().unwrap()).unwrap();
    let svg = dir.path().join("it.svg");
    assert_eq!(print(&["topology", "draw", text(&segment), "-o", text(&svg)]), "");
    // No number or order in it is by chance.
    assert_eq!(
        print(&["topology", "draw", text(&segment), "-o", "-"]),
        std::fs::read_to_string(&svg).unwrap()
    );
    let (_, texts) = boxes(&segment, &[]);
    for label in ["Machine", "Package L#0", "NUMANode L#0 P#3", "Core L#1", "PU L#1", "P#5", "a note"] {
        assert!(texts.iter().any(|text| text == label), "{label} in {texts:?}");
    }
    let nowhere = dir.path().join("no/such/place.svg");
    let (_, error) = fail(&["topology", "draw", text(&segment), "-o", text(&nowhere)]);
    assert!(error.starts_with(&format!("graven: {}: cannot write", nowhere.display())), "{error}");
}

#[test]
fn names_are_no_markup_and_move_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let segment = dir.path().join("it.grv");
    let name = "</text><script>\x1b[2J\u{202e}\u{fffe}]]>&amp;\"'";
    let mut builder = Builder::new();
    let package = Node::new(Type::Package).os_index(0).info("CPUModel", name).subtype(name);
    let package = builder.add(Builder::ROOT, package);
    builder.add(package, Node::new(Type::Pu).os_index(0).info(name, name));
    builder.add(package, Node::new(Type::NumaNode).os_index(0).subtype(name));
    builder.add(package, Node::new(Type::Misc).name(name.repeat(100)));
    builder.node_mut(Builder::ROOT).unwrap().infos.push(("HostName".into(), name.into()));
    graven::write(&segment, &builder.build().unwrap()).unwrap();
    let (rects, texts) = boxes(&segment, &[]);
    assert_eq!(rects.len(), 5);
    assert!(texts.iter().any(|text| text.contains("[2J")), "{texts:?}");
    assert!(texts.iter().all(|text| text.len() < 2000), "{texts:?}");
}

#[test]
fn a_tree_of_forty_thousand_levels_is_drawn() {
    let dir = tempfile::tempdir().unwrap();
    let segment = dir.path().join("deep.grv");
    graven::write(&segment, &levels(40_000)).unwrap();
    let (rects, texts) = boxes(&segment, &[]);
    assert!(rects.len() < 100, "{}", rects.len());
    assert!(texts.iter().any(|text| text.starts_with("Left out: 399")), "{texts:?}");
    let full = print(&["topology", "draw", text(&segment), "-o", "-", "--full"]);
    assert_eq!(full.matches("<g class=\"Misc\">").count(), 40_000);
}

#[test]
fn rows_of_a_hundred_thousand_are_cut_short() {
    let dir = tempfile::tempdir().unwrap();
    let segment = dir.path().join("wide.grv");
    let mut builder = least();
    for number in 0..400 {
        let misc = builder.add(Builder::ROOT, Node::new(Type::Misc).name(number.to_string()));
        for _ in 0..250 {
            builder.add(misc, Node::new(Type::Misc));
        }
    }
    graven::write(&segment, &builder.build().unwrap()).unwrap();
    let (rects, texts) = boxes(&segment, &[]);
    assert!(rects.len() <= 3000, "{}", rects.len());
    assert!(texts.iter().any(|text| text == "399"), "the last one is drawn");
}

/// The matrices of a segment as they are printed, which is as lstopo prints them.
fn matrices(segment: &Path, what: &str) -> String {
    let ours = print(&["topology", "distances", text(segment)]);
    if ours == "no distances\n" || what.ends_with("fakememinitiators-1np2c+1npp+gi.v3.xml") {
        // lstopo 2.9 shows the second without those nodes that have no processors.
        return ours;
    }
    let export = segment.with_extension("xml");
    std::fs::write(&export, print(&["topology", "xml", text(segment)])).unwrap();
    let arguments = ["--distances", "--filter", "all:all", "--disallowed"];
    let mut lstopo = Command::new("lstopo-no-graphics");
    match lstopo.args(["--if", "xml", "-i"]).arg(&export).args(arguments).output() {
        Ok(output) => assert_eq!(ours, String::from_utf8(output.stdout).unwrap(), "{what}"),
        Err(_) => println!("SKIPPED: lstopo is not installed"),
    }
    ours
}

#[test]
fn distances_are_matrices_as_lstopo_prints_them() {
    let dir = tempfile::tempdir().unwrap();
    let segment = dir.path().join("it.grv");
    graven::write(&segment, &everything()).unwrap();
    let expected = "\
Relative latency matrix (name NUMALatency kind 5) between 2 NUMANodes (depth -3) by logical indexes:
 index     0     1
     0    10    21
     1    21    10
";
    assert_eq!(matrices(&segment, "everything"), expected);
}

#[test]
fn distances_are_matrices_as_lstopo_prints_them_real() {
    let dir = tempfile::tempdir().unwrap();
    let segment = dir.path().join("it.grv");
    let mut number = 0;
    real(&segment, |xml| {
        let ours = matrices(&segment, text(xml));
        number += ours.matches(" matrix ").count();
        if xml.ends_with("memorysidecaches.xml") {
            let expected = "\
Relative latency matrix (name NUMALatency kind 5) between 4 NUMANodes (depth -3) by logical indexes:
 index     0     2     1     3
     0    10    21    11    21
     2    21    10    21    11
     1    11    21    10    21
     3    21    11    21    10
";
            assert_eq!(ours, expected);
        }
    });
    println!("{number} matrices");
}

#[test]
fn where_there_are_no_distances_it_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let segment = dir.path().join("it.grv");
    graven::write(&segment, &least().build().unwrap()).unwrap();
    assert_eq!(print(&["topology", "distances", text(&segment)]), "no distances\n");
}
