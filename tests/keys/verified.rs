//! Checking keys as a type, and by schema.

use super::refused::Table;
use super::*;

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
        |map, tree| segment_of::<Both<Name>>(&(1, vec![(HashMap::new(), BTreeMap::new()), (map, tree)]));
    let error = |segment: &Segment| {
        segment.verify().unwrap();
        assert!(segment.get::<Both<Backwards>>("").is_ok(), "it is safe to read");
        let error = segment.verify_as::<Both<Backwards>>("").unwrap_err();
        assert_eq!(error.errno(), EINVAL);
        let Cause::Contents(error) = error.cause() else { panic!("{error}") };
        let Damage::Disorder { what } = error.cause() else { panic!("{error}") };
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
    let segment = segment_of(&Own { entries: (0..KEYS).map(|n| (backwards(n), n)).collect() });
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
