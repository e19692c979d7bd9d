//! Runs of elements: vectors, strings, slices, arrays.
//!
//! [`ArchivedVec`] is the archived form of `Vec`, `VecDeque`, `SmallVec`, `ArrayVec`, `TinyVec`, `ThinVec`, `Bytes`
//! and rkyv's `AlignedVec`; [`ArchivedString`] that of `String` and `SmolStr`.
//!
//! Source: SPEC 5.3 (vectors), 5.4 (strings); rkyv `vec.rs`, `string/repr.rs`, `ffi.rs`.

use core::ffi::CStr;

use rkyv::{
    RelPtr, ffi::ArchivedCString, primitive::ArchivedUsize, string::ArchivedString, vec::ArchivedVec,
};

use super::{Shape, TypeRef, refine::layout};

/// Bytes of a relative offset and of a length.
const WIDTH: usize = size_of::<ArchivedUsize>();

/// `ArchivedVec` as rkyv declares it: a relative pointer to the first element, and the length.
#[repr(C)]
struct VecMirror<T>(RelPtr<T>, ArchivedUsize);

layout!([T: super::Layout] ArchivedVec<T> => "Vec", {
    assert!(size_of::<ArchivedVec<T>>() == size_of::<VecMirror<T>>(), "rkyv changed its vector");
    assert!(size_of::<ArchivedVec<T>>() == 2 * WIDTH, "rkyv changed its vector");
    assert!(core::mem::offset_of!(VecMirror<T>, 1) == WIDTH, "rkyv changed its vector");
    Shape::Vec { element: TypeRef::of::<T>() }
}, [T]);

layout!([] ArchivedString => "String", {
    assert!(size_of::<ArchivedString>() == 2 * WIDTH, "rkyv changed its string");
    Shape::String
}, []);

layout!([] ArchivedCString => "CString", {
    assert!(size_of::<ArchivedCString>() == size_of::<RelPtr<CStr>>(), "rkyv changed its C string");
    Shape::Box { pointee: TypeRef::of::<CStr>() }
}, [CStr]);

layout!([T: super::Layout, const N: usize] [T; N] => "array", Shape::Array {
    element: TypeRef::of::<T>(),
    len: N as u64,
}, [T]);

layout!([T: super::Layout] [T] => "slice", 0, align_of::<T>(), Shape::Slice {
    element: TypeRef::of::<T>(),
}, [T]);
layout!([] str => "str", 0, 1, Shape::Str, []);
layout!([] CStr => "CStr", 0, 1, Shape::CStr, []);
