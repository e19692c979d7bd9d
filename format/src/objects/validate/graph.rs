//! What programs are compiled from, and what the machine asks besides the program.

use alloc::vec::Vec;

use crate::Payload;
use crate::types::layout::{Invariant, Lookup, Type};

/// The types that a program is compiled from.
#[derive(Debug)]
pub(super) struct Graph {
    pub(super) payload: Payload,
    /// INVARIANT: sound, as [`check_sound`](crate::Schema::check_sound) has it.
    pub(super) types: Vec<Type<u32>>,
    /// The types, those inside others first.
    pub(super) order: Vec<u32>,
    /// The program's own checks, by type. INVARIANT: of the Rust type that the type was made from.
    pub(super) invariants: Vec<Option<Invariant>>,
    /// How lookups find keys, by type of map. INVARIANT: of the Rust type that the type was made from.
    pub(super) lookups: Vec<Option<Lookup>>,
    /// The identity under which pointers share a target, by type.
    pub(super) shared: Vec<u32>,
}
