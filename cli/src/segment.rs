//! The commands on segments in files.
//!
//! | module | owns |
//! |---|---|
//! | [`inspect`] | what a segment says about itself: header, objects, sizes |
//! | [`schema`] | the layouts of its objects, as text or JSON |
//! | [`verify`] | checking every byte of it |
//! | [`dump`] | what is in its objects |
//! | [`diff`] | what differs between two segments |
//! | [`draw`] | a picture of a segment |
//! | [`export`] | handing a segment over at a socket |
//! | [`import`] | what is handed over at a socket |

pub mod diff;
pub mod draw;
pub mod dump;
pub mod export;
pub mod import;
pub mod inspect;
pub mod schema;
pub mod verify;
