//! Keys of maps: whatever type a key is of, lookups in the archive find it.
//!
//! rkyv places an entry of a hash map by the hash of the key before archiving, and looks it up by that of the archived
//! key; entries of a B-tree are in the order of the keys before archiving. Where the two differ, nothing is found, and
//! nobody says so. The kinds of keys are in one table, and each is written, looked up and verified in every map; CI runs
//! it with every payload, as archived numbers differ between them.

mod support;

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
    error::{ObjectCause, VerifyError},
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
                let maps = Maps {
                    map: entries().collect(),
                    set: (0..KEYS).map(make).collect(),
                    index: entries().collect(),
                    index_set: (0..KEYS).map(make).collect(),
                    tree: entries().collect(),
                    tree_set: (0..KEYS).map(make).collect(),
                    nested: Some(vec![entries().collect(); 2]),
                };
                let segment = written(&maps);
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

/// A segment with this root.
fn written<T>(value: &T) -> Segment
where
    T: Archive<Archived: Layout> + for<'a> Serialize<graven::Serializer<'a>>,
{
    Segment::from_bytes(bytes_of(value)).unwrap()
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
    let segment = written(&files);
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
    let segment = written(&routes);
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

/// A map that no macro sees.
type Routes = HashMap<IpAddr, u32>;

#[graven::object]
struct Behind {
    name: String,
    routes: Routes,
}

/// Derived by hand, so that nothing is done about the keys.
#[derive(Archive, Serialize, Deserialize, graven::Layout)]
struct Table<K: Hash + Eq>
where
    K: Archive<Archived: Hash + Eq>,
{
    entries: HashMap<K, u32>,
}

#[derive(Archive, Serialize, Deserialize, graven::Layout)]
struct Tree {
    entries: BTreeMap<Odd, u32>,
    set: BTreeSet<Odd>,
}

/// The way to the map in the error of writing this.
#[track_caller]
fn refused<T>(value: &T) -> String
where
    T: Archive<Archived: Layout> + for<'a> Serialize<graven::Serializer<'a>>,
{
    let directory = directory();
    let path = directory.path().join("refused.grv");
    let error = graven::write(&path, value).unwrap_err();
    assert_eq!(error.errno(), EINVAL);
    assert!(error.to_string().contains("graven::with::ArchivedKeys"), "{error}");
    let Cause::Keys(error) = error.cause() else { panic!("{error}") };
    assert!(matches!(error.cause(), ObjectCause::Disorder { .. }), "{error}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "nothing is visible");

    let same = graven::encoded_len(value).unwrap_err();
    assert!(matches!(same.cause(), Cause::Keys(same) if same == error), "{same}");
    error.path().to_string()
}

#[test]
fn a_map_whose_keys_would_be_lost_and_that_no_macro_sees_is_refused_when_it_is_written() {
    let routes = || (0..KEYS).map(|n| (ip(n), n)).collect::<Routes>();
    let behind = || Behind { name: "a name".into(), routes: routes() };
    assert_eq!(refused(&routes()), "");
    assert_eq!(refused(&behind()), "routes");
    assert_eq!(refused(&std::mem::ManuallyDrop::new(routes())), "");
    assert_eq!(refused(&vec![Behind { routes: Routes::new(), ..behind() }, behind()]), "[1].routes");
    assert_eq!(refused(&Some(Rc::new((1u8, behind())))), "1.routes");
    assert_eq!(refused(&BTreeMap::from([(7u8, routes())])), "value");
    assert_eq!(refused(&(0..KEYS).map(|n| [n as u16; 2]).collect::<HashSet<_>>()), "");
    assert_eq!(refused(&(0..KEYS).map(|n| vec![n; 2]).collect::<IndexSet<_>>()), "");
    assert_eq!(refused(&(0..KEYS).map(|n| (endpoint(n), n)).collect::<IndexMap<_, _>>()), "");
    assert_eq!(refused(&Table { entries: (0..KEYS).map(|n| (endpoint(n), n)).collect() }), "entries");
    assert_eq!(refused(&Table { entries: (0..KEYS).map(|n| (Odd(n), n)).collect() }), "entries");
    assert_eq!(
        refused(&Tree { entries: (0..2).map(|n| (Odd(n), n)).collect(), set: BTreeSet::new() }),
        "entries"
    );
    assert_eq!(refused(&Tree { entries: BTreeMap::new(), set: (0..KEYS).map(Odd).collect() }), "set");
    // One is enough, unless it has the same seven bits of hash by chance.
    let few = (0..20).filter(|n| graven::encoded_len(&HashMap::from([(ip(*n), *n)])).is_err()).count();
    assert!(few > 10, "{few} of 20 maps with a single key");
}

/// What a type has been written with before says nothing of the next value.
#[test]
fn every_value_is_asked_again() {
    let table = |key: fn(u32) -> Place| Table { entries: (0..KEYS).map(|n| (key(n), n)).collect() };
    for _ in 0..3 {
        written(&Table::<Place> { entries: HashMap::new() });
        let segment = written(&table(|n| Place::Number(n.into())));
        segment.verify_as::<Table<Place>>("").unwrap();
        assert_eq!(refused(&table(|n| Place::Words { words: vec![n as u16; 3] })), "entries");
    }
}

/// An integer where it is archived; hashes like one below a thousand.
#[derive(PartialEq, Eq)]
struct Thousand(u32);

impl Hash for Thousand {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.0 + self.0 / 1000).hash(state);
    }
}
impl Archive for Thousand {
    type Archived = <u32 as Archive>::Archived;
    type Resolver = ();
    fn resolve(&self, (): (), out: rkyv::Place<Self::Archived>) {
        self.0.resolve((), out);
    }
}
impl<S: Fallible + ?Sized> Serialize<S> for Thousand {
    fn serialize(&self, _: &mut S) -> Result<(), S::Error> {
        Ok(())
    }
}

