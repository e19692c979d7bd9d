//! From a description of the tree to the tables: ordering, levels, numbering, sets, interning.
//!
//! The description is flat: each object is added below one that is already there, so a description cannot have
//! a cycle, and no step here recurses, whatever a hostile file describes.
//!
//! What is computed, in hwloc's order of things: cpusets from the processing units up; nodesets from the memory
//! children, inherited downward and merged upward; children sorted by their first processor (memory: by their
//! first node); levels; logical indexes; symmetric_subtree; total_memory; depths of groups.

mod assemble;
mod description;
mod fact_tables;
mod facts;
mod kinds;
mod merge;
mod node;
mod pools;
mod sets;
mod shape;

pub use description::Builder;
pub use facts::Location;
pub use node::{Attributes, Node, NodeId};
