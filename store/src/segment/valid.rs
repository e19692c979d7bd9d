//! What of a segment has been found valid, so that a large object is validated once, however often it is adopted.
//!
//! Bytes of an open segment never change, so an answer that was right stays right: for the same question. The key is
//! therefore everything that the answer depends on. Anything less, and two entries of a directory that someone made could
//! share an answer: one position with two roots, or with two lengths.
#![warn(clippy::arithmetic_side_effects)] // what files, pages and other processes say is added up here

use std::any::TypeId;
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use graven_format::Section;

/// Bytes from which on an object is remembered: smaller ones are validated as fast as looked up.
const REMEMBERED: u64 = 4096;
/// Types as which each object may be remembered, if all objects are as small as that and lie side by side.
const TYPES: u64 = 4;

/// An object, and what it was found valid as.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ValidAs {
    /// The bytes that were validated: what points out of them is wrong.
    pub(crate) object: Section,
    /// Where in them the validation began.
    pub(crate) root: u64,
    /// The archived type whose validator it was.
    pub(crate) id: TypeId,
}

/// What was found valid. What was not is not remembered: it is an error each time.
pub(crate) struct Valid {
    found: Mutex<HashSet<ValidAs>>,
    /// No more than these are remembered. Objects of an honest segment do not overlap, and so are never too many; a
    /// directory of a million entries over the same bytes costs its readers time, not memory.
    most: usize,
}

impl Valid {
    /// Nothing yet, of a segment of so many bytes.
    pub(crate) fn of(length: u64) -> Valid {
        let most = (length / REMEMBERED).saturating_mul(TYPES);
        Valid { found: Mutex::default(), most: usize::try_from(most).unwrap_or(usize::MAX) }
    }

    /// Asks `check` whether the object is valid, unless it is known to be.
    ///
    /// # Errors
    /// Those of `check`.
    #[inline]
    pub(crate) fn check<E>(&self, object: ValidAs, check: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        if object.object.length < REMEMBERED {
            return check();
        }
        // A panic while the lock is held cannot leave the set half changed.
        let found = || self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if found().contains(&object) {
            return Ok(());
        }
        check()?;
        let mut found = found();
        if found.len() < self.most {
            found.insert(object);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often it is asked.
    fn asked(valid: &Valid, objects: &[ValidAs]) -> u32 {
        let mut asked = 0;
        for object in objects {
            let check = || -> Result<(), ()> {
                asked = u32::saturating_add(asked, 1);
                Ok(())
            };
            assert!(valid.check(*object, check).is_ok());
        }
        asked
    }

    #[test]
    fn an_answer_is_remembered_for_the_same_bytes_root_and_type_only() {
        let object = Section { position: 4096, length: 8192 };
        let one = ValidAs { object, root: 8, id: TypeId::of::<u32>() };
        let others = [
            ValidAs { object: Section { position: 8192, ..object }, ..one },
            ValidAs { object: Section { length: 8193, ..object }, ..one },
            ValidAs { root: 16, ..one },
            ValidAs { id: TypeId::of::<i32>(), ..one },
        ];
        let valid = Valid::of(1 << 20);
        assert_eq!(asked(&valid, &[one, one]), 1);
        assert_eq!(asked(&valid, &others), 4);
        assert_eq!(asked(&valid, &others), 0);
    }

    #[test]
    fn what_was_refused_is_asked_again() {
        let object = Section { position: 4096, length: 8192 };
        let one = ValidAs { object, root: 8, id: TypeId::of::<u32>() };
        let valid = Valid::of(1 << 20);
        assert_eq!(valid.check(one, || Err(7)), Err(7));
        assert_eq!(valid.check(one, || Err(8)), Err(8));
        assert_eq!(asked(&valid, &[one, one]), 1);
    }

    #[test]
    fn small_objects_are_not_remembered_and_of_large_ones_no_more_than_lie_side_by_side() {
        let of = |root, length| ValidAs {
            object: Section { position: 4096, length },
            root,
            id: TypeId::of::<u32>(),
        };
        let valid = Valid::of(1 << 20);
        assert_eq!(asked(&valid, &[of(0, 4095), of(0, 4095)]), 2);
        let many: Vec<ValidAs> = (0..1_000_000).map(|root| of(root, 1 << 19)).collect();
        assert_eq!(asked(&valid, &many), 1_000_000);
        assert_eq!(valid.found.lock().unwrap().len(), 1024);
        assert_eq!(asked(&valid, &many[..1024]), 0);
    }
}