/// What is remembered of plain keys is of the type before archiving, and of sixteen values.
#[test]
fn integers_are_asked_sixteen_times_for_each_type_that_is_archived_as_one() {
    let table = |from: u32| (from..from + KEYS).map(|n| (Thousand(n), n)).collect::<HashMap<_, _>>();
    for _ in 0..20 {
        written(&(0..KEYS).map(|n| (n, n)).collect::<HashMap<_, _>>());
    }
    assert_eq!(refused(&table(1000)), "");
    for _ in 0..15 {
        written(&table(0));
    }
    assert_eq!(refused(&table(1000)), "");
    for few in [0, 1].repeat(20) {
        written(&(0..few).map(|n| (Thousand(n), n)).collect::<HashMap<_, _>>());
    }
    assert_eq!(refused(&table(1000)), "", "empty maps say nothing");
    written(&table(0));
    let segment = Segment::from_bytes(bytes_of(&table(1000))).unwrap();
    assert!(segment.verify().unwrap_err().to_string().contains("map is out of order"));
}

#[test]
fn a_writer_goes_on_behind_an_object_that_was_refused() {
    let directory = directory();
    let path = directory.path().join("tables.grv");
    let mut writer = Writer::create(&path).unwrap();
    let routes = (0..KEYS).map(|n| (ip(n), n)).collect::<Routes>();
    // Larger than what is kept back from the file.
    let large: Vec<u64> = (0..many(100_000) as u64).collect();
    writer.put("before", &table()).unwrap();
    let error = writer.put("routes", &(large.clone(), routes)).unwrap_err();
    assert!(matches!(error.cause(), Cause::Keys(_)), "{error}");
    assert_eq!(error.object(), Some("routes"));
    writer.put("routes", &(large.clone(), table())).unwrap();
    writer.put("numbers", &large).unwrap();
    writer.finish().unwrap();
    let segment = Segment::read(&path).unwrap();
    segment.verify().unwrap();
    segment.verify_as::<(Vec<u64>, HashMap<String, u64>)>("routes").unwrap();
    let routes = segment.get::<(Vec<u64>, HashMap<String, u64>)>("routes").unwrap();
    assert_eq!(routes.1.get("key number 7").unwrap(), &7);
    assert_eq!(segment.get::<Vec<u64>>("numbers").unwrap().len(), large.len());
}

/// The same bytes as [`Name`], and hashes and orders of its own where it is archived.
#[graven::object]
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Backwards {
    space: u32,
    name: String,
}

impl Hash for ArchivedBackwards {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.name.as_str(), self.space.to_native()).hash(state);
    }
}
impl PartialEq for ArchivedBackwards {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for ArchivedBackwards {}
impl PartialOrd for ArchivedBackwards {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for ArchivedBackwards {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.space.to_native(), other.name.as_str()).cmp(&(self.space.to_native(), self.name.as_str()))
    }
}

