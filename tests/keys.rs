//! Keys of maps: whatever type a key is of, lookups in the archive find it.
//!
//! rkyv places an entry of a hash map by the hash of the key before archiving, and looks it up by that of the archived
//! key; entries of a B-tree are in the order of the keys before archiving. Where the two differ, nothing is found, and
//! nobody says so. The kinds of keys are in one table, and each is written, looked up and verified in every map; CI runs
//! it with every payload, as archived numbers differ between them.

#[path = "keys/asked.rs"]
mod asked;
#[path = "keys/refused.rs"]
mod refused;
mod support;
#[path = "keys/verified.rs"]
mod verified;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::CString;
use std::fs;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::num::{NonZeroU8, NonZeroU32};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use graven::layout::Layout;
use graven::{
    Archive, Cause, Deserialize, Segment, Serialize, Writer,
    error::{Damage, VerifyError},
};
use indexmap::{IndexMap, IndexSet};
use rkyv::hash::{FxHasher64, hash_value};
use rkyv::rancor::{BoxedError, Fallible, Source};
use rkyv::vec::{ArchivedVec, VecResolver};
use rkyv::with::{AsString, Identity, MapKV};
use support::*;

/// How many keys of a kind: more than one group of a hash table, and than one node of a B-tree.
const KEYS: u32 = 60;

/// An address and a port: hashes differ, because the address's do.
#[graven::object]
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[rkyv(derive(PartialEq, Eq, Hash, PartialOrd, Ord))]
struct Endpoint {
    address: IpAddr,
    port: u16,
}

#[graven::object]
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[rkyv(derive(PartialEq, Eq, Hash, PartialOrd, Ord))]
struct Name {
    space: u32,
    name: String,
}

#[graven::object]
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[rkyv(derive(PartialEq, Eq, Hash, PartialOrd, Ord))]
struct Unit;

#[graven::object]
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[rkyv(derive(PartialEq, Eq, Hash, PartialOrd, Ord))]
enum Plain {
    First,
    Second,
    Last = 200,
}

/// Its hash differs for one variant only.
#[graven::object]
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[rkyv(derive(PartialEq, Eq, Hash, PartialOrd, Ord))]
enum Place {
    Nowhere,
    Number(u64),
    Words { words: Vec<u16> },
    At(Endpoint),
}

/// Hashes and compares as nobody would guess: by its last digit, backwards.
#[graven::object]
#[derive(Clone, PartialEq, Eq)]
#[rkyv(derive(PartialEq, Eq, Hash, PartialOrd, Ord))]
struct Odd(u32);

