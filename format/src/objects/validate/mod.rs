//! Checking an object's bytes against its layout: whether following them is safe.
//!
//! rkyv checks by running code of each Rust type, which recurses. Here a layout is compiled into a program of
//! operations, and a machine with a stack of its own runs it over the bytes:
//!
//! ```text
//! a claim:   a pointer in a value leads to [p, p + size); that must lie in the window [low, high) of bytes that
//!            end before the value and that no earlier pointer has claimed
//! a step in: the target's own pointers get the window [low, p)
//! back out:  low = p + size, high as before
//! ```
//! So each byte is claimed once at most, nothing leads forward or in a circle, and the work is linear in the bytes that
//! can be wrong. It is rkyv's rule, in rkyv's order; what rkyv accepts and would panic, hang or read out of bounds in
//! use is refused as well (`SPEC` 8, step 20).
//!
//! A step in is independent of everything but its window, which the value that holds the pointer fixes alone. That is
//! what lets [`Validator::split`] give parts of an object to several threads.
//!
//! # Arithmetic
//! Nothing that the object says is added or multiplied before it is bounded; sums are not checked one by one, which would
//! cost more than all the rest (so not under `clippy::arithmetic_side_effects`, as what reads the frame and the schema is):
//! - A position is in the window it was claimed in, and that in the object, which is a slice: below 2^63. A pointer is added
//!   to its place by `wrapping_add`, and is no position before it has been found in the window.
//! - Sizes, offsets and counts of fields, entries and nodes are the schema's; `check_sound` has found every sum and product
//!   of them below 2^63, with checked arithmetic. So is an offset in a type added to a position of a value that is inside.
//! - A count that the object says is compared with the window divided by the size of what is counted, or multiplied by
//!   it checked or saturating, before any other multiplication.
//!
//! The fuzz targets `differential` and `schema` run all of it with overflow checks.
//!
//! Source: SPEC 6.3 ("Who may point where"), SPEC 8; rkyv `validation/`.

mod column;
mod compile;
mod error;
mod graph;
mod program;
mod run;
mod validator;
mod words;

pub use error::ObjectError;
pub use validator::{ObjectPart, Validator};
