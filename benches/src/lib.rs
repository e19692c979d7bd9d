//! What the benchmarks measure on: values of every kind of layout, and the two validators by one name each.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use graven_topology::{Detector, Topology, synthetic, xml};
use rkyv::api::high::{HighSerializer, HighValidator};
use rkyv::bytecheck::CheckBytes;
use rkyv::rancor::BoxedError;
use rkyv::ser::allocator::ArenaHandle;
use rkyv::util::AlignedVec;
use rkyv::{Archive, Serialize};

pub mod ours;

/// The environment variable that makes everything a hundred times smaller, to see that it runs.
pub const SMALL: &str = "GRAVEN_BENCH_SMALL";

/// So many, or a hundredth.
pub fn scaled(count: usize) -> usize {
    if std::env::var_os(SMALL).is_some() { (count / 100).max(1) } else { count }
}

/// A type that both sides can validate.
pub trait Measured:
    Archive<Archived: graven::Layout + for<'a> CheckBytes<HighValidator<'a, BoxedError>>>
{
}
impl<T: Archive<Archived: graven::Layout + for<'a> CheckBytes<HighValidator<'a, BoxedError>>>> Measured
    for T
{
}

/// The value as an archive, and where its root is.
pub fn archive<T>(value: &T) -> (AlignedVec, usize)
where
    T: Archive + for<'a> Serialize<HighSerializer<AlignedVec, ArenaHandle<'a>, BoxedError>>,
{
    let bytes = rkyv::to_bytes::<BoxedError>(value).expect("it can be written");
    let root = bytes.len() - size_of::<T::Archived>();
    (bytes, root)
}

/// rkyv's checked access.
pub fn rkyv_accepts<T: Measured>(object: &[u8], root: usize) -> bool {
    rkyv::api::high::access_pos::<T::Archived, BoxedError>(object, root).is_ok()
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn text(&mut self, below: u64) -> String {
        "abcdefghijklmnopqrstuvwxyz0123456789-_"[..self.below(below.min(38)) as usize].to_owned()
    }
}

/// A recursive value: some bytes of everything that has to be looked at, at many places.
#[graven::object]
pub struct Node {
    id: u64,
    flag: bool,
    name: String,
    children: Vec<Node>,
}

/// A tree of about so many nodes; 5,400,000 are 262 MB.
pub fn tree(nodes: usize) -> Node {
    fn build(levels: u32, below: u64, random: &mut Random) -> Node {
        let children = if levels == 0 { 0 } else { below };
        Node {
            id: random.below(1 << 30),
            flag: levels % 2 == 0,
            name: random.text(24),
            children: (0..children).map(|_| build(levels - 1, below, random)).collect(),
        }
    }
    let below = (nodes as f64).powf(0.2).round().max(1.0) as u64;
    build(5, below, &mut Random(1))
}

/// Numbers only. As declared, so that rkyv may write it by one copy.
#[graven::object]
#[repr(C)]
pub struct Record {
    a: u64,
    b: u64,
    c: u32,
    d: u32,
    e: f64,
}

pub fn numbers(count: usize) -> Vec<Record> {
    let record = |i| Record { a: i, b: i * 7, c: i as u32, d: !i as u32, e: i as f64 / 3.0 };
    (0..count as u64).map(record).collect()
}

/// Numbers with a flag each: what has to be looked at, without a pointer.
pub fn flags(count: usize) -> Vec<(u32, bool)> {
    (0..count as u32).map(|i| (i, i % 3 == 0)).collect()
}

pub fn strings(count: usize) -> Vec<String> {
    let mut random = Random(2);
    (0..count).map(|_| random.text(38)).collect()
}

pub fn hash_map(count: usize) -> HashMap<String, u64> {
    (0..count as u64).map(|i| (format!("key number {i}"), i)).collect()
}

pub fn b_tree(count: usize) -> BTreeMap<u64, String> {
    let mut random = Random(3);
    (0..count as u64).map(|i| (i * 11, random.text(24))).collect()
}

#[graven::object]
pub enum Event {
    Nothing,
    Moved(i32, f64),
    Named { id: u32, name: String },
    Letter(char),
    Maybe(Option<u64>, bool),
}

pub fn events(count: usize) -> Vec<Event> {
    let mut random = Random(4);
    let mut event = || match random.below(5) {
        0 => Event::Nothing,
        1 => Event::Moved(random.below(1000) as i32, 0.5),
        2 => Event::Named { id: random.below(1000) as u32, name: random.text(24) },
        3 => Event::Letter('ß'),
        _ => Event::Maybe(Some(random.below(1000)), true),
    };
    (0..count).map(|_| event()).collect()
}

/// The topologies of real machines if their files are here, and of synthetic ones.
pub fn topologies() -> Vec<Topology> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/topologies");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).into_iter().flatten().filter_map(|file| Some(file.ok()?.path())).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "xml"));
    files.sort();
    let read = |file: &std::path::PathBuf| xml::parse(&std::fs::read_to_string(file).ok()?).ok();
    let mut all: Vec<Topology> = files.iter().filter_map(read).collect();
    all.extend(
        ["pack:8 numa:1 l3:4 core:8 pu:2", "pu:64"].iter().filter_map(|machine| synthetic(machine).ok()),
    );
    all.extend(Detector::new().detect());
    all
}
