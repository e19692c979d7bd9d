//! What asking keys costs.

use super::refused::refused;
use super::*;

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
        segment_of(&(0..KEYS).map(|n| (n, n)).collect::<HashMap<_, _>>());
    }
    assert_eq!(refused(&table(1000)), "");
    for _ in 0..15 {
        segment_of(&table(0));
    }
    assert_eq!(refused(&table(1000)), "");
    for few in [0, 1].repeat(20) {
        segment_of(&(0..few).map(|n| (Thousand(n), n)).collect::<HashMap<_, _>>());
    }
    assert_eq!(refused(&table(1000)), "", "empty maps say nothing");
    segment_of(&table(0));
    let segment = Segment::from_bytes(bytes_of(&table(1000))).unwrap();
    assert!(segment.verify().unwrap_err().to_string().contains("map is out of order"));
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
