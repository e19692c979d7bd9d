//! What objects look like, as data.

pub(crate) mod diff;
#[allow(unsafe_code)] // the trait `Layout` is a promise that the compiler cannot check
pub mod layout;
pub(crate) mod schema;
pub(crate) mod sound;
pub(crate) mod table;
mod written;
