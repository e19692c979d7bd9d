//! The machine that runs a program over an object: one loop, one stack.
//!
//! What a read may rely on: a value that is being checked lies in the object with all its bytes, because the root does
//! ([`Validator::check`](super::Validator::check)) and because each target was claimed before it was stepped into; an
//! operation's `at` and what it reads lie in the value, because the graph is sound.
#![allow(unsafe_code)] // unchecked reads, each of bytes that were claimed

mod columns;
mod fault;
mod machine;
mod maps;
mod state;
mod text;

pub(super) use self::fault::Fault;
pub(super) use self::state::{Machine, Maps, Task};
