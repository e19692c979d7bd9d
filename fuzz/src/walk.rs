//! Reading all of an archived value through its Rust type, as a program may that has adopted it.

use std::hash::{BuildHasher, Hash, Hasher};
use std::hint::black_box;
use std::ops::ControlFlow;

use graven::rkyv::boxed::ArchivedBox;
use graven::rkyv::collections::btree_map::ArchivedBTreeMap;
use graven::rkyv::collections::btree_set::ArchivedBTreeSet;
use graven::rkyv::collections::swiss_table::{
    ArchivedHashMap, ArchivedHashSet, ArchivedIndexMap, ArchivedIndexSet,
};
use graven::rkyv::ffi::ArchivedCString;
use graven::rkyv::net::{ArchivedIpAddr, ArchivedSocketAddr};
use graven::rkyv::niche::niched_option::NichedOption;
use graven::rkyv::niche::niching::Niching;
use graven::rkyv::niche::option_box::ArchivedOptionBox;
use graven::rkyv::niche::option_nonzero::ArchivedOptionNonZeroU32;
use graven::rkyv::ops::{ArchivedBound, ArchivedRange};
use graven::rkyv::option::ArchivedOption;
use graven::rkyv::primitive::{
    ArchivedChar, ArchivedF32, ArchivedF64, ArchivedI16, ArchivedI32, ArchivedI64, ArchivedI128,
    ArchivedNonZeroU32, ArchivedU16, ArchivedU32, ArchivedU64, ArchivedU128,
};
use graven::rkyv::rc::{ArchivedRc, ArchivedRcWeak, Flavor};
use graven::rkyv::result::ArchivedResult;
use graven::rkyv::string::ArchivedString;
use graven::rkyv::time::ArchivedDuration;
use graven::rkyv::traits::ArchivePointee;
use graven::rkyv::vec::ArchivedVec;

/// Values that a walk still visits: shared ones may be reached in very many ways.
pub struct Budget(pub u32);

impl Budget {
    fn spend(&mut self) -> bool {
        self.0 = self.0.saturating_sub(1);
        self.0 > 0
    }
}

/// Reads every byte that the value says it has, and looks up every key it has.
pub trait Walk {
    fn walk(&self, budget: &mut Budget);
}

macro_rules! numbers {
    ($($ty:ty)*) => {$(
        impl Walk for $ty {
            fn walk(&self, _: &mut Budget) {
                black_box(*self);
            }
        }
    )*};
}
numbers! {
    u8 i8 ArchivedU16 ArchivedI16 ArchivedU32
    ArchivedI32 ArchivedU64 ArchivedI64 ArchivedU128
    ArchivedI128 ArchivedF32 ArchivedF64
}

impl Walk for () {
    fn walk(&self, _: &mut Budget) {}
}

impl Walk for bool {
    fn walk(&self, _: &mut Budget) {
        // SAFETY: a bool is a byte.
        let byte = unsafe { std::ptr::from_ref(self).cast::<u8>().read_volatile() };
        assert!(byte < 2, "a bool of {byte}");
    }
}

impl Walk for ArchivedChar {
    fn walk(&self, _: &mut Budget) {
        let number = u32::from(self.to_native());
        assert!(char::from_u32(black_box(number)).is_some(), "a char of {number:#x}");
    }
}

impl Walk for ArchivedNonZeroU32 {
    fn walk(&self, _: &mut Budget) {
        assert!(black_box(self.get()) != 0);
    }
}

impl Walk for ArchivedDuration {
    fn walk(&self, _: &mut Budget) {
        assert!(black_box(self.subsec_nanos()) < 1_000_000_000);
    }
}

impl Walk for ArchivedIpAddr {
    fn walk(&self, _: &mut Budget) {
        black_box(self.as_ipaddr());
    }
}

impl Walk for ArchivedSocketAddr {
    fn walk(&self, _: &mut Budget) {
        black_box(self.as_socket_addr());
    }
}

impl Walk for str {
    fn walk(&self, _: &mut Budget) {
        assert!(std::str::from_utf8(black_box(self.as_bytes())).is_ok(), "a string that is not UTF-8");
    }
}

impl Walk for ArchivedString {
    fn walk(&self, budget: &mut Budget) {
        self.as_str().walk(budget);
    }
}

impl Walk for ArchivedCString {
    fn walk(&self, _: &mut Budget) {
        let bytes = self.as_bytes_with_nul();
        assert!(bytes.iter().position(|byte| *byte == 0) == Some(bytes.len() - 1), "a C string with zeros");
    }
}

impl<T: Walk> Walk for [T] {
    fn walk(&self, budget: &mut Budget) {
        for element in self {
            if !budget.spend() {
                return;
            }
            element.walk(budget);
        }
    }
}

impl<T: Walk, const N: usize> Walk for [T; N] {
    fn walk(&self, budget: &mut Budget) {
        self.as_slice().walk(budget);
    }
}

impl<T: Walk> Walk for ArchivedVec<T> {
    fn walk(&self, budget: &mut Budget) {
        self.as_slice().walk(budget);
    }
}

macro_rules! pointers {
    ($($ty:ident $(<$flavor:ident>)?),*) => {$(
        impl<T: ArchivePointee + Walk + ?Sized $(, $flavor: Flavor)?> Walk for $ty<T $(, $flavor)?> {
            fn walk(&self, budget: &mut Budget) {
                if budget.spend() {
                    self.get().walk(budget);
                }
            }
        }
    )*};
}
pointers!(ArchivedBox, ArchivedRc<F>);

