//! Kinds of processors: which are alike, and which are the more powerful ones.

use core::fmt;

use super::debug::debug_as_display;
use super::facts::CpuKind;
use super::handle::ObjectRef;
use super::records::NONE;
use super::set::Bits;
use super::set_ref::SetRef;
use super::tables::{Tables, infos};
use super::types::Type;

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

impl<'a, T: Tables> CpuKindRef<'a, T> {
    pub(crate) fn new(topology: &'a T, index: u32) -> Option<Self> {
        Some(Self { topology, index, kind: topology.cpu_kind_record(index)? })
    }

    /// All of a topology.
    pub(crate) fn all(topology: &'a T) -> impl Iterator<Item = Self> + use<'a, T> {
        (0..topology.cpu_kind_count()).filter_map(move |index| Self::new(topology, index))
    }

    /// The kind that all processors of `cpuset` are of.
    pub(crate) fn of(topology: &'a T, cpuset: &impl Bits) -> Result<Self, NoCpuKind> {
        if cpuset.is_empty() {
            return Err(NoCpuKind::Empty);
        }
        for kind in Self::all(topology) {
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

impl<T: Tables> fmt::Debug for CpuKindRef<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cpukind {} ({:?})", self.index, self.cpuset())
    }
}

/// Why a set of processors is not of one kind.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoCpuKind {
    /// The set is empty (hwloc: EINVAL).
    #[error("no processor in the set")]
    Empty,
    /// Its processors are of several kinds, or only some of them are of a known kind (hwloc: EXDEV).
    #[error("the processors are of several kinds: ask for fewer")]
    Several,
    /// No kind has any of them (hwloc: ENOENT).
    #[error("no kind is known of these processors")]
    Unknown,
}

debug_as_display!(NoCpuKind);

impl<T: Tables> ObjectRef<'_, T> {
    /// Which kind of processors a core has, as an index of [`Topo::cpu_kinds`](crate::Topo::cpu_kinds); `None` if
    /// that is unknown or mixed, and for other types. 0 where kinds are not told apart. O(kinds).
    pub fn core_kind(&self) -> Option<u32> {
        // The only one, or the one that has all of its processors (hwloc 3: `attr->core.cpukind`).
        if self.ty() != Type::Core {
            return None;
        }
        if self.topology().cpu_kind_count() <= 1 {
            return Some(0);
        }
        CpuKindRef::of(self.topology(), &self.cpuset()?).ok().map(|kind| kind.index())
    }
}
