//! Several threads find what one finds.

use std::collections::HashMap;
use std::num::NonZeroUsize;

use crate::support::{bytes_of, range, reseal_objects};
use graven::{Cause, Segment, error::Damage};

#[graven::object]
struct Node {
    name: String,
    flag: bool,
    below: Vec<Node>,
}

fn tree(levels: u32) -> Node {
    Node {
        name: format!("a node of height {levels}, with a name"),
        flag: true,
        below: (0..4).filter(|_| levels > 0).map(|_| tree(levels - 1)).collect(),
    }
}

#[test]
fn an_object_is_accepted_or_refused_by_any_number_of_threads() {
    let whole = bytes_of(&tree(7));
    let header = *Segment::from_bytes(&whole).unwrap().header();
    let object = range(Segment::from_bytes(&whole).unwrap().objects().next().unwrap().unwrap().object);
    assert!(object.len() > 1 << 20, "{}: worth several threads", object.len());
    let texts: Vec<usize> = object.clone().filter(|at| whole[*at..].starts_with(b"a node of")).collect();
    for threads in [1, 2, 3, 8, 64] {
        let threads = NonZeroUsize::new(threads).unwrap();
        let segment = Segment::from_bytes(&whole).unwrap().with_threads(threads);
        assert_eq!(segment.root::<Node>().unwrap().below.len(), 4);
        segment.verify().unwrap();
        for text in [texts[0], texts[texts.len() / 2], texts[texts.len() - 1]] {
            let mut bytes = whole.clone();
            bytes[text + 3] = 0xff;
            reseal_objects(&mut bytes, &header);
            let segment = Segment::from_bytes(&bytes).unwrap().with_threads(threads);
            let error = segment.root::<Node>().map(drop).unwrap_err();
            let Cause::Contents(refused) = error.cause() else { panic!("{error}") };
            assert_eq!(*refused.cause(), Damage::NotUtf8 { valid: 3 });
            assert!(segment.verify().is_err());
        }
    }
}

#[test]
fn maps_that_rkyv_writes_are_found_in_order() {
    for count in [0, 1, 2, 7, 15, 16, 17, 100, 3000] {
        let map: HashMap<String, u32> =
            (0..count).map(|n| (format!("{n:0>width$}", width = n as usize % 40), n)).collect();
        Segment::from_bytes(bytes_of(&map)).unwrap().verify().unwrap();
        let map: indexmap::IndexMap<u64, bool> = (0..count).map(|n| (u64::from(n) << 20, true)).collect();
        Segment::from_bytes(bytes_of(&map)).unwrap().verify().unwrap();
    }
}
