//! Small text files below a root.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::set::Set;

/// More than any file of one value or list holds; a file that is longer is cut here.
const LIMIT: u64 = 1 << 20;

/// Files are named relative to the root, as in `sys/devices/system/cpu/online`.
pub(super) struct Files<'a> {
    root: &'a Path,
}

impl<'a> Files<'a> {
    pub(super) fn below(root: &'a Path) -> Self {
        Self { root }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The text, without white space at its end.
    pub(super) fn text(&self, name: &str) -> io::Result<String> {
        let mut text = Vec::new();
        File::open(self.path(name))?.take(LIMIT).read_to_end(&mut text)?;
        Ok(String::from_utf8_lossy(&text).trim_end().to_owned())
    }

    /// The text if there is any.
    pub(super) fn some_text(&self, name: &str) -> Option<String> {
        self.text(name).ok().filter(|text| !text.is_empty())
    }

    /// The file's only number; `None` if it has none, or one out of range as -1 for "unknown".
    pub(super) fn number<N: FromStr>(&self, name: &str) -> Option<N> {
        self.text(name).ok()?.trim().parse().ok()
    }

    /// The file's set, in list form.
    pub(super) fn list(&self, name: &str) -> Option<Set> {
        Set::from_list(&self.text(name).ok()?).ok()
    }

    /// The file's set, in mask form.
    pub(super) fn mask(&self, name: &str) -> Option<Set> {
        Set::from_mask(&self.text(name).ok()?).ok()
    }

    /// The numbers of the entries named `prefix` and a number, ascending; none if there is no such directory.
    pub(super) fn numbered(&self, directory: &str, prefix: &str) -> Vec<u32> {
        let entries = fs::read_dir(self.path(directory)).into_iter().flatten().flatten();
        let mut numbers: Vec<u32> = entries
            .filter_map(|entry| entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok())
            .collect();
        numbers.sort_unstable();
        numbers
    }

    /// The number in kB after `key` in a file of lines `key: number kB`, in bytes.
    pub(super) fn kilobytes(&self, name: &str, key: &str) -> Option<u64> {
        // Line by line: of a long file only the start is read.
        let lines = BufReader::new(File::open(self.path(name)).ok()?.take(LIMIT)).lines();
        let value = lines.map_while(Result::ok).find_map(|line| {
            let (before, value) = line.split_once(':')?;
            (before.split_whitespace().last() == Some(key)).then(|| value.to_owned())
        })?;
        let number: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(number.saturating_mul(1024))
    }
}
