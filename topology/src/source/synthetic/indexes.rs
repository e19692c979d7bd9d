//! The attribute `indexes=`: a list, or loops that count.
//!
//! A loop of `step` and `len` gives the object at a position the digit `position / step % len`; the first loop's digit
//! counts least. A type stands for the loop over the objects of its level within those of the next outer one that is
//! named too.

use crate::model::types::Type;

use super::error::SyntheticError;
use super::parse::{Level, Name, Word};

struct Loop {
    step: u64,
    len: u64,
}

/// The numbers of `total` objects, from left to right.
pub(super) fn resolve(indexes: &Word, total: u64, levels: &[Level]) -> Result<Vec<u32>, SyntheticError> {
    let wrong = |rule| SyntheticError::Indexes { at: indexes.at, word: indexes.text.clone(), rule };
    let text = indexes.text.as_str();
    let numbers = if !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || c == ',') {
        let numbers = text.split(',').map(|number| number.parse().ok().filter(|&number| number != u32::MAX));
        let numbers: Option<Vec<u32>> = numbers.collect();
        numbers.ok_or_else(|| wrong("indexes are numbers below 4294967295"))?
    } else {
        let loops = match text.starts_with(|c: char| c.is_ascii_digit()) {
            true => {
                by_step(text).ok_or_else(|| wrong("loops are `step*number`, with colons between them"))?
            }
            false => by_type(text, total, levels).ok_or_else(|| {
                wrong(
                    "loops are over types of levels above the last one, each once, with colons between them",
                )
            })?,
        };
        let loops = complete(loops, total);
        let loops = loops.ok_or_else(|| wrong("the loops must number all objects of the level, no more"))?;
        (0..total).map(|position| digits(&loops, position)).collect()
    };
    if numbers.len() as u64 != total {
        return Err(wrong("there must be an index for each object of the level"));
    }
    let mut sorted = numbers.clone();
    sorted.sort_unstable();
    match sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        true => Err(wrong("no two objects may have one index")),
        false => Ok(numbers),
    }
}

fn digits(loops: &[Loop], position: u64) -> u32 {
    let (mut number, mut scale) = (0, 1);
    for Loop { step, len } in loops {
        number += position / step % len * scale;
        scale *= len;
    }
    // Less than the product of all lengths, which is the number of objects.
    number as u32
}

/// `2*4:1*2`.
fn by_step(text: &str) -> Option<Vec<Loop>> {
    let read = |part: &str| {
        let (step, len) = part.split_once('*')?;
        let (step, len) = (step.parse().ok()?, len.parse().ok()?);
        (step > 0 && len > 0).then_some(Loop { step, len })
    };
    text.split(':').map(read).collect()
}

/// `numa:core`.
fn by_type(text: &str, total: u64, levels: &[Level]) -> Option<Vec<Loop>> {
    let find = |name: &str| {
        let name = Name::parse(name)?;
        let same = |level: &&Level| {
            level.ty == name.ty && (name.group_depth.is_none() || name.group_depth == level.group_depth)
        };
        levels.iter().filter(|level| level.ty != Type::Pu).find(same)
    };
    let named: Vec<&Level> = text.split(':').map(find).collect::<Option<_>>()?;
    let one = |level: &&Level| {
        let others = || named.iter().filter(|other| !core::ptr::eq(**other, *level));
        if others().count() + 1 != named.len() {
            return None;
        }
        let outer = others().filter(|other| other.depth < level.depth).max_by_key(|other| other.depth);
        let len = level.width / outer.map_or(1, |outer| outer.width);
        let step = total / level.width;
        (step > 0).then_some(Loop { step, len })
    };
    named.iter().map(one).collect()
}

/// The loops with the innermost one, if it is the only one that is missing.
fn complete(mut loops: Vec<Loop>, total: u64) -> Option<Vec<Loop>> {
    let len = loops.iter().try_fold(1u64, |product, next| product.checked_mul(next.len))?;
    if len == total {
        return Some(loops);
    }
    let step = loops.iter().map(|next| next.step).min()?;
    if len == 0 || len.checked_mul(step)? != total {
        return None;
    }
    loops.push(Loop { step: 1, len: step });
    Some(loops)
}
