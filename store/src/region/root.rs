//! Where the value of a typed region is.

use std::ops::Range;

use graven_format::layout::Layout;
use rkyv::Archive;

use crate::{Result, Segment};

/// Where the value is in the body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Root {
    /// The object.
    ///
    /// INVARIANT: in the segment that was looked at, which is as long as the body; or empty, at its start.
    object: Range<usize>,
    /// From the object's first byte.
    ///
    /// INVARIANT: the value is in the object.
    offset: usize,
}

impl Root {
    /// That of a region of bytes.
    pub(crate) const NONE: Root = Root { object: 0..0, offset: 0 };

    /// That of a segment whose root is a valid archived `T`.
    pub(super) fn of<T>(segment: &Segment) -> Result<Root>
    where
        T: Archive<Archived: Layout>,
    {
        segment.root::<T>()?;
        let entry = segment.entry("")?;
        let start = entry.object.position as usize;
        Ok(Root { object: start..start + entry.object.length as usize, offset: entry.root as usize })
    }

    /// The object.
    pub(super) fn object(&self) -> Range<usize> {
        self.object.clone()
    }

    /// From the object's first byte.
    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    /// From the body's first byte.
    pub(super) fn position(&self) -> usize {
        self.object.start + self.offset
    }
}