#[test]
fn verifying_as_a_type_asks_the_keys_own_hash_and_order_which_verifying_by_schema_cannot() {
    type Both<K> = (u8, Vec<(HashMap<K, u32>, BTreeMap<K, u32>)>);
    let name = |n| Name { space: n % 7, name: text(n) };
    let backwards = |n| Backwards { space: n % 7, name: text(n) };
    let map = |n: u32| (0..n).map(|n| (name(n), n)).collect::<HashMap<_, _>>();
    let tree = |n: u32| (0..n).map(|n| (name(n), n)).collect::<BTreeMap<_, _>>();
    let segment =
        |map, tree| written::<Both<Name>>(&(1, vec![(HashMap::new(), BTreeMap::new()), (map, tree)]));
    let error = |segment: &Segment| {
        segment.verify().unwrap();
        assert!(segment.get::<Both<Backwards>>("").is_ok(), "it is safe to read");
        let error = segment.verify_as::<Both<Backwards>>("").unwrap_err();
        assert_eq!(error.errno(), EINVAL);
        let Cause::Contents(error) = error.cause() else { panic!("{error}") };
        let ObjectCause::Disorder { what } = error.cause() else { panic!("{error}") };
        (error.path().to_string(), what.clone())
    };

    let good = segment(map(KEYS), tree(KEYS));
    good.verify_as::<Both<Name>>("").unwrap();
    let (path, what) = error(&good);
    assert_eq!(path, "1[1].0");
    assert!(what.starts_with("the entry at place "), "{what}");
    assert_eq!(
        error(&segment(map(0), tree(2))),
        ("1[1].1".into(), "key 1 is not above the one before it".into())
    );
    // And the other way round.
    #[graven::object]
    struct Own {
        entries: HashMap<Backwards, u32>,
    }
    let segment = written(&Own { entries: (0..KEYS).map(|n| (backwards(n), n)).collect() });
    segment.verify_as::<Own>("").unwrap();
    segment.verify_as::<Table<Name>>("").unwrap_err();
}

#[test]
fn verifying_as_a_type_compares_the_checksum() {
    let mut bytes = bytes_of(&(7u32, HashMap::from([("a".to_string(), 1u64)])));
    let segment = Segment::from_bytes(&bytes).unwrap();
    let entry = segment.objects().next().unwrap().unwrap();
    // The number of the root.
    let at = (entry.object.position + entry.root) as usize;
    bytes[at] ^= 1;
    let segment = Segment::from_bytes(&bytes).unwrap();
    assert!(segment.root::<(u32, HashMap<String, u64>)>().is_ok());
    let error = segment.verify_as::<(u32, HashMap<String, u64>)>("").unwrap_err();
    assert!(matches!(error.cause(), Cause::Verify(VerifyError::ObjectChecksum { .. })), "{error}");
    let error = segment.verify_as::<u32>("other").unwrap_err();
    assert!(matches!(error.cause(), Cause::NoObject { .. }), "{error}");
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

/// Archived as a vector of bytes, of which it has one and says what it likes.
#[derive(PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Lie(usize);

impl Archive for Lie {
    type Archived = ArchivedVec<u8>;
    type Resolver = VecResolver;
    fn resolve(&self, resolver: VecResolver, out: rkyv::Place<Self::Archived>) {
        ArchivedVec::resolve_from_len(self.0, resolver, out);
    }
}
impl<S: Fallible<Error: Source> + rkyv::ser::Writer + rkyv::ser::Allocator + ?Sized> Serialize<S> for Lie {
    fn serialize(&self, serializer: &mut S) -> Result<VecResolver, S::Error> {
        ArchivedVec::<u8>::serialize_from_slice(&[7u8], serializer)
    }
}

/// `Archive` and `Serialize` are safe to get wrong.
#[test]
fn a_key_that_does_not_archive_what_its_type_says_is_an_error_and_is_not_looked_at() {
    #[derive(Archive, Serialize, graven::Layout, Default)]
    struct Maps {
        #[rkyv(with = graven::with::ArchivedKeys)]
        set: HashSet<Lie>,
        #[rkyv(with = graven::with::ArchivedKeys)]
        index: IndexSet<Lie>,
        #[rkyv(with = graven::with::ArchivedKeys)]
        tree: BTreeSet<Lie>,
    }
    assert_eq!(graven::with::archived(&Lie(1), |key| key.to_vec()).unwrap(), [7]);
    let lies = || [Lie(1), Lie(0x7fff)];
    let errors = [
        graven::with::archived(&Lie(0x7fff), |key| key.len()).unwrap_err(),
        graven::encoded_len(&Maps { set: lies().into(), ..Maps::default() }).unwrap_err(),
        graven::encoded_len(&Maps { index: lies().into(), ..Maps::default() }).unwrap_err(),
        graven::encoded_len(&Maps { tree: lies().into(), ..Maps::default() }).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.errno(), EINVAL);
        let Cause::Serialize { message } = error.cause() else { panic!("{error}") };
        assert!(
            message.starts_with("a key of a map (`") && message.contains("is not archived as one"),
            "{error}"
        );
    }
    // Others who serialize have it from their own serializer.
    let error = rkyv::to_bytes::<BoxedError>(&Maps { set: lies().into(), ..Maps::default() }).unwrap_err();
    assert!(error.to_string().contains("is not archived as one"), "{error}");
}

