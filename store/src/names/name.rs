//! Names of a store, and the names of their files.

use std::fmt;

use crate::{Cause, Error, Result};

/// The longest name: with the endings below it stays under the 255 bytes that file systems allow.
const MAX_LEN: usize = 200;

/// A name that a store can have: 1 to 200 bytes of `[A-Za-z0-9._-]`, no dot first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name(String);

/// What a file in a store's directory is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The newest generation.
    Segment,
    /// Epoch, notes and attachments.
    Control,
    /// The owner's lock.
    Owner,
    /// The FIFO that tells whether the owner lives.
    Life,
    /// The next generation, on its way to take the segment's place.
    Next,
}

impl Role {
    pub(crate) const ALL: [Role; 5] = [Role::Segment, Role::Control, Role::Owner, Role::Life, Role::Next];

    /// What stands before and after the name.
    fn affixes(self) -> (&'static str, &'static str) {
        match self {
            Role::Segment => ("", ".grv"),
            Role::Control => ("", ".ctl"),
            Role::Owner => ("", ".own"),
            Role::Life => ("", ".life"),
            Role::Next => (".", ".grv.tmp"),
        }
    }
}

impl Name {
    /// # Errors
    /// [`Cause::StoreName`] (EINVAL).
    pub(crate) fn new(name: &str) -> Result<Name> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        match (1..=MAX_LEN).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(allowed) {
            true => Ok(Name(name.to_owned())),
            // What is too long to be a name is too long to be shown.
            false => Err(Error::new(Cause::StoreName { name: name.chars().take(MAX_LEN + 1).collect() })),
        }
    }

    /// The name of its file.
    pub(crate) fn file(&self, role: Role) -> String {
        let (before, after) = role.affixes();
        format!("{before}{self}{after}")
    }

    /// The name that a file belongs to, and what for.
    pub(crate) fn of_file(file: &str) -> Option<(Name, Role)> {
        Role::ALL.into_iter().find_map(|role| {
            let (before, after) = role.affixes();
            let name = file.strip_prefix(before)?.strip_suffix(after)?;
            Some((Name::new(name).ok()?, role))
        })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_leads_back_to_its_name_and_to_no_other() {
        for name in ["a", "tables", "a.grv", "x.grv.tmp", "A-b_c.9", "-", &"x".repeat(200)] {
            let name = Name::new(name).unwrap();
            for role in Role::ALL {
                assert_eq!(Name::of_file(&name.file(role)), Some((name.clone(), role)));
            }
        }
        for file in [".grv", "a", "..grv.tmp", ".a.grv", "a b.grv", ".graven-x.tmp"] {
            assert_eq!(Name::of_file(file), None, "{file}");
        }
    }

    #[test]
    fn what_leads_elsewhere_is_no_name() {
        for name in ["", ".", "..", ".a", "a/b", "/a", "a b", "a\0", "ä", "a\n", &"x".repeat(201)] {
            assert_eq!(Name::new(name).unwrap_err().errno(), 22, "{name:?}");
        }
    }
}
