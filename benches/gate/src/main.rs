//! What `.ci/gate` counts the instructions of: `graven-gate CASE DIRECTORY` runs one case and prints how many of what it did.
//! Without arguments it prints the cases.
//!
//! A case makes what it needs, does its work once to have everything warm, and then again inside [`counted`], which is all
//! that is counted. Counts have to be the same in each run: inputs are fixed, maps hash without a seed, objects are too
//! small for threads, and nothing waits.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::hint::black_box;
use std::path::Path;

use graven::{Segment, Store, Timeout, Writer};
use graven_topology::{Bits, Topo, Topology, synthetic};

/// What is counted: the only function of this name, and all that it calls.
#[inline(never)]
#[unsafe(export_name = "counted")]
pub extern "C" fn counted(work: &mut Work<'_>) {
    (work.0)();
}

pub struct Work<'a>(&'a mut dyn FnMut());

/// Counts each of so many.
fn count(times: u64, mut work: impl FnMut(u64)) {
    counted(&mut Work(&mut || (0..times).for_each(&mut work)));
}

type Case = (&'static str, fn(&Path) -> (u64, &'static str));

/// In the order of the table.
const CASES: [Case; 7] = [
    ("latest", latest),
    ("adopt", adopt),
    ("get", get),
    ("validate", validate),
    ("write", write),
    ("publish", publish),
    ("walk", walk),
];

#[graven::object]
struct Small {
    name: String,
    ports: Vec<u16>,
}

fn small() -> Small {
    Small { name: "the name of a service".into(), ports: (8000..8016).collect() }
}

/// Something of everything that has to be looked at: texts, flags, tags, pointers, and both kinds of maps.
#[graven::object]
struct Node {
    id: u64,
    flag: bool,
    name: String,
    state: State,
    numbers: HashMap<u32, u64, BuildHasherDefault<DefaultHasher>>,
    names: BTreeMap<String, u32>,
    children: Vec<Node>,
}

#[graven::object]
enum State {
    Unknown,
    Known { since: u64 },
    Named(Option<String>),
}

/// A tree in which every node has `below` more, and so many levels of them.
fn tree(levels: u32, below: u64, id: &mut u64) -> Node {
    *id += 1;
    let id_here = *id;
    // Tables are large.
    let numbers = if id_here.is_multiple_of(8) { 10 } else { 0 };
    Node {
        id: id_here,
        flag: id_here.is_multiple_of(3),
        name: format!("node {}", "x".repeat((id_here % 23) as usize)),
        state: match id_here % 4 {
            0 => State::Unknown,
            1 => State::Known { since: id_here },
            2 => State::Named(None),
            _ => State::Named(Some(format!("state {id_here}"))),
        },
        numbers: (0..numbers).map(|key| (key, id_here)).collect(),
        names: (0..id_here as u32 % 3).map(|key| (format!("name {key}"), key)).collect(),
        children: match levels {
            0 => Vec::new(),
            _ => (0..below).map(|_| tree(levels - 1, below, id)).collect(),
        },
    }
}

/// 4,681 nodes, and how many they are. Less than 1 MiB: from there on, threads validate.
fn nodes() -> (Node, u64) {
    let mut count = 0;
    (tree(4, 8, &mut count), count)
}

fn store(directory: &Path) -> Store {
    // SAFETY: the directory is this program's own.
    unsafe { Store::open(directory) }.expect("a store")
}

fn map(path: &Path) -> Segment {
    // SAFETY: as above.
    unsafe { Segment::map(path) }.expect("a segment")
}

/// The newest generation of a name, when it is the one that the reader has.
fn latest(directory: &Path) -> (u64, &'static str) {
    let store = store(directory);
    let mut owner = store.owner("small").expect("ours");
    owner.publish(&small()).expect("published");
    let mut reader = store.reader::<Small>("small", Timeout::Now).expect("attached");
    let mut latest = |_| _ = black_box(reader.latest().expect("published").ports.len());
    latest(0);
    count(1000, latest);
    (1000, "call")
}

/// From a path to a small value: mapped, layouts compared, checked, dropped. The type was adopted before.
fn adopt(directory: &Path) -> (u64, &'static str) {
    let path = directory.join("small.grv");
    graven::write(&path, &small()).expect("written");
    let adopt = |_| _ = black_box(map(&path).root::<Small>().expect("valid").ports.len());
    adopt(0);
    count(100, adopt);
    (100, "segment")
}

/// Objects of a segment of a thousand by name, in another order than theirs: found and checked.
fn get(directory: &Path) -> (u64, &'static str) {
    let path = directory.join("thousand.grv");
    let mut writer = Writer::create(&path).expect("a file");
    for number in 0..1000 {
        writer.put(&format!("object-{number}"), &small()).expect("put");
    }
    writer.finish().expect("written");
    let segment = map(&path);
    let names: Vec<String> = (0..1000).map(|number| format!("object-{}", number * 7 % 1000)).collect();
    let get =
        |number| _ = black_box(segment.get::<Small>(&names[number as usize]).expect("there").ports.len());
    get(0);
    count(1000, get);
    (1000, "object")
}

/// A tree for the first time in a segment, whose layout is known.
fn validate(directory: &Path) -> (u64, &'static str) {
    let path = directory.join("tree.grv");
    let (tree, nodes) = nodes();
    graven::write(&path, &tree).expect("written");
    let read = || Segment::read(&path).expect("a segment");
    assert!(read().as_bytes().len() < 1 << 20, "it would be checked by threads");
    read().root::<Node>().expect("valid");
    let segment = read();
    count(1, |_| _ = black_box(segment.root::<Node>().expect("valid").id));
    (nodes, "node")
}

/// The same tree to a path.
fn write(directory: &Path) -> (u64, &'static str) {
    let path = directory.join("tree.grv");
    let (tree, nodes) = nodes();
    let write = |_| _ = black_box(graven::write(&path, &tree).expect("written"));
    write(0);
    count(1, write);
    (nodes, "node")
}

/// A generation after the other of a small value. Nobody waits for them.
fn publish(directory: &Path) -> (u64, &'static str) {
    let mut owner = store(directory).owner("small").expect("ours");
    let value = small();
    let mut publish = |_| _ = black_box(owner.publish(&value).expect("published"));
    publish(0);
    count(100, publish);
    (100, "generation")
}

/// Every object of an adopted topology: its type, its index and its processors.
fn walk(directory: &Path) -> (u64, &'static str) {
    let path = directory.join("topology.grv");
    graven::write(&path, &synthetic("pack:8 numa:1 l3:4 core:8 pu:2").expect("a machine")).expect("written");
    let segment = map(&path);
    let topology = segment.root::<Topology>().expect("valid");
    let walk = || -> u64 {
        let mut seen = 0;
        for object in topology.root().descendants() {
            black_box((object.ty(), object.os_index(), object.cpuset().map(|set| set.weight())));
            seen += 1;
        }
        seen
    };
    let seen = walk();
    count(1, |_| _ = black_box(walk()));
    (seen, "object")
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [case, directory] = &arguments[..] else {
        return CASES.iter().for_each(|(name, _)| println!("{name}"));
    };
    let (_, run) = CASES.iter().find(|(name, _)| name == case).expect("a case of the list");
    let (times, unit) = run(Path::new(directory));
    println!("{times} {unit}");
}