#[test]
fn a_key_that_refuses_to_be_serialized_is_an_error_in_its_own_words() {
    use std::os::unix::ffi::OsStringExt;
    let path = PathBuf::from(std::ffi::OsString::from_vec(vec![0xff]));
    let files = Files {
        sizes: HashMap::from([(path, 1)]),
        seen: HashSet::new(),
        indexed: IndexMap::new(),
        targets: BTreeMap::new(),
        sorted: BTreeSet::new(),
        many: Vec::new(),
    };
    let error = graven::encoded_len(&files).unwrap_err();
    let Cause::Serialize { message } = error.cause() else { panic!("{error}") };
    assert!(!message.contains("cannot be serialized"), "once is enough: {error}");
}

/// rkyv pads to 32 at most, and panics behind that.
#[test]
fn keys_have_the_alignments_that_objects_have() {
    macro_rules! aligned {
        ($name:ident, $archived:ident, $align:literal) => {
            #[graven::object]
            #[derive(PartialEq, Eq, Hash, PartialOrd, Ord)]
            #[rkyv(derive(PartialEq, Eq, Hash, PartialOrd, Ord), attr(repr(align($align))))]
            #[rkyv(archived = $archived)]
            struct $name {
                name: String,
                next: Option<Box<$name>>,
            }
        };
    }
    aligned!(Wide, ArchivedWide, 64);
    aligned!(Page, ArchivedPage, 4096);
    aligned!(Huge, ArchivedHuge, 131072);

    #[graven::object]
    struct Maps {
        map: HashMap<Wide, u32>,
        tree: BTreeMap<Page, u32>,
    }
    let wide = |n| Wide { name: text(n), next: Some(Wide { name: text(n + 1), next: None }.into()) };
    let page = |n| Page { name: text(n), next: Some(Page { name: text(n + 1), next: None }.into()) };
    let few = 3;
    let maps = Maps {
        map: (0..few).map(|n| (wide(n), n)).collect(),
        tree: (0..few).map(|n| (page(n), n)).collect(),
    };
    if graven::format::Payload::NATIVE.offset_width == 2 {
        // Three nodes of 4096 bytes each, and their padding.
        println!("SKIPPED: pages do not fit into the reach of 16-bit offsets");
    } else {
        let segment = written(&maps);
        segment.verify_as::<Maps>("").unwrap();
        let archived = segment.root::<Maps>().unwrap();
        for n in 0..few {
            let found = graven::with::archived(&wide(n), |key| archived.map.get(key).map(|n| u32::from(*n)));
            assert_eq!(found.unwrap(), Some(n));
            let found = graven::with::archived(&page(n), |key| archived.tree.get(key).map(|n| u32::from(*n)));
            assert_eq!(found.unwrap(), Some(n));
        }
    }
    let error = graven::with::archived(&Huge { name: text(1), next: None }, |_| ()).unwrap_err();
    assert!(matches!(error.cause(), Cause::Overaligned { align: 131_072, page_size: 65536 }), "{error}");
}

