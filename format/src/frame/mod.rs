//! What surrounds objects: headers, the directory, a whole segment as bytes.

pub mod directory;
pub(crate) mod header;
pub(crate) mod places;
pub(crate) mod region;
pub(crate) mod verify;
pub(crate) mod view;
