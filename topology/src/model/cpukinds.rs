//! Kinds of processors: which are alike, and which are the more powerful ones.

use core::fmt;

use crate::model::handle::ObjectRef;
use crate::model::native::native_record;
use crate::model::object::{NONE, Span, Type};
use crate::model::read::{Topo, infos};
use crate::model::set::Bits;
use crate::model::set_ref::SetRef;

/// One kind of processors, as it is stored. Their sets do not overlap.
#[graven::object]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuKind {
    /// Index of the cpuset in the table of sets.
    pub cpuset: u32,
    /// Its rank among the kinds, 0 for the least powerful; [`NONE`](crate::NONE) if they could not be ranked.
    pub efficiency: u32,
    /// The rank that the system gave, with gaps; [`NONE`](crate::NONE) if it gave none.
    pub forced_efficiency: u32,
    /// Its infos: a run in the table of infos.
    pub infos: Span,
}

native_record!(CpuKind, ArchivedCpuKind { cpuset, efficiency, forced_efficiency, infos });

/// A kind of processors, read in place.
pub struct CpuKindRef<'a, T> {
    topology: &'a T,
    index: u32,
    kind: CpuKind,
}

impl<T> Clone for CpuKindRef<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for CpuKindRef<'_, T> {}

impl<T> PartialEq for CpuKindRef<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        core::ptr::eq(self.topology, other.topology) && self.index == other.index
    }
}

impl<'a, T: Topo> CpuKindRef<'a, T> {
    pub(crate) fn new(topology: &'a T, index: u32) -> Option<Self> {
        Some(Self { topology, index, kind: topology.cpu_kind_record(index)? })
    }

    /// Its number, from 0.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// The processors of this kind; `None` only in an unchecked topology.
    pub fn cpuset(&self) -> Option<SetRef<'a, T>> {
        SetRef::new(self.topology, self.kind.cpuset)
    }

    /// Its rank, 0 for the least powerful kind; `None` if the kinds could not be ranked.
    pub fn efficiency(&self) -> Option<u32> {
        Some(self.kind.efficiency).filter(|&efficiency| efficiency != NONE)
    }

    /// The rank that the system gave.
    pub fn forced_efficiency(&self) -> Option<u32> {
        Some(self.kind.forced_efficiency).filter(|&efficiency| efficiency != NONE)
    }

    /// Its infos, such as `FrequencyMaxMHz` and `CoreType`.
    pub fn infos(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a, T> {
        infos(self.topology, self.kind.infos)
    }
}

impl<T: Topo> fmt::Debug for CpuKindRef<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cpukind {} ({:?})", self.index, self.cpuset())
    }
}

/// Why a set of processors is not of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoCpuKind {
    /// The set is empty (hwloc: EINVAL).
    Empty,
    /// Its processors are of several kinds, or only some of them are of a known kind (hwloc: EXDEV).
    Several,
    /// No kind has any of them (hwloc: ENOENT).
    Unknown,
}

impl fmt::Display for NoCpuKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "no processor in the set",
            Self::Several => "the processors are of several kinds: ask for fewer",
            Self::Unknown => "no kind is known of these processors",
        })
    }
}

impl core::error::Error for NoCpuKind {}

pub(crate) fn of_cpuset<'a, T: Topo>(
    topology: &'a T,
    cpuset: &impl Bits,
) -> Result<CpuKindRef<'a, T>, NoCpuKind> {
    if cpuset.is_empty() {
        return Err(NoCpuKind::Empty);
    }
    for kind in topology.cpu_kinds() {
        let Some(own) = kind.cpuset() else { continue };
        if cpuset.is_included_in(&own) {
            return Ok(kind);
        }
        if cpuset.intersects(&own) {
            return Err(NoCpuKind::Several);
        }
    }
    Err(NoCpuKind::Unknown)
}

/// The kind of a core: the only one, or the one that has all of its processors (hwloc 3: `attr->core.cpukind`).
pub(crate) fn of_core<T: Topo>(core: &ObjectRef<'_, T>) -> Option<u32> {
    if core.ty() != Type::Core {
        return None;
    }
    let topology = core.topology();
    if topology.cpu_kind_count() <= 1 {
        return Some(0);
    }
    of_cpuset(topology, &core.cpuset()?).ok().map(|kind| kind.index())
}
