//! The commands on a store of names.
//!
//! | module | owns |
//! |---|---|
//! | `command` | the commands |
//! | `listing` | what a store has |

pub(crate) mod command;
mod listing;
