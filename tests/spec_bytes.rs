//! What SPEC.md says of bytes that rkyv writes and of hashes that it computes, in every build: where it leaves readers no
//! choice, or writers one.

use std::collections::{BTreeSet, HashSet};
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::ops::Bound;
use std::rc::{Rc, Weak};
use std::time::Duration;

use graven::{
    Archive, Layout, Serialize, Serializer, Value,
    format::{Payload, Schema, Validator},
};
use indexmap::IndexSet;
use rkyv::hash::{FxHasher64, hash_value};
use rkyv::rancor::BoxedError;

/// Bytes of an offset and of a length.
const W: usize = Payload::NATIVE.offset_width as usize;

/// An object's bytes, of which the last `size` are its root.
fn object<T>(value: &T) -> Vec<u8>
where
    T: Archive<Archived: Layout> + for<'a> Serialize<Serializer<'a>>,
{
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("one.grv");
    graven::write(&path, value).unwrap();
    let segment = graven::Segment::read(&path).unwrap();
    segment.verify().unwrap();
    let entry = segment.objects().next().unwrap().unwrap();
    entry.object.of(segment.as_bytes()).unwrap().to_vec()
}

/// The number of a word, a pointer's distance as well.
fn word(bytes: &[u8]) -> i64 {
    let mut word = [0; 8];
    word[..W].copy_from_slice(&bytes[..W]);
    if Payload::NATIVE.big_endian {
        word[..W].reverse();
    }
    let unused = 64 - 8 * W as u32;
    (i64::from_le_bytes(word) << unused) >> unused
}

/// [S6.2b]
#[test]
fn what_is_none_in_a_niche_is_written_as_one_of_its_patterns() {
    let none = object(&Niches { bool: None, single: None, double: None, zero: None });
    let number = |mut bytes: Vec<u8>| {
        if Payload::NATIVE.big_endian {
            bytes.reverse();
        }
        bytes
    };
    let patterns = [
        vec![2],
        number(f32::NAN.to_le_bytes().to_vec()),
        number(0x7ff8_0000_0000_0000u64.to_le_bytes().to_vec()),
        vec![0; 4],
    ];
    let schema = Schema::of::<ArchivedNiches>();
    let graven::layout::Shape::Struct { fields } = &schema.root().shape else { panic!("a struct") };
    for (field, pattern) in fields.iter().zip(patterns) {
        assert_eq!(none[field.offset as usize..][..pattern.len()], pattern, "{}", field.name);
    }
    assert_eq!(f32::NAN.to_bits(), 0x7fc0_0000);
}

#[derive(Archive, Serialize, Layout)]
struct Niches {
    #[rkyv(with = rkyv::with::NicheInto<rkyv::niche::niching::Bool>)]
    bool: Option<bool>,
    #[rkyv(with = rkyv::with::NicheInto<rkyv::niche::niching::NaN>)]
    single: Option<f32>,
    #[rkyv(with = rkyv::with::NicheInto<rkyv::niche::niching::NaN>)]
    double: Option<f64>,
    #[rkyv(with = rkyv::with::Niche)]
    zero: Option<std::num::NonZeroU32>,
}

/// [S6.2b]
#[test]
fn the_length_behind_a_null_pointer_is_zero() {
    let null = object(&Null { weak: Weak::<[u32; 3]>::new(), none: None });
    assert_eq!(null.len(), 4 * W);
    assert_eq!([0, 1, 2, 3].map(|i| word(&null[i * W..])), [1, 0, 1, 0]);
}

#[derive(Archive, Serialize, Layout)]
struct Null {
    weak: Weak<[u32]>,
    #[rkyv(with = rkyv::with::Niche)]
    none: Option<Box<[u32]>>,
}

/// [S6.3a] [S6.3b]
#[test]
fn texts_are_in_line_up_to_two_words_and_filled_with_ones() {
    for len in 0..=4 * W {
        let text: String = ('a'..='z').cycle().take(len).collect();
        let mut bytes = object(&text);
        let schema = Schema::of::<rkyv::string::ArchivedString>();
        let root = bytes.len() - 2 * W;
        if len > 2 * W {
            assert_eq!(bytes[root] & 0xc0, 0x80);
            assert_eq!(root as i64 + word(&bytes[root + W..]), 0);
            continue;
        }
        assert_eq!(bytes[..len], *text.as_bytes());
        assert!(bytes[len..].iter().all(|&byte| byte == 0xff));
        // Nobody looks behind the first.
        bytes.get_mut(len + 1..).unwrap_or_default().fill(0xc0);
        Validator::of_schema(&schema).unwrap().check(&bytes, 0).unwrap();
        assert_eq!(Value::root(&bytes, &schema, 0).unwrap().as_str().unwrap(), text);
    }
}

/// [S6.3g]
#[test]
fn maps_without_entries_have_null_pointers_but_for_the_entries_of_an_index_map() {
    let empty = object(&(7u8, HashSet::<u32>::new()));
    let root = empty.len() - 3 * W;
    assert_eq!([0, 1, 2].map(|i| word(&empty[root + i * W..])), [1, 0, 0]);
    let empty = object(&(7u8, BTreeSet::<u32>::new()));
    let root = empty.len() - 2 * W;
    assert_eq!([0, 1].map(|i| word(&empty[root + i * W..])), [1, 0]);

    // Behind the text that comes before.
    let empty = object(&("a text that is out of line".to_string(), IndexSet::<u32>::new()));
    let root = empty.len() - 4 * W;
    assert_eq!([0, 1, 2].map(|i| word(&empty[root + i * W..])), [1, 0, 0]);
    let target = (root + 3 * W) as i64 + word(&empty[root + 3 * W..]);
    assert!((26..=root as i64 - 2 * W as i64).contains(&target), "{target}");
}

