//! Sets against a model: a `BTreeSet` of the indexes below a bound, and whether all above it are in.

use std::collections::BTreeSet;

use graven_topology::error::ParseSetError;
use graven_topology::{Bits, END, Set};
use proptest::prelude::*;

const BOUND: u32 = 200;

/// Members below BOUND, and whether everything from BOUND on is a member.
#[derive(Debug, Clone, PartialEq)]
struct Model {
    members: BTreeSet<u32>,
    infinite: bool,
}

impl Model {
    fn set(&self) -> Set {
        let mut set: Set = self.members.iter().copied().collect();
        if self.infinite {
            set.insert_range(BOUND..END);
        }
        set
    }

    fn of(set: &Set) -> Self {
        let members = (0..BOUND).filter(|&index| set.contains(index)).collect();
        let infinite = set.contains(BOUND);
        assert_eq!(infinite, set.contains(END - 1));
        Self { members, infinite }
    }

    fn zip(&self, other: &Self, keep: fn(bool, bool) -> bool) -> Self {
        let both = |index: &u32| keep(self.members.contains(index), other.members.contains(index));
        Self { members: (0..BOUND).filter(both).collect(), infinite: keep(self.infinite, other.infinite) }
    }
}

prop_compose! {
    fn model()(
        members in prop_oneof![
            proptest::collection::btree_set(0..BOUND, 0..60),
            (0..BOUND, 0..BOUND).prop_map(|(a, b)| (a..b).collect()),
            (0..40u32).prop_map(|step| (0..BOUND).step_by(step as usize + 1).collect()),
        ],
        infinite in any::<bool>(),
    ) -> Model {
        Model { members, infinite }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn operations_agree_with_the_model(a in model(), b in model()) {
        let (x, y) = (a.set(), b.set());
        prop_assert_eq!(Model::of(&x.and(&y)), a.zip(&b, |a, b| a && b));
        prop_assert_eq!(Model::of(&x.or(&y)), a.zip(&b, |a, b| a || b));
        prop_assert_eq!(Model::of(&x.and_not(&y)), a.zip(&b, |a, b| a && !b));
        prop_assert_eq!(Model::of(&x.xor(&y)), a.zip(&b, |a, b| a != b));
        prop_assert_eq!(Model::of(&x.complement()), a.zip(&b, |a, _| !a));
        prop_assert_eq!(x.complement().complement(), x);
    }

    #[test]
    fn tests_agree_with_the_model(a in model(), b in model()) {
        let (x, y) = (a.set(), b.set());
        let nothing = Model { members: BTreeSet::new(), infinite: false };
        prop_assert_eq!(x.is_included_in(&y), a.zip(&b, |a, b| a && !b) == nothing);
        prop_assert_eq!(x.intersects(&y), a.zip(&b, |a, b| a && b) != nothing);
        prop_assert_eq!(x.equals(&y), a == b);
        prop_assert_eq!(x == y, a == b);
        prop_assert_eq!(x.is_empty(), a == nothing);
        prop_assert_eq!(x.is_infinite(), a.infinite);
        prop_assert_eq!(x.weight(), (!a.infinite).then_some(a.members.len() as u64));
        prop_assert_eq!(x.first(), a.members.first().copied().or(a.infinite.then_some(BOUND)));
        prop_assert_eq!(x.last(), a.members.last().copied().filter(|_| !a.infinite));
        prop_assert_eq!(x.iter().take_while(|&index| index < BOUND).collect::<BTreeSet<_>>(), a.members);
    }

    #[test]
    fn insert_and_remove_agree_with_the_model(a in model(), index in 0..BOUND) {
        let (mut set, mut members) = (a.set(), a.members.clone());
        prop_assert_eq!(set.insert(index), members.insert(index));
        prop_assert_eq!(Model::of(&set), Model { members: members.clone(), infinite: a.infinite });
        prop_assert_eq!(set.remove(index), members.remove(&index));
        prop_assert_eq!(Model::of(&set), Model { members, infinite: a.infinite });
    }

    #[test]
    fn both_text_forms_come_back_as_the_same_set(a in model()) {
        let set = a.set();
        prop_assert_eq!(Set::from_list(&set.list().to_string()).unwrap(), set.clone());
        let mask = set.mask().to_string();
        prop_assert_eq!(Set::from_mask(&mask).unwrap(), set.clone());
        prop_assert_eq!(mask.parse::<Set>().unwrap(), set);
    }

    #[test]
    fn any_text_is_parsed_or_refused(text in "[0-9a-fx.,+ -]{0,24}") {
        let _ = (Set::from_list(&text), Set::from_mask(&text), text.parse::<Set>());
    }
}

#[test]
fn the_text_forms_are_those_of_hwloc() {
    for (list, mask) in [
        ("", "0x0"),
        ("0", "0x00000001"),
        ("0-3,8", "0x0000010f"),
        ("31", "0x80000000"),
        ("32", "0x00000001,0x0"),
        ("0,64", "0x00000001,,0x00000001"),
        ("0-63", "0xffffffff,0xffffffff"),
        ("0-", "0xf...f"),
        ("64-", "0xf...f,,0x0"),
        ("1-", "0xf...f,0xffffffff,0xfffffffe"),
        ("32-", "0xf...f,0xffffffff,0x0"),
        ("3,70-", "0xf...f,0xffffffff,0xffffffc0,,0x00000008"),
    ] {
        let set = Set::from_list(list).unwrap();
        assert_eq!(set.to_string(), list);
        assert_eq!(set.mask().to_string(), mask, "{list}");
        assert_eq!(Set::from_mask(mask).unwrap(), set, "{mask}");
    }
}

#[test]
fn the_kernels_masks_are_read_too() {
    assert_eq!(Set::from_mask("00000000,00000003\n").unwrap().to_string(), "0-1");
    assert_eq!(Set::from_mask("ff").unwrap().to_string(), "0-7");
}

#[test]
fn what_is_no_list_is_refused_with_the_part_at_fault() {
    let number = |part: &str| Err(ParseSetError::Number { part: part.into() });
    assert_eq!(Set::from_list("0,x"), number("x"));
    assert_eq!(Set::from_list("-3"), number("-3"));
    assert_eq!(Set::from_list("1-2-3"), number("1-2-3"));
    assert_eq!(Set::from_list("4294967295"), number("4294967295"));
    assert_eq!(Set::from_list("0,9-3"), Err(ParseSetError::Reversed { part: "9-3".into() }));
}

#[test]
fn what_is_no_mask_is_refused_with_the_part_at_fault() {
    let number = |part: &str| Err(ParseSetError::Number { part: part.into() });
    assert_eq!(Set::from_mask("0x1,0xg"), number("0xg"));
    assert_eq!(Set::from_mask("0x1,0x"), number("0x"));
    assert_eq!(Set::from_mask("0x100000000"), number("0x100000000"));
    assert_eq!(Set::from_mask("0xf...f0"), number("0xf...f0"));
    assert_eq!(Set::from_mask("+1"), number("+1"));
}

#[test]
fn a_mask_of_too_many_words_is_refused() {
    let limit = 1 << 20;
    assert_eq!(Set::from_mask(&format!("1{}", ",".repeat(limit - 1))).unwrap().first(), Some((1 << 25) - 32));
    let words = limit as u64 + 1;
    assert_eq!(Set::from_mask(&",".repeat(limit)), Err(ParseSetError::TooLong { words, limit: 1 << 20 }));
}

#[test]
fn the_end_is_no_index() {
    let mut set = Set::new();
    assert!(!set.insert(END));
    assert!(set.is_empty());
    assert!(!Set::full().contains(END));
}
