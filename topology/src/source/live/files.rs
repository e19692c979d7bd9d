//! The one reader: small files, directories and links below a root, each within bounds.
//!
//! Whatever else a name leads to (a directory, a fifo, a file that is too long, a loop of links) reads as absent.
//! Below a root that is not `/`, links are followed as if that root were `/`, so a copied tree is read as the
//! machine would have read itself, and nothing outside it is ever opened: the kernel sees to it (openat2(2),
//! RESOLVE_IN_ROOT, since Linux 5.6). Where it cannot, or /proc is not mounted, nothing is read.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2};
use nix::sys::stat::Mode;

use crate::model::set::Set;

/// Where processors are described.
pub(super) const CPU: &str = "sys/devices/system/cpu";

/// Where NUMA nodes are described.
pub(super) const NODE: &str = "sys/devices/system/node";

/// Bytes: more than any file of one value or list holds. A longer one is not one of them.
const FILE_LIMIT: u64 = 1 << 20;

/// Entries: a directory with more is not followed.
const DIRECTORY_LIMIT: usize = 1 << 16;

/// Characters of a text that becomes an info.
const LINE_LIMIT: usize = 255;

/// How often a name is looked up while others rename: some of a hundred looks fail beside one who does nothing else.
const LOOKS: u32 = 1 << 10;

/// Files are named relative to the root, as in `sys/devices/system/cpu/online`.
pub(super) struct Files<'a> {
    root: &'a Path,
    /// Whether the root is the system's own: the kernel then follows links as we want it to.
    system: bool,
    /// Any other root, held open.
    base: Option<OwnedFd>,
}

