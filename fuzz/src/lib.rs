//! What the fuzz targets share. Each target is a function of a module of [`targets`], and says there what it checks.
//!
//! | module | owns |
//! |---|---|
//! | [`cases`] | the types that are fuzzed, each with valid objects |
//! | [`types`] | their declarations |
//! | [`walk`] | reading all of an archived value through its Rust type |
//! | [`values`] | reading all of a value by schema |
//! | [`dice`] | which inputs get the dear checks |
//! | [`exact`] | an object beside a page that must not be touched |
//! | [`ours`] | graven's validator, as the targets call it |
//! | [`segments`] | segments as fuzz data, without their zeros |
//! | [`entries`] | segments whose directory says what the data likes |

pub mod cases;
pub mod dice;
#[path = "../../tests/support/entries.rs"]
mod entries;
pub mod exact;
pub mod ours;
pub mod segments;
pub mod targets;
pub mod types;
pub mod values;
pub mod walk;
