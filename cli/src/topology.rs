//! The commands on topologies.
//!
//! | module | owns |
//! |---|---|
//! | [`show`] | writing, showing and exporting topologies |
//! | [`distances`] | their matrices of distances |
//! | [`draw`] | pictures of them |
//! | [`demo`] | one topology in several processes at several addresses |

pub mod demo;
pub mod distances;
pub mod draw;
pub mod show;