/// Where the kernel shows what a descriptor is of.
fn at(file: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

impl<'a> Files<'a> {
    pub(super) fn below(root: &'a Path) -> Self {
        let system = root == Path::new("/");
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let base = (!system).then(|| open(root, flags, Mode::empty()).ok()).flatten();
        Self { root, system, base }
    }

    /// Whether these are the files of the running system.
    pub(super) fn are_the_systems(&self) -> bool {
        self.system
    }

    /// Where a file is, for messages: links are not followed.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Where a name leads once all links are followed, relative to the root: for `sys/class/net/eth0` that is
    /// `sys/devices/pci0000:00/0000:00:03.0/net/eth0`.
    pub(super) fn resolve(&self, name: &str) -> io::Result<PathBuf> {
        if self.system {
            let path = fs::canonicalize(self.path(name))?;
            return Ok(path.strip_prefix("/").map(Path::to_owned).unwrap_or(path));
        }
        let (found, base) = (self.find(name)?, self.base()?);
        let path = fs::read_link(at(&found))?;
        let path = path.strip_prefix(fs::read_link(at(base))?).map(Path::to_owned);
        path.map_err(|_| io::ErrorKind::NotFound.into())
    }

    fn base(&self) -> io::Result<&OwnedFd> {
        self.base.as_ref().ok_or(io::ErrorKind::NotFound.into())
    }

    /// What a name leads to below a root that is not the system's.
    fn find(&self, name: &str) -> io::Result<OwnedFd> {
        let how =
            OpenHow::new().flags(OFlag::O_PATH | OFlag::O_CLOEXEC).resolve(ResolveFlag::RESOLVE_IN_ROOT);
        let base = self.base()?;
        for _ in 0..LOOKS {
            match openat2(base, name, how) {
                // Something was renamed or mounted, wherever on the machine, while a `..` was followed.
                Err(Errno::EAGAIN) => {}
                found => return Ok(found?),
            }
        }
        Err(Errno::EAGAIN.into())
    }

    /// A path to open, good as long as the descriptor beside it.
    fn real_path(&self, name: &str) -> io::Result<(Option<OwnedFd>, PathBuf)> {
        if self.system {
            return Ok((None, self.path(name)));
        }
        let found = self.find(name)?;
        let path = at(&found);
        Ok((Some(found), path))
    }

    /// Up to `limit` bytes of a regular file.
    fn read(&self, name: &str, limit: u64) -> io::Result<Vec<u8>> {
        let (_held, path) = self.real_path(name)?;
        // Looked at before it is opened: opening a fifo or a device may block or do something.
        if !fs::metadata(&path)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        let mut bytes = Vec::new();
        File::open(path)?.take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The bytes of a file of at most 1 MiB.
    pub(super) fn bytes(&self, name: &str) -> io::Result<Vec<u8>> {
        let bytes = self.read(name, FILE_LIMIT + 1)?;
        if bytes.len() as u64 > FILE_LIMIT {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "more than 1 MiB"));
        }
        Ok(bytes)
    }

    /// The text, without white space at its end. Some old kernels end a text with a NUL.
    pub(super) fn text(&self, name: &str) -> io::Result<String> {
        let bytes = self.bytes(name)?;
        let text = String::from_utf8_lossy(&bytes);
        Ok(text.trim_end_matches(|c: char| c.is_whitespace() || c == '\0').to_owned())
    }

    /// The start of a file of lines, up to the last whole one in its first 1 MiB or in `limit` bytes if that is
    /// less; nothing if it cannot be read.
    pub(super) fn start(&self, name: &str, limit: u64) -> String {
        let limit = limit.min(FILE_LIMIT);
        let mut bytes = self.read(name, limit).unwrap_or_default();
        if bytes.len() as u64 == limit {
            let end = bytes.iter().rposition(|&byte| byte == b'\n').unwrap_or(0);
            bytes.truncate(end);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The first line as a text for people, if there is any: without white space at its ends and control
    /// characters, and cut after 255 characters.
    pub(super) fn line(&self, name: &str) -> Option<String> {
        self.text(name).ok().and_then(|text| one_line(&text))
    }

    /// The file's only number; `None` if it has none, or one out of range as -1 for "unknown".
    pub(super) fn number<N: FromStr>(&self, name: &str) -> Option<N> {
        self.text(name).ok()?.trim().parse().ok()
    }

    /// The file's only number, in hexadecimal, with or without `0x`.
    pub(super) fn hexadecimal(&self, name: &str) -> Option<u32> {
        let text = self.text(name).ok()?;
        let text = text.trim();
        u32::from_str_radix(text.strip_prefix("0x").unwrap_or(text), 16).ok()
    }

    /// The file's set, in list form.
    pub(super) fn list(&self, name: &str) -> Option<Set> {
        Set::from_list(&self.text(name).ok()?).ok()
    }

    /// The set of `mask`, or else of `list`: where the kernel has both they say the same.
    pub(super) fn set(&self, mask: &str, list: &str) -> Option<Set> {
        self.mask(mask).or_else(|| self.list(list))
    }

    /// The file's set, in mask form.
    fn mask(&self, name: &str) -> Option<Set> {
        Set::from_mask(&self.text(name).ok()?).ok()
    }

    /// Whether the name leads to anything.
    pub(super) fn exists(&self, name: &str) -> bool {
        self.real_path(name).and_then(|(_held, path)| fs::metadata(path)).is_ok()
    }

    /// The names in a directory, in the order of their characters; none if there is no such directory, or if
    /// it has more than 65,536.
    pub(super) fn names(&self, directory: &str) -> Vec<String> {
        let entries = self.real_path(directory).and_then(|(_held, path)| fs::read_dir(path));
        let entries = entries.into_iter().flatten().flatten();
        let mut names = Vec::new();
        for (count, entry) in entries.enumerate() {
            if count == DIRECTORY_LIMIT {
                return Vec::new();
            }
            names.extend(entry.file_name().into_string());
        }
        names.sort_unstable();
        names
    }

    /// The numbers of the entries named `prefix` and a number and `suffix`, ascending.
    pub(super) fn numbered(&self, directory: &str, prefix: &str, suffix: &str) -> Vec<u32> {
        let number = |name: &str| decimal(name.strip_prefix(prefix)?.strip_suffix(suffix)?);
        let mut numbers: Vec<u32> = self.names(directory).iter().filter_map(|name| number(name)).collect();
        numbers.sort_unstable();
        numbers
    }

    /// The number in kB after `key` in a file of lines `key: number kB`, in bytes.
    pub(super) fn kilobytes(&self, name: &str, key: &str) -> Option<u64> {
        // That line is among the first; of a long file (smaps) the rest is not read.
        let text = self.start(name, 1 << 14);
        let value = text.lines().find_map(|line| {
            let (before, value) = line.split_once(':')?;
            (before.split_whitespace().last() == Some(key)).then_some(value)
        })?;
        let number: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(number.saturating_mul(1024))
    }
}

/// A number as the kernel prints it in a name: without a sign or zeros ahead.
pub(super) fn decimal(digits: &str) -> Option<u32> {
    let number: u32 = digits.parse().ok()?;
    (number.to_string() == digits).then_some(number)
}

/// See [`Files::line`].
pub(super) fn one_line(text: &str) -> Option<String> {
    let line = text.lines().next()?.chars().filter(|c| !c.is_control()).take(LINE_LIMIT);
    let line: String = line.collect();
    let line = line.trim();
    (!line.is_empty()).then(|| line.to_owned())
}
