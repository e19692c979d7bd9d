//! How a topology is restricted, and why it is not.

use crate::model::debug::debug_as_display;
use crate::model::error::{BuildError, CheckError};
use crate::model::set::{CpuSet, NodeSet, Set};
use crate::model::types::Type;

/// hwloc's error for all that it refuses here.
pub(super) const EINVAL: i32 = 22;

/// How a topology is restricted: hwloc's `HWLOC_RESTRICT_FLAG_*`.
///
/// From the start: to processors; NUMA nodes stay, even without processors; what is attached to an object goes
/// with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RestrictOptions {
    pub(super) by_nodeset: bool,
    pub(super) remove_cpuless: bool,
    pub(super) remove_memless: bool,
    pub(super) adapt_io: bool,
    pub(super) adapt_misc: bool,
}

impl RestrictOptions {
    /// No flag.
    pub const fn new() -> Self {
        Self {
            by_nodeset: false,
            remove_cpuless: false,
            remove_memless: false,
            adapt_io: false,
            adapt_misc: false,
        }
    }

    /// The set is one of NUMA nodes; processors stay, even without any (hwloc: `BYNODESET`).
    pub const fn by_nodeset(mut self) -> Self {
        self.by_nodeset = true;
        self
    }

    /// NUMA nodes without processors go, also those that had none before (`REMOVE_CPULESS`).
    pub const fn remove_cpuless(mut self) -> Self {
        self.remove_cpuless = true;
        self
    }

    /// By nodeset: processors without NUMA nodes go, also those that had none before (`REMOVE_MEMLESS`).
    pub const fn remove_memless(mut self) -> Self {
        self.remove_memless = true;
        self
    }

    /// I/O objects go up to the nearest object that stays, instead of away (`ADAPT_IO`).
    pub const fn adapt_io(mut self) -> Self {
        self.adapt_io = true;
        self
    }

    /// Misc objects go up to the nearest object that stays, instead of away (`ADAPT_MISC`).
    pub const fn adapt_misc(mut self) -> Self {
        self.adapt_misc = true;
        self
    }

    /// Whose set is given, and whose objects may go because of it.
    pub(super) const fn types(self) -> (Type, Type) {
        if self.by_nodeset { (Type::NumaNode, Type::Pu) } else { (Type::Pu, Type::NumaNode) }
    }

    /// What these options exclude.
    const fn excluded(self) -> &'static str {
        match self.by_nodeset {
            true => "nodes without processors are removed by cpuset, not by nodeset",
            false => "processors without nodes are removed by nodeset, not by cpuset",
        }
    }

    pub(super) const fn removes_other(self) -> bool {
        if self.by_nodeset { self.remove_memless } else { self.remove_cpuless }
    }
}

/// Why a topology was not restricted. hwloc says EINVAL, and so does [`errno`](Self::errno).
///
/// Variants are in the order in which they are looked for.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RestrictError {
    /// An option that the kind of set excludes: to remove nodes without processors needs a cpuset, processors
    /// without nodes a nodeset.
    #[error("cannot restrict: {}", .options.excluded())]
    Options {
        /// The options that were given.
        options: RestrictOptions,
    },
    /// The topology breaks a rule, as one may that was adopted and never checked: see
    /// [`Topo::check`](crate::Topo::check).
    #[error("cannot restrict: the topology breaks a rule")]
    Inconsistent(#[source] CheckError),
    /// No processor would remain that is allowed, or none at all. Restrict to others.
    #[error("cannot restrict: no processor would remain: kept `{kept}`, allowed `{allowed}`")]
    NoPu {
        /// The processors that would be kept.
        kept: CpuSet,
        /// The processors that are allowed.
        allowed: CpuSet,
    },
    /// No NUMA node would remain that is allowed. Restrict to others, or keep nodes without processors.
    #[error("cannot restrict: no NUMA node would remain: kept `{kept}`, allowed `{allowed}`")]
    NoNumaNode {
        /// The NUMA nodes that would be kept.
        kept: NodeSet,
        /// The NUMA nodes that are allowed.
        allowed: NodeSet,
    },
    /// What remains is more than a builder makes: a consistent topology from elsewhere, with more levels or kinds of
    /// groups than any machine has.
    #[error("cannot restrict: the rest cannot be built")]
    Build(#[source] BuildError),
}

impl RestrictError {
    /// The error number that hwloc sets: EINVAL.
    pub const fn errno(&self) -> i32 {
        EINVAL
    }

    pub(super) fn nothing_left(ty: Type, kept: Set, allowed: Set) -> Self {
        match ty {
            Type::NumaNode => Self::NoNumaNode { kept, allowed },
            _ => Self::NoPu { kept, allowed },
        }
    }
}

debug_as_display!(RestrictError);