impl Hash for Odd {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.0 % 10).hash(state);
    }
}
impl Ord for Odd {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.0 % 10, other.0).cmp(&(self.0 % 10, self.0))
    }
}
impl PartialOrd for Odd {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

fn v4(n: u32) -> Ipv4Addr {
    Ipv4Addr::from(0x0a00_0001 + n * 0x0101)
}
fn v6(n: u32) -> Ipv6Addr {
    Ipv6Addr::from(0x2001_0db8_0000_0000_0000_0000_0000_0001 + (u128::from(n) << 40))
}
fn ip(n: u32) -> IpAddr {
    if n.is_multiple_of(2) { v4(n).into() } else { v6(n).into() }
}
fn words(n: u32) -> Vec<u16> {
    (0..n % 5).map(|i| (n * 300 + i) as u16).collect()
}
fn endpoint(n: u32) -> Endpoint {
    Endpoint { address: ip(n / 2), port: n as u16 }
}
fn text(n: u32) -> String {
    ["", "a", "key of a length that is not inline "][n as usize % 3].to_string() + &n.to_string()
}
fn path(n: u32) -> PathBuf {
    // By components `a/b` is before `a-b`, by bytes behind it.
    PathBuf::from(format!("a{}b{}", ["/", "-", "."][n as usize % 3], n / 3))
}

/// Checks that an archived key hashes as it did before, or that it does not.
fn hashes<K: Archive<Archived: Hash> + Hash>(
    keys: impl Iterator<Item = K>,
    archived: impl Fn(&K) -> u64,
) -> bool {
    keys.into_iter().all(|key| hash_value::<K, FxHasher64>(&key) == archived(&key))
}

macro_rules! kinds {
    ($($(#[$with:meta])? $name:ident: $key:ty, $agrees:literal, $make:expr;)*) => {
        /// Whether the standard library's hash of each kind of key is that of its archived form, by the table.
        #[test]
        fn the_hash_of_an_archived_key_is_the_same_exactly_for_those_kinds_that_are_said_to_agree() {
            $({
                let make: fn(u32) -> $key = $make;
                let archived = |key: &$key| {
                    let bytes = rkyv::to_bytes::<BoxedError>(key).unwrap();
                    // SAFETY: just serialized.
                    let key = unsafe { rkyv::access_unchecked::<rkyv::Archived<$key>>(&bytes) };
                    hash_value::<_, FxHasher64>(key)
                };
                assert_eq!(hashes((0..KEYS).map(make), archived), $agrees, "{}", stringify!($key));
            })*
        }

        $(mod $name {
            use super::*;

            #[graven::object]
            struct Maps {
                map: HashMap<$key, u32>,
                set: HashSet<$key>,
                index: IndexMap<$key, u32>,
                index_set: IndexSet<$key>,
                tree: BTreeMap<$key, u32>,
                tree_set: BTreeSet<$key>,
                nested: Option<Vec<HashMap<$key, u32>>>,
            }

            #[test]
            fn every_key_is_found_and_the_segment_verifies() {
                let make: fn(u32) -> $key = $make;
                let entries = || (0..KEYS).map(|n| (make(n), n));
                let mut maps = Maps {
                    map: entries().collect(),
                    set: (0..KEYS).map(make).collect(),
                    index: entries().collect(),
                    index_set: (0..KEYS).map(make).collect(),
                    tree: BTreeMap::new(),
                    tree_set: BTreeSet::new(),
                    nested: Some(vec![entries().collect(), entries().collect()]),
                };
                // Collecting would sort, which is a tenth of what there is to compile for each kind.
                for (key, n) in entries() {
                    maps.tree.insert(key, n);
                    maps.tree_set.insert(make(n));
                }
                let segment = segment_of(&maps);
                segment.verify().unwrap();
                segment.verify_as::<Maps>("").unwrap();
                let archived = segment.root::<Maps>().unwrap();
                let nested = &archived.nested.as_ref().unwrap()[1];
                for (key, value) in &maps.map {
                    let bytes = rkyv::to_bytes::<BoxedError>(key).unwrap();
                    // SAFETY: just serialized.
                    let key = unsafe { rkyv::access_unchecked::<rkyv::Archived<$key>>(&bytes) };
                    assert_eq!(archived.map.get(key).unwrap(), value);
                    assert!(archived.set.contains(key));
                    assert_eq!(archived.index.get(key).unwrap(), value);
                    assert!(archived.index_set.contains(key));
                    assert_eq!(archived.tree.get(key).unwrap(), value);
                    assert!(archived.tree_set.contains_key(key));
                    assert_eq!(nested.get(key).unwrap(), value);
                }
                assert!(archived.index.values().eq(maps.index.values()), "in the order of the program's map");
                let back: Maps = rkyv::deserialize::<_, BoxedError>(&*archived).unwrap();
                assert!(back.map == maps.map && back.set == maps.set && back.nested == maps.nested);
                assert!(back.index == maps.index && back.index_set == maps.index_set);
                assert!(back.tree == maps.tree && back.tree_set == maps.tree_set);
            }
        })*
    };
}

kinds! {
    u8_: u8, true, |n| n as u8;
    u16_: u16, true, |n| n as u16 * 1000;
    u32_: u32, true, |n| n * 70_000_000;
    u64_: u64, true, |n| u64::from(n) << 50;
    u128_: u128, true, |n| u128::from(n) << 90 | 5;
    i32_: i32, true, |n| n as i32 * 30_000_000 - 7;
    i128_: i128, true, |n| -(i128::from(n) << 90);
    bool_: bool, true, |n| n % 2 == 0;
    char_: char, true, |n| char::from_u32(0x1f600 + n).unwrap();
    unit: (), true, |_| ();
    string: String, true, text;
    boxed_str: Box<str>, true, |n| text(n).into();
    rc_str: Rc<str>, true, |n| text(n).into();
    arc_string: Arc<String>, true, |n| text(n).into();
    c_string: CString, true, |n| CString::new(text(n)).unwrap();
    nonzero_u8: NonZeroU8, true, |n| NonZeroU8::new(n as u8 + 1).unwrap();
    nonzero_u32: NonZeroU32, true, |n| NonZeroU32::new(n + 1).unwrap();
    duration: Duration, true, |n| Duration::new(n.into(), n * 1000);
    tuple: (u8, String, i64), true, |n| (n as u8, text(n), -i64::from(n));
    option: Option<u32>, true, |n| n.checked_sub(1);
    result: Result<u32, String>, true, |n| if n % 2 == 0 { Ok(n) } else { Err(text(n)) };
    bytes: Vec<u8>, true, |n| text(n).into_bytes();
    signed_bytes: [i8; 4], true, |n| [n as i8, -1, 0, -(n as i8)];
    byte_array: [u8; 6], true, |n| [0, 1, 2, 3, 4, n as u8];
    strings: Vec<String>, true, |n| vec![text(n); n as usize % 3 + 1];
    chars: Vec<char>, true, |n| text(n).chars().collect();
    nonzeros: [NonZeroU32; 2], true, |n| [NonZeroU32::new(n + 1).unwrap(); 2];
    structure: Name, true, |n| Name { space: n % 7, name: text(n) };
    unit_structure: Unit, true, |_| Unit;
    plain_enum: Plain, true, |n| [Plain::First, Plain::Second, Plain::Last][n as usize % 3].clone();

    ipv4: Ipv4Addr, false, v4;
    ipv6: Ipv6Addr, false, v6;
    ip_: IpAddr, false, ip;
    socket_v4: SocketAddrV4, false, |n| SocketAddrV4::new(v4(n), n as u16);
    socket_v6: SocketAddrV6, false, |n| SocketAddrV6::new(v6(n), n as u16, n, n * 2);
    socket: SocketAddr, false, |n| SocketAddr::new(ip(n), n as u16);
    array_u16: [u16; 3], false, |n| [n as u16, 2, 3];
    array_i64: [i64; 2], true, |n| [i64::from(n), -2];
    array_u128: [u128; 1], true, |n| [n.into()];
    vec_u16: Vec<u16>, false, |n| vec![n as u16; n as usize % 3];
    vec_i32: Vec<i32>, false, |n| vec![n as i32; n as usize % 3 + 1];
    boxed_u32s: Box<[u32]>, false, |n| vec![n; n as usize % 3 + 1].into();
    rc_i16s: Rc<[i16]>, false, |n| vec![n as i16; n as usize % 3 + 1].into();
    arc_u64s: Arc<[u64]>, true, |n| vec![n.into(); n as usize % 3 + 1].into();
    matrix: [[u32; 2]; 2], false, |n| [[n, 1], [2, 3]];
    address_and_port: (Ipv4Addr, u16), false, |n| (v4(n), 80);
    some_address: Option<IpAddr>, false, |n| n.checked_sub(1).map(ip);
    addresses: Vec<Ipv4Addr>, false, |n| vec![v4(n); n as usize % 3 + 1];
    structure_with_one: Endpoint, false, endpoint;
    enum_with_some: Place, false, |n| match n % 4 {
        0 if n == 0 => Place::Nowhere,
        0 | 1 => Place::Number(n.into()),
        2 => Place::Words { words: words(n) },
        _ => Place::At(endpoint(n)),
    };
    odd: Odd, false, Odd;
}

/// Keys that are archived as something else.
#[graven::object]
struct Files {
    #[rkyv(with = MapKV<AsString, Identity>)]
    sizes: HashMap<PathBuf, u32>,
    #[rkyv(with = graven::with::ArchivedKeys<AsString>)]
    seen: HashSet<PathBuf>,
    #[rkyv(with = graven::with::ArchivedKeys<AsString>)]
    indexed: IndexMap<PathBuf, u32>,
    #[rkyv(with = MapKV<AsString, AsString>)]
    targets: BTreeMap<PathBuf, PathBuf>,
    #[rkyv(with = graven::with::ArchivedKeys<AsString>)]
    sorted: BTreeSet<PathBuf>,
    #[rkyv(with = rkyv::with::Map<MapKV<AsString, Identity>>)]
    many: Vec<HashMap<PathBuf, u32>>,
}

#[test]
fn keys_that_a_wrapper_archives_as_something_else_are_found_by_what_they_are_archived_as() {
    let entries = || (0..KEYS).map(|n| (path(n), n));
    let files = Files {
        sizes: entries().collect(),
        seen: (0..KEYS).map(path).collect(),
        indexed: entries().collect(),
        targets: (0..KEYS).map(|n| (path(n), path(n + 1))).collect(),
        sorted: (0..KEYS).map(path).collect(),
        many: vec![entries().collect(); 2],
    };
    let segment = segment_of(&files);
    segment.verify().unwrap();
    segment.verify_as::<Files>("").unwrap();
    let archived = segment.root::<Files>().unwrap();
    for (n, path) in (0..KEYS).map(|n| (n, path(n))) {
        let path = path.to_str().unwrap();
        assert_eq!(archived.sizes.get(path).unwrap(), &n);
        assert_eq!(
            segment.value("").unwrap().field("sizes").unwrap().get(path).unwrap().unwrap().as_u64(),
            Ok(n.into())
        );
        assert!(archived.seen.contains(path));
        assert_eq!(archived.indexed.get(path).unwrap(), &n);
        assert_eq!(archived.targets.get(path).unwrap(), path_text(n + 1).as_str());
        assert!(archived.sorted.contains_key(path));
        assert_eq!(archived.many[1].get(path).unwrap(), &n);
    }
    let back: Files = rkyv::deserialize::<_, BoxedError>(&*archived).unwrap();
    assert!(back.sizes == files.sizes && back.targets == files.targets && back.many == files.many);
}

fn path_text(n: u32) -> String {
    path(n).to_str().unwrap().to_string()
}

/// An address is the most natural key of a routing table.
#[test]
fn a_routing_table_is_looked_up_by_an_address_that_a_program_has() {
    #[graven::object]
    struct Routes {
        by_address: HashMap<IpAddr, String>,
    }
    let routes = Routes { by_address: (0..KEYS).map(|n| (ip(n), text(n))).collect() };
    let segment = segment_of(&routes);
    let archived = segment.root::<Routes>().unwrap();
    for n in 0..KEYS {
        let found = graven::with::archived(&ip(n), |key| archived.by_address.get(key)).unwrap();
        assert_eq!(found.unwrap(), text(n).as_str());
    }
}

#[test]
fn two_keys_that_are_archived_as_equal_ones_are_an_error() {
    /// Archived without what makes it differ.
    #[graven::object]
    #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
    #[rkyv(derive(PartialEq, Eq, Hash, PartialOrd, Ord))]
    struct Half {
        kept: u32,
        #[rkyv(with = rkyv::with::Skip)]
        skipped: u32,
    }
    #[graven::object]
    #[derive(Default)]
    struct Maps {
        map: HashMap<Half, u8>,
        index: IndexSet<Half>,
        tree: BTreeSet<Half>,
    }
    let keys = || (0..KEYS).map(|n| Half { kept: n / 2, skipped: n });
    for maps in [
        Maps { map: keys().map(|key| (key, 0)).collect(), ..Maps::default() },
        Maps { index: keys().collect(), ..Maps::default() },
        Maps { tree: keys().collect(), ..Maps::default() },
    ] {
        let directory = directory();
        let error = graven::write(directory.path().join("maps.grv"), &maps).unwrap_err();
        assert_eq!(error.errno(), EINVAL);
        assert!(error.to_string().contains("equal once they are archived"), "{error}");
    }
}

/// The same map, filled in another order, with another hasher.
#[test]
fn a_map_by_its_archived_keys_is_the_same_bytes_whatever_order_it_iterates_in() {
    #[graven::object]
    struct Routes {
        map: HashMap<IpAddr, u32>,
        set: HashSet<Vec<u32>>,
    }
    let routes = || Routes {
        map: (0..KEYS).map(|n| (ip(n), n)).collect(),
        set: (0..KEYS).map(|n| vec![n; n as usize % 4]).collect(),
    };
    assert!(bytes_of(&routes()) == bytes_of(&routes()));
}
