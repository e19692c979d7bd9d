//! What the kernel tells of this process's mappings.
//!
//! Source: proc_pid_smaps(5).

use std::fs;
use std::io;
use std::ops::Range;

/// One mapping, or that part of one which the kernel treats alike.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Vma {
    pub(crate) addresses: Range<usize>,
    /// Bytes of shared memory that are mapped by huge pages.
    pub(crate) huge: u64,
}

/// The mappings that have bytes of those addresses, in their order.
pub(crate) fn of(addresses: Range<usize>) -> io::Result<Vec<Vma>> {
    Ok(parse(&fs::read_to_string("/proc/self/smaps")?, &addresses))
}

fn parse(text: &str, wanted: &Range<usize>) -> Vec<Vma> {
    let mut found: Vec<Vma> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        if let Some(addresses) = range(word) {
            inside = addresses.start < wanted.end && wanted.start < addresses.end;
            if inside {
                found.push(Vma { addresses, huge: 0 });
            }
        } else if inside
            && word == "ShmemPmdMapped:"
            && let Some(last) = found.last_mut()
        {
            let kib = rest.split_whitespace().next().and_then(|number| number.parse::<u64>().ok());
            last.huge = kib.unwrap_or(0).saturating_mul(1024);
        }
    }
    found
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
                    VmFlags: rd wr sh\n9000-a000 rw-p 00000000 00:00 0 [heap]\nShmemPmdMapped: 0 kB\n\
                    b000-c000 r--p 00000000 00:00 0\nShmemPmdMapped: 8 kB\n";
        let vma = |addresses, huge| Vma { addresses, huge };
        assert_eq!(parse(text, &(0x8000..0x9001)), [vma(0x7000..0x9000, 4096), vma(0x9000..0xa000, 0)]);
        assert_eq!(parse(text, &(0xa000..0xb000)), []);
        assert_eq!(parse(text, &(0..usize::MAX)).len(), 3);
        let here = &raw const text as usize;
        assert_eq!(of(here..here + 1).unwrap().len(), 1);
    }
}
