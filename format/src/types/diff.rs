//! What differs between two layouts, in words: a walk over both tables at once.
#![warn(clippy::arithmetic_side_effects)] // what a file says is added up here

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::types::layout::{Field, Shape, Type};
use crate::{Payload, Schema};

/// Differences beyond this many are counted, not kept: hostile tables could have millions.
const KEPT: usize = 1000;
/// Lines of a message that has many.
const SHOWN: usize = 16;

/// One place where two layouts differ.
#[derive(Clone, PartialEq, Eq)]
pub struct Difference {
    /// The place, from the root: `Config.limits[].soft`.
    pub path: String,
    /// What the writer has there, in words; `None` if it has nothing of that name.
    pub writer: Option<String>,
    /// What the adopter has there.
    pub adopter: Option<String>,
    /// Both have it and it only lies elsewhere: mostly the consequence of another difference.
    moved: bool,
}

impl Difference {
    fn new(path: String, writer: Option<String>, adopter: Option<String>, moved: bool) -> Difference {
        Difference { path, writer, adopter, moved }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |side: &Option<String>| side.clone().unwrap_or_else(|| "nothing".to_string());
        write!(f, "{}: writer {}, adopter {}", self.path, side(&self.writer), side(&self.adopter))
    }
}

/// Two layouts differ: where, the most telling difference first.
///
/// Displays as one line: the first difference and how many more there are; with `{:#}`, and as `Debug`, as a line for
/// each of the first sixteen. Use [`differences`](Self::differences) for all.
#[derive(Clone, PartialEq, Eq)]
pub struct LayoutMismatch {
    differences: Vec<Difference>,
    more: usize,
}

impl LayoutMismatch {
    /// Compares the layout that bytes were written with and the layout that a program expects. `None` if they are
    /// equal.
    ///
    /// O(pairs of types that share a path). At most 1,000 differences are kept.
    ///
    /// # Examples
    /// ```
    /// use graven_format::{LayoutMismatch, Schema};
    /// use rkyv::{primitive::{ArchivedU32, ArchivedU64}, vec::ArchivedVec};
    /// let writer = Schema::of::<ArchivedVec<ArchivedU32>>();
    /// let adopter = Schema::of::<ArchivedVec<ArchivedU64>>();
    /// assert_eq!(LayoutMismatch::between(&writer, &writer), None);
    /// let mismatch = LayoutMismatch::between(&writer, &adopter).unwrap();
    /// assert_eq!(mismatch.to_string(), "layout differs: Vec[]: writer u32, adopter u64");
    /// ```
    pub fn between(writer: &Schema, adopter: &Schema) -> Option<LayoutMismatch> {
        if writer.canonical() == adopter.canonical() {
            return None;
        }
        let mut walk =
            Walk { writer, adopter, seen: BTreeSet::new(), found: Vec::new(), more: 0, rooms: None };
        if writer.payload() != adopter.payload() {
            let text = |payload: Payload| Some(payload.to_string());
            walk.push("payload".to_string(), text(writer.payload()), text(adopter.payload()), false);
        }
        let root = match &adopter.root().name {
            name if name.is_empty() => "root".to_string(),
            name => name.to_string(),
        };
        walk.pair(0, 0, root.clone());
        let Walk { mut found, more, rooms, .. } = walk;
        if found.is_empty() {
            found.extend(rooms);
        }
        if found.is_empty() {
            let text = |schema: &Schema| Some(alloc::format!("fingerprint {}", schema.fingerprint()));
            found.push(Difference::new(root, text(writer), text(adopter), false));
        }
        found.sort_by_key(|difference| difference.moved);
        (!found.is_empty()).then_some(LayoutMismatch { differences: found, more })
    }

    /// The differences, the most telling ones first, at most 1,000.
    pub fn differences(&self) -> &[Difference] {
        &self.differences
    }
}

