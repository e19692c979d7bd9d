//! What the kernel tells of this process's mappings.
//!
//! Source: proc_pid_smaps(5).

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::ops::Range;

/// One mapping, or that part of one which the kernel treats alike.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Vma {
    pub(crate) addresses: Range<usize>,
    /// Four letters: `rwx`, and `p` for private or `s` for shared; `-` for what it is not.
    pub(crate) permissions: String,
    /// Bytes of shared memory that are mapped by huge pages.
    pub(crate) huge: u64,
    /// pkeys(7); 0 is every page's.
    pub(crate) protection_key: u64,
    /// Words of two letters.
    pub(crate) flags: Vec<String>,
}

/// The mappings that have bytes of those addresses, in their order.
pub(crate) fn of(addresses: Range<usize>) -> io::Result<Vec<Vma>> {
    // Line by line: of a process at its limit of mappings it is tens of megabytes, and there is no memory to be had.
    parse(BufReader::new(File::open("/proc/self/smaps")?), &addresses)
}

fn parse(text: impl BufRead, wanted: &Range<usize>) -> io::Result<Vec<Vma>> {
    let mut found: Vec<Vma> = Vec::new();
    let mut inside = false;
    // Names of mapped files are bytes.
    for line in text.split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((&line, ""));
        let mut words = rest.split_whitespace();
        if let Some(addresses) = range(word) {
            if addresses.start >= wanted.end {
                break;
            }
            inside = wanted.start < addresses.end;
            if inside {
                let permissions = words.next().unwrap_or_default().to_owned();
                found.push(Vma { addresses, permissions, ..Vma::default() });
            }
        } else if inside && let Some(last) = found.last_mut() {
            let mut number = || words.next().and_then(|number| number.parse::<u64>().ok()).unwrap_or(0);
            match word {
                "ShmemPmdMapped:" => last.huge = number().saturating_mul(1024),
                "ProtectionKey:" => last.protection_key = number(),
                "VmFlags:" => last.flags = words.map(str::to_owned).collect(),
                _ => {}
            }
        }
    }
    Ok(found)
}

/// Two numbers of base sixteen, as lines about a mapping begin with.
fn range(word: &str) -> Option<Range<usize>> {
    let (start, end) = word.split_once('-')?;
    let number = |text| usize::from_str_radix(text, 16).ok();
    Some(number(start)?..number(end)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_the_mappings_in_a_range_is_found() {
        let text = "7000-9000 rw-s 00000000 00:01 1 /memfd:a (deleted)\nSize: 8 kB\nShmemPmdMapped: 4 kB\n\
                    ProtectionKey:         3\nVmFlags: rd wr sh \n9000-a000 rw-p 00000000 00:00 0 [heap]\n\
                    ShmemPmdMapped: 0 kB\nb000-c000 r--p 00000000 00:00 0\nShmemPmdMapped: 8 kB\n";
        let parse = |range| parse(text.as_bytes(), &range).unwrap();
        let found = parse(0x8000..0x9001);
        let flags = ["rd", "wr", "sh"].map(str::to_owned).into();
        let first = Vma {
            addresses: 0x7000..0x9000,
            permissions: "rw-s".into(),
            huge: 4096,
            protection_key: 3,
            flags,
        };
        assert_eq!(found[0], first);
        let second = Vma { addresses: 0x9000..0xa000, permissions: "rw-p".into(), ..Vma::default() };
        assert_eq!(found[1..], [second]);
        assert_eq!(parse(0xa000..0xb000), []);
        assert_eq!(parse(0..usize::MAX).len(), 3);
        let named = b"1000-2000 r--p 00000000 00:00 5 /\xff\nVmFlags: rd\n3000-4000 rw-p 00000000 00:00 0\n";
        assert_eq!(super::parse(&named[..], &(0x3000..0x4000)).unwrap().len(), 1, "a name that is no UTF-8");
        let here = &raw const text as usize;
        assert_eq!(of(here..here + 1).unwrap().len(), 1);
    }
}