#[test]
fn a_key_beyond_the_reach_of_its_pointers_is_too_large() {
    #[graven::object]
    #[derive(Clone, PartialEq, Eq, Hash)]
    #[rkyv(derive(PartialEq, Eq, Hash))]
    struct Long {
        first: Vec<u8>,
        second: Vec<u8>,
    }
    #[graven::object]
    struct Map {
        map: HashMap<Long, u32>,
    }
    if graven::format::Payload::NATIVE.offset_width != 2 {
        return println!("SKIPPED: takes keys of gigabytes");
    }
    let long = |bytes| Long { first: vec![1; bytes], second: vec![2; bytes] };
    for bytes in [16_300, 16_383, 16_384, 20_000, 40_000] {
        let too_large = bytes > 16_383 - 16;
        let key = graven::with::archived(&long(bytes), |_| ());
        assert_eq!(key.is_err(), too_large, "{bytes}");
        let map = graven::encoded_len(&Map { map: HashMap::from([(long(bytes), 1)]) });
        for error in key.err().into_iter().chain(map.err()) {
            assert!(matches!(error.cause(), Cause::TooLarge { limit: 0x7fff }), "{error}");
        }
    }
    // Each for itself: together they are larger.
    let keys = (0..9).map(|n| Long { first: vec![n; 16_000], second: vec![] });
    let error = graven::encoded_len(&Map { map: keys.map(|key| (key, 1)).collect() }).unwrap_err();
    assert!(matches!(error.cause(), Cause::TooLarge { .. }), "{error}");
}

/// All of one hash, and equal where the number is, whatever the salt.
#[graven::object]
#[derive(PartialEq, Eq, Hash)]
struct Same {
    salt: u32,
    number: u32,
}

static COMPARED: AtomicUsize = AtomicUsize::new(0);

impl Hash for ArchivedSame {
    fn hash<H: Hasher>(&self, state: &mut H) {
        0u8.hash(state);
    }
}
impl PartialEq for ArchivedSame {
    fn eq(&self, other: &Self) -> bool {
        COMPARED.fetch_add(1, Relaxed);
        self.number == other.number
    }
}
impl Eq for ArchivedSame {}

#[test]
fn keys_that_all_have_one_hash_are_compared_with_few_others_before_they_are_written() {
    #[derive(Archive, Serialize, graven::Layout)]
    struct Set {
        #[rkyv(with = graven::with::ArchivedKeys)]
        set: HashSet<Same>,
    }
    let keys = 2000;
    let set =
        |last: Same| Set { set: (1..keys).map(|n| Same { salt: n, number: n }).chain([last]).collect() };
    rkyv::to_bytes::<BoxedError>(&set(Same { salt: 0, number: 0 })).unwrap();
    let compared = COMPARED.load(Relaxed);
    assert!(compared <= 40 * keys as usize, "{compared}");
    // An equal key nearby, and one that is far behind.
    for salt in [1001, u32::MAX] {
        let near = rkyv::to_bytes::<BoxedError>(&set(Same { salt, number: 1000 })).is_err();
        assert_eq!(near, salt == 1001);
        let error = graven::encoded_len(&set(Same { salt, number: 1000 })).unwrap_err();
        match error.cause() {
            Cause::Serialize { message } => assert!(near && message.contains("equal once they are archived")),
            Cause::Keys(_) => assert!(!near),
            _ => panic!("{error}"),
        }
    }
}

/// Below every other, wherever it is archived.
#[graven::object]
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Low(u32);

impl PartialEq for ArchivedLow {
    fn eq(&self, _: &Self) -> bool {
        false
    }
}
impl Eq for ArchivedLow {}
impl PartialOrd for ArchivedLow {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for ArchivedLow {
    fn cmp(&self, _: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Less
    }
}

#[test]
fn keys_that_ascend_are_not_sorted() {
    #[derive(Archive, Serialize, graven::Layout)]
    struct Set {
        #[rkyv(with = graven::with::ArchivedKeys)]
        set: BTreeSet<Low>,
    }
    let bytes = rkyv::to_bytes::<BoxedError>(&Set { set: (0..KEYS).map(Low).collect() }).unwrap();
    let set = rkyv::access::<ArchivedSet, BoxedError>(&bytes).unwrap();
    let mut numbers = Vec::new();
    let _ = set.set.visit(|key| {
        numbers.push(key.0.to_native());
        std::ops::ControlFlow::<()>::Continue(())
    });
    assert!(numbers.into_iter().eq(0..KEYS));
}
