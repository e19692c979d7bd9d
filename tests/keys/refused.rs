//! Maps whose lookups would miss are not written, nor is what cannot be a key.

use super::*;

/// A map that no macro sees.
type Routes = HashMap<IpAddr, u32>;

#[graven::object]
struct Behind {
    name: String,
    routes: Routes,
}

/// Derived by hand, so that nothing is done about the keys.
#[derive(Archive, Serialize, Deserialize, graven::Layout)]
pub(crate) struct Table<K: Hash + Eq>
where
    K: Archive<Archived: Hash + Eq>,
{
    pub(crate) entries: HashMap<K, u32>,
}

#[derive(Archive, Serialize, Deserialize, graven::Layout)]
struct Tree {
    entries: BTreeMap<Odd, u32>,
    set: BTreeSet<Odd>,
}

/// The way to the map in the error of writing this.
#[track_caller]
pub(crate) fn refused<T>(value: &T) -> String
where
    T: Archive<Archived: Layout> + for<'a> Serialize<graven::Serializer<'a>>,
{
    let directory = directory();
    let path = directory.path().join("refused.grv");
    let error = graven::write(&path, value).unwrap_err();
    assert_eq!(error.errno(), EINVAL);
    assert!(error.to_string().contains("graven::with::ArchivedKeys"), "{error}");
    let Cause::Keys(error) = error.cause() else { panic!("{error}") };
    assert!(matches!(error.cause(), Damage::Disorder { .. }), "{error}");
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
        segment_of(&Table::<Place> { entries: HashMap::new() });
        let segment = segment_of(&table(|n| Place::Number(n.into())));
        segment.verify_as::<Table<Place>>("").unwrap();
        assert_eq!(refused(&table(|n| Place::Words { words: vec![n as u16; 3] })), "entries");
    }
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
        let segment = segment_of(&maps);
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