/// [S6.3k]
#[test]
fn shared_targets_of_no_bytes_lie_apart() {
    let (one, other) = (Rc::new(()), Rc::new(()));
    let bytes = object(&[one.clone(), other, one]);
    let root = bytes.len() - 3 * W;
    let targets = [0, 1, 2].map(|i| (root + i * W) as i64 + word(&bytes[root + i * W..]));
    assert_eq!(targets, [0, 1, 0]);
    assert!(bytes[..root].iter().all(|&byte| byte == 0));
}

/// The hash as SPEC has it.
#[derive(Clone, Copy)]
struct Fx(u64);

impl Fx {
    fn word(self, word: u64) -> Fx {
        Fx((self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95))
    }

    fn words(self, words: &[u64]) -> Fx {
        words.iter().fold(self, |hash, &word| hash.word(word))
    }

    fn bytes(self, mut bytes: &[u8]) -> Fx {
        let mut hash = self;
        for size in [8, 4, 2, 1] {
            while bytes.len() >= size && (size == 8 || bytes.len() & size != 0) {
                let word = bytes[..size].iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
                (hash, bytes) = (hash.word(word), &bytes[size..]);
            }
        }
        hash
    }

    fn text(self, text: &str) -> Fx {
        self.bytes(text.as_bytes()).word(0xff)
    }
}

/// [S6.3e]
#[test]
fn keys_are_hashed_in_their_archived_form() {
    #[track_caller]
    fn hashed<T>(value: T, expected: Fx)
    where
        T: Archive<Archived: Hash>
            + for<'a> Serialize<
                rkyv::api::high::HighSerializer<
                    rkyv::util::AlignedVec,
                    rkyv::ser::allocator::ArenaHandle<'a>,
                    BoxedError,
                >,
            >,
    {
        let bytes = rkyv::to_bytes::<BoxedError>(&value).unwrap();
        // SAFETY: just written.
        let archived = unsafe { rkyv::access_unchecked::<T::Archived>(&bytes) };
        assert_eq!(hash_value::<_, FxHasher64>(archived), expected.0);
    }
    let fx = Fx(0);
    hashed((), fx);
    hashed(7u8, fx.word(7));
    hashed(-1i8, fx.word(0xff));
    hashed(-1i32, fx.word(0xffff_ffff));
    hashed(0x0102_0304_0506_0708u64, fx.word(0x0102_0304_0506_0708));
    hashed(1u128 << 64 | 2, fx.words(&[2, 1]));
    hashed(-1i128, fx.words(&[u64::MAX, u64::MAX]));
    hashed(true, fx.word(1));
    hashed('ß', fx.word(0xdf));
    for len in 0..40 {
        let text: String = ('a'..='z').cycle().take(len).collect();
        hashed(text.clone(), fx.text(&text));
        hashed(Rc::<str>::from(&*text), fx.text(&text));
        let bytes = text.as_bytes();
        hashed(bytes.to_vec(), fx.word(len as u64).bytes(bytes));
        hashed(Box::<[u8]>::from(bytes), fx.word(len as u64).bytes(bytes));
    }
    hashed([1u8, 2, 3], fx.word(3).bytes(&[1, 2, 3]));
    hashed([-1i8, 2], fx.word(2).bytes(&[0xff, 2]));
    hashed([true, false], fx.words(&[2, 1, 0]));
    hashed([1u32, 2], fx.words(&[2, 1, 2]));
    hashed(vec![1u64, 2], fx.words(&[2, 1, 2]));
    hashed(["a".to_string(), "b".to_string()], fx.word(2).text("a").text("b"));
    hashed([std::num::NonZeroU8::MAX; 2], fx.words(&[2, 255, 255]));
    hashed((1u32, -1i16, "ab".to_string()), fx.words(&[1, 0xffff]).text("ab"));
    hashed(Some(5u32), fx.words(&[1, 5]));
    hashed(None::<u32>, fx.word(0));
    hashed(Err::<u8, u16>(6), fx.words(&[1, 6]));
    hashed(Bound::Excluded(6u16), fx.words(&[1, 6]));
    hashed(Bound::<u16>::Unbounded, fx.word(2));
    hashed(Duration::new(5, 6), fx.words(&[5, 6]));
    let octets = |fx: Fx| fx.word(4).bytes(&[127, 0, 0, 1]);
    hashed(Ipv4Addr::LOCALHOST, octets(fx));
    hashed(IpAddr::V4(Ipv4Addr::LOCALHOST), octets(fx.word(0)));
    let octets = |fx: Fx| fx.word(16).bytes(&Ipv6Addr::LOCALHOST.octets());
    hashed(Ipv6Addr::LOCALHOST, octets(fx));
    hashed(IpAddr::V6(Ipv6Addr::LOCALHOST), octets(fx.word(1)));
    let address = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 80, 7, 8);
    hashed(address, octets(fx).words(&[80, 7, 8]));
    hashed(SocketAddr::V6(address), octets(fx.word(1)).words(&[80, 7, 8]));
    hashed(Box::new(9u32), fx.word(9));
    hashed(Rc::new(9u32), fx.word(9));
}
