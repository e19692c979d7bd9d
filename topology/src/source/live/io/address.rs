//! Where a PCI device is.

use std::fmt;
use std::path::Path;

/// Domain, bus, device and function, in the order in which hwloc sorts devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::source::live) struct Address {
    pub(in crate::source::live) domain: u32,
    pub(in crate::source::live) bus: u8,
    pub(in crate::source::live) dev: u8,
    pub(in crate::source::live) func: u8,
}

impl Address {
    /// From the kernel's name for it, `0000:3b:00.1`.
    pub(in crate::source::live) fn parse(name: &str) -> Option<Self> {
        let (domain, rest) = name.split_once(':')?;
        let (bus, rest) = rest.split_once(':')?;
        let (dev, func) = rest.split_once('.')?;
        let number = |digits: &str, len: usize, limit: u32| {
            let digits = Some(digits).filter(|digits| !digits.is_empty() && digits.len() <= len);
            let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
            u32::from_str_radix(digits, 16).ok().filter(|&number| number <= limit)
        };
        Some(Self {
            domain: number(domain, 8, u32::MAX)?,
            bus: number(bus, 2, 0xff)? as u8,
            dev: number(dev, 2, 0x1f)? as u8,
            func: number(func, 1, 7)? as u8,
        })
    }

    /// The last device on the way to another one, which is what carries it: those before are bridges.
    pub(in crate::source::live) fn last_in(path: &Path) -> Option<Self> {
        path.components().rev().find_map(|part| Self::parse(part.as_os_str().to_str()?))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:02x}:{:02x}.{:x}", self.domain, self.bus, self.dev, self.func)
    }
}
