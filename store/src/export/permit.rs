//! Who may import what: a mode as files have one, asked with what the kernel says of the peer.
//!
//! Source: path_resolution(7), "Permissions"; unix(7), SO_PEERCRED, SO_PEERGROUPS.

use nix::unistd::{getegid, geteuid};

use crate::{Error, ExportError, Result};

/// What an importer wants to do with what it imports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Read it.
    Read,
    /// Read and write it: memory of which importers may write.
    Write,
}

/// Who may import what an [`Exporter`](crate::Exporter) makes, and whether it may lead elsewhere later.
///
/// The nine bits are those of a file that belongs to the exporter's effective user and group, and are asked as the kernel
/// asks them: the exporter's own user by the first three, members of its group by the next, all others by the last, and
/// root passes. Reading needs r; writing needs r and w.
///
/// The user that made a memory owns it, as a file of mode 0600: a process of that user, or root's, that was given it for
/// reading can open it for writing itself, by /proc. What they are not to write is made without
/// [`importers_write`](crate::ExportMemoryOptions::importers_write): then the kernel refuses it to all.
///
/// # Examples
/// ```
/// use graven_store::Permit;
/// let permit = Permit::mode(0o640).rebind(true);
/// # let _ = permit;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Permit {
    mode: u32,
    rebind: bool,
}

impl Permit {
    /// A permit of nine bits, for what leads to the same for good. Others are refused by [`Exporter::make`](crate::Exporter::make).
    pub fn mode(mode: u32) -> Permit {
        Permit { mode, rebind: false }
    }

    /// Whether [`Exporter::rebind`](crate::Exporter::rebind) may let the name lead to something else. Default: no.
    pub fn rebind(mut self, rebind: bool) -> Permit {
        self.rebind = rebind;
        self
    }

    pub(super) fn lets_rebind(&self) -> bool {
        self.rebind
    }

    /// # Errors
    /// [`ExportError::Mode`] (EINVAL).
    pub(super) fn check(&self) -> Result<()> {
        match self.mode & !0o777 {
            0 => Ok(()),
            _ => Err(Error::new(ExportError::Mode { mode: self.mode })),
        }
    }

    /// Whether it lets a peer of this user and group; `groups` are its others, asked only if they matter.
    pub(super) fn lets(
        &self,
        (user, group): (u32, u32),
        groups: impl FnOnce() -> Vec<u32>,
        access: Access,
    ) -> bool {
        self.lets_of((geteuid().as_raw(), getegid().as_raw()), (user, group), groups, access)
    }

    fn lets_of(
        &self,
        (owner, owners): (u32, u32),
        (user, group): (u32, u32),
        groups: impl FnOnce() -> Vec<u32>,
        access: Access,
    ) -> bool {
        let needed = match access {
            Access::Read => 0o4,
            Access::Write => 0o6,
        };
        let class = match user {
            0 => return true,
            _ if user == owner => 6,
            _ if group == owners || groups().contains(&owners) => 3,
            _ => 0,
        };
        (self.mode >> class) & needed == needed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [S18.3]
    #[test]
    fn a_permit_is_asked_by_the_peers_class_as_the_kernel_asks_a_files_mode() {
        let own = (1000, 100);
        let asked = |mode, peer, groups: &[u32], access| {
            Permit::mode(mode).lets_of(own, peer, || groups.to_vec(), access)
        };
        for mode in 0..=0o777 {
            let bits = |shift: u32| ((mode >> shift) & 4 == 4, (mode >> shift) & 6 == 6);
            let of = |peer, groups: &[u32]| {
                (asked(mode, peer, groups, Access::Read), asked(mode, peer, groups, Access::Write))
            };
            assert_eq!(of((0, 5), &[]), (true, true), "root");
            assert_eq!(of((1000, 5), &[]), bits(6), "{mode:o}");
            assert_eq!(of((1000, 100), &[100]), bits(6), "the user's bits, whatever the group's");
            assert_eq!(of((7, 100), &[]), bits(3));
            assert_eq!(of((7, 5), &[4, 100]), bits(3), "one of its other groups");
            assert_eq!(of((7, 5), &[4]), bits(0));
        }
    }
}