impl fmt::Display for LayoutMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.differences.len().saturating_add(self.more);
        match count.saturating_sub(1) {
            0 => write!(f, "layout differs: {}", self.differences[0]),
            _ if f.alternate() => {
                write!(f, "layout differs in {count} places:")?;
                for difference in self.differences.iter().take(SHOWN) {
                    write!(f, "\n  {difference}")?;
                }
                match count.saturating_sub(SHOWN) {
                    0 => Ok(()),
                    more => write!(f, "\n  (and {more} more)"),
                }
            }
            more => write!(f, "layout differs: {} (and {more} more)", self.differences[0]),
        }
    }
}

crate::debug_as_display!(Difference, LayoutMismatch);
impl core::error::Error for LayoutMismatch {}

struct Walk<'a> {
    writer: &'a Schema,
    adopter: &'a Schema,
    seen: BTreeSet<(u32, u32)>,
    found: Vec<Difference>,
    more: usize,
    /// The first two types that have the same parts and take different room: said if nothing else is.
    rooms: Option<Difference>,
}

impl Walk<'_> {
    fn push(&mut self, path: String, writer: Option<String>, adopter: Option<String>, moved: bool) {
        if self.found.len() < KEPT {
            self.found.push(Difference::new(path, writer, adopter, moved));
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    /// Compares a type of the writer with one of the adopter and everything below, each pair once. Depth-first with
    /// an explicit stack: tables from outside may be deep.
    fn pair(&mut self, writer: u32, adopter: u32, path: String) {
        let mut stack = alloc::vec![(writer, adopter, path, None)];
        while let Some((w, a, path, offsets)) = stack.pop() {
            let (writer, adopter) = (&self.writer.types()[w as usize], &self.adopter.types()[a as usize]);
            // What is below the same pair elsewhere differs alike, and was said. Pairs of different kinds have nothing
            // below: each place is said.
            if self.seen.insert((w, a)) || !same_kind(writer, adopter) {
                let below = self.types(w, a, &path, offsets);
                stack.extend(below.into_iter().rev());
            }
        }
    }

    /// Compares one level; returns the pairs below it.
    fn types(&mut self, w: u32, a: u32, path: &str, offsets: Option<(u64, u64)>) -> Vec<Pair> {
        let (writer, adopter) = (&self.writer.types()[w as usize], &self.adopter.types()[a as usize]);
        if same_kind(writer, adopter) && (writer.size, writer.align) != (adopter.size, adopter.align) {
            let text = |ty: &Type<u32>| Some(alloc::format!("{} bytes, alignment {}", ty.size, ty.align));
            let difference = Difference::new(path.to_string(), text(writer), text(adopter), true);
            self.rooms.get_or_insert(difference);
        }
        match (&writer.shape, &adopter.shape) {
            (Shape::Struct { fields: ours }, Shape::Struct { fields: theirs }) => {
                self.fields(ours, theirs, path)
            }
            (Shape::Enum { variants: ours }, Shape::Enum { variants: theirs }) => {
                let mut below = Vec::new();
                for v in ours.iter() {
                    let path = alloc::format!("{path}::{}", v.name);
                    let tag = |tag: u8| Some(alloc::format!("variant with tag {tag}"));
                    match theirs.iter().find(|t| t.name == v.name) {
                        None => self.push(path, tag(v.tag), None, false),
                        Some(t) => {
                            if t.tag != v.tag {
                                self.push(path.clone(), tag(v.tag), tag(t.tag), false);
                            }
                            below.extend(self.fields(&v.fields, &t.fields, &path));
                        }
                    }
                }
                for t in theirs.iter().filter(|t| ours.iter().all(|v| v.name != t.name)) {
                    let text = alloc::format!("variant with tag {}", t.tag);
                    self.push(alloc::format!("{path}::{}", t.name), None, Some(text), false);
                }
                below
            }
            (ours, theirs) if same_kind(writer, adopter) => {
                let steps: &[&str] = match ours {
                    Shape::HashMap { .. } | Shape::IndexMap { .. } | Shape::BTreeMap { .. } => {
                        &["{key}", "{value}"]
                    }
                    Shape::Array { .. } | Shape::Vec { .. } | Shape::Slice { .. } => &["[]"],
                    _ => &[""],
                };
                let pair = |((step, w), a): ((&&str, u32), u32)| (w, a, alloc::format!("{path}{step}"), None);
                let pairs = steps.iter().zip(ours.children()).zip(theirs.children());
                pairs.map(pair).collect()
            }
            _ => {
                let (at_w, at_a) = match offsets {
                    Some((w, a)) => (alloc::format!(" at offset {w}"), alloc::format!(" at offset {a}")),
                    None => (String::new(), String::new()),
                };
                let text = |schema: &Schema, ty, at| Some(alloc::format!("{}{at}", schema.name_of(ty)));
                let (w, a) = (text(self.writer, w, at_w), text(self.adopter, a, at_a));
                self.push(path.to_string(), w, a, false);
                Vec::new()
            }
        }
    }

    fn fields(&mut self, ours: &[Field<u32>], theirs: &[Field<u32>], path: &str) -> Vec<Pair> {
        let describe = |schema: &Schema, field: &Field<u32>| {
            Some(alloc::format!("{} at offset {}", schema.name_of(field.ty), field.offset))
        };
        let mut below = Vec::new();
        for w in ours {
            let path = alloc::format!("{path}.{}", w.name);
            match theirs.iter().find(|a| a.name == w.name) {
                None => self.push(path, describe(self.writer, w), None, false),
                Some(a) => {
                    let (own, other) = (describe(self.writer, w), describe(self.adopter, a));
                    let (tw, ta) =
                        (&self.writer.types()[w.ty as usize], &self.adopter.types()[a.ty as usize]);
                    if w.offset != a.offset && same_kind(tw, ta) {
                        self.push(path.clone(), own, other, true);
                    }
                    below.push((w.ty, a.ty, path, Some((w.offset, a.offset))));
                }
            }
        }
        for a in theirs.iter().filter(|a| ours.iter().all(|w| w.name != a.name)) {
            self.push(alloc::format!("{path}.{}", a.name), None, describe(self.adopter, a), false);
        }
        below
    }
}

type Pair = (u32, u32, String, Option<(u64, u64)>);

/// The same shape with the same parameters, whatever is below.
fn same_kind(ours: &Type<u32>, theirs: &Type<u32>) -> bool {
    match (&ours.shape, &theirs.shape) {
        (Shape::Struct { .. }, Shape::Struct { .. }) | (Shape::Enum { .. }, Shape::Enum { .. }) => true,
        (a, b) => a.map(|_| 0) == b.map(|_| 0) && (!a.children().is_empty() || ours.size == theirs.size),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_of_many_differences_has_a_line_for_each() {
        type Pair<A, B> = rkyv::tuple::ArchivedTuple2<A, B>;
        let byte = Schema::of::<Pair<u8, u8>>();
        let two = LayoutMismatch::between(&byte, &Schema::of::<Pair<i8, i8>>()).unwrap();
        let lines = [
            "layout differs in 2 places:",
            "  tuple.0: writer u8 at offset 0, adopter i8 at offset 0",
            "  tuple.1: writer u8 at offset 1, adopter i8 at offset 1",
        ];
        assert_eq!(alloc::format!("{two:?}"), lines.join("\n"));
        let one = LayoutMismatch::between(&byte, &Schema::of::<Pair<u8, i8>>()).unwrap();
        assert_eq!(alloc::format!("{one:?}"), one.to_string());
    }

    /// Fields are paired by name, and a table from outside may give one name to two.
    #[test]
    fn a_layout_with_one_name_for_two_fields_is_equal_to_itself() {
        type Pair = rkyv::tuple::ArchivedTuple2<u8, rkyv::primitive::ArchivedU32>;
        let mut table = Schema::of::<Pair>().encode();
        let name = table.windows(5).position(|bytes| bytes == [1, 0, 0, 0, b'1']).unwrap();
        table[name + 4] = b'0';
        let doubled = Schema::decode(&table).unwrap();
        assert_eq!(LayoutMismatch::between(&doubled, &doubled), None);
        let mismatch = LayoutMismatch::between(&doubled, &Schema::of::<Pair>()).unwrap();
        assert!(
            mismatch.differences().iter().any(|difference| difference.path.ends_with(".1")),
            "{mismatch}"
        );
    }
}