impl<T: ArchivePointee + Walk + ?Sized, F: Flavor> Walk for ArchivedRcWeak<T, F> {
    fn walk(&self, budget: &mut Budget) {
        if let Some(shared) = self.upgrade() {
            shared.walk(budget);
        }
    }
}

impl<T: Walk> Walk for ArchivedOption<T> {
    fn walk(&self, budget: &mut Budget) {
        if let ArchivedOption::Some(inside) = self {
            inside.walk(budget);
        }
    }
}

impl<T: ArchivePointee + Walk + ?Sized> Walk for ArchivedOptionBox<T> {
    fn walk(&self, budget: &mut Budget) {
        if let Some(inside) = self.as_ref() {
            inside.walk(budget);
        }
    }
}

impl Walk for ArchivedOptionNonZeroU32 {
    fn walk(&self, _: &mut Budget) {
        black_box(self.as_ref().map(|number| number.get()));
    }
}

impl<T: Walk, N: Niching<T> + ?Sized> Walk for NichedOption<T, N> {
    fn walk(&self, budget: &mut Budget) {
        if let Some(inside) = self.as_ref() {
            inside.walk(budget);
        }
    }
}

impl<T: Walk, E: Walk> Walk for ArchivedResult<T, E> {
    fn walk(&self, budget: &mut Budget) {
        match self {
            ArchivedResult::Ok(inside) => inside.walk(budget),
            ArchivedResult::Err(inside) => inside.walk(budget),
        }
    }
}

impl<T: Walk> Walk for ArchivedBound<T> {
    fn walk(&self, budget: &mut Budget) {
        match self {
            ArchivedBound::Included(inside) | ArchivedBound::Excluded(inside) => inside.walk(budget),
            ArchivedBound::Unbounded => {}
        }
    }
}

impl<T: Walk> Walk for ArchivedRange<T> {
    fn walk(&self, budget: &mut Budget) {
        self.start.walk(budget);
        self.end.walk(budget);
    }
}

impl<K: Walk + Hash + Eq, V: Walk, H: Default + Hasher> Walk for ArchivedHashMap<K, V, H> {
    fn walk(&self, budget: &mut Budget) {
        for (key, value) in self.iter() {
            if !budget.spend() {
                return;
            }
            key.walk(budget);
            value.walk(budget);
            black_box(self.get(key).is_some());
        }
    }
}

impl<K: Walk + Hash + Eq, H: Default + Hasher> Walk for ArchivedHashSet<K, H> {
    fn walk(&self, budget: &mut Budget) {
        for key in self.iter() {
            if !budget.spend() {
                return;
            }
            key.walk(budget);
            black_box(self.get(key).is_some());
        }
    }
}

impl<K: Walk + Hash + Eq, V: Walk, H: Default + Hasher> Walk for ArchivedIndexMap<K, V, H> {
    fn walk(&self, budget: &mut Budget) {
        for (key, value) in self.iter() {
            if !budget.spend() {
                return;
            }
            key.walk(budget);
            value.walk(budget);
            black_box(self.get(key).is_some());
        }
    }
}

impl<K: Walk + Hash + Eq, H: Default + Hasher> Walk for ArchivedIndexSet<K, H> {
    fn walk(&self, budget: &mut Budget) {
        for key in self.iter() {
            if !budget.spend() {
                return;
            }
            key.walk(budget);
            black_box(self.get(key).is_some());
        }
    }
}

impl<K: Walk + Ord, V: Walk, const E: usize> Walk for ArchivedBTreeMap<K, V, E> {
    fn walk(&self, budget: &mut Budget) {
        for (key, value) in self.iter() {
            if !budget.spend() {
                return;
            }
            key.walk(budget);
            value.walk(budget);
            // The wrong entry, or none, where keys are out of order.
            black_box(self.get(key).is_some());
        }
        // Recurses, where iterating does not.
        let mut count = 0;
        let all = self.visit(|_, _| {
            count += 1;
            ControlFlow::<()>::Continue(())
        });
        assert!(all.is_none() && count == self.len(), "visited {count} of {}", self.len());
    }
}

impl<K: Walk + Ord, const E: usize> Walk for ArchivedBTreeSet<K, E> {
    fn walk(&self, budget: &mut Budget) {
        for key in self.iter() {
            if !budget.spend() {
                return;
            }
            key.walk(budget);
            black_box(self.contains_key(key));
        }
    }
}

macro_rules! tuples {
    ($($name:ident: $($ty:ident $index:tt),*;)*) => {$(
        impl<$($ty: Walk),*> Walk for graven::rkyv::tuple::$name<$($ty),*> {
            fn walk(&self, budget: &mut Budget) {
                $(self.$index.walk(budget);)*
            }
        }
    )*};
}
tuples! {
    ArchivedTuple1: A 0;
    ArchivedTuple2: A 0, B 1;
    ArchivedTuple3: A 0, B 1, C 2;
}

/// A hasher that gives the same order in every run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fixed;

impl BuildHasher for Fixed {
    type Hasher = std::hash::DefaultHasher;

    fn build_hasher(&self) -> Self::Hasher {
        std::hash::DefaultHasher::new()
    }
}
