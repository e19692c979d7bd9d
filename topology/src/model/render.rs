//! The topology as text, in the style of lstopo's console output.

use core::fmt;

use super::handle::ObjectRef;
use super::read::Topo;
use super::types::{CacheKind, ChildKind, Type};

/// The topology as a tree of lines, one per object: see [`Render`] for what can be left out.
///
/// ```text
/// Machine (23GB total)
///   Package L#0
///     NUMANode L#0 (P#0 23GB)
///     L3 L#0 (32MB)
///       Core L#0
///         PU L#0 (P#0)
/// ```
/// `L#` is the logical_index, `P#` the os_index. Memory children come before normal ones, as in lstopo.
pub fn render<T: Topo>(topology: &T) -> Render<'_, T> {
    Render { topology, only: None }
}

/// Indentation of the deepest level; those below it are indented like it. Padding would write each space by itself.
const INDENT: &str = match str::from_utf8(&[b' '; 128]) {
    Ok(spaces) => spaces,
    Err(_) => "",
};

/// What [`render`] returns: print it with `{}`.
pub struct Render<'a, T> {
    topology: &'a T,
    only: Option<Type>,
}

impl<T> Render<'_, T> {
    /// Only the objects of type `ty`, one per line, from left to right.
    pub fn only(self, ty: Type) -> Self {
        Self { only: Some(ty), ..self }
    }
}

impl<T: Topo> fmt::Display for Render<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(ty) = self.only {
            return self.topology.by_type(ty).try_for_each(|object| writeln!(f, "{}", Line(object)));
        }
        // An explicit stack, and a bound on the indentation: the depth of the tree is the writer's choice.
        let mut stack = vec![(0usize, self.topology.root())];
        while let Some((indent, object)) = stack.pop() {
            writeln!(f, "{}{}", &INDENT[..(indent * 2).min(INDENT.len())], Line(object))?;
            for kind in [ChildKind::Misc, ChildKind::Io, ChildKind::Normal, ChildKind::Memory] {
                stack.extend(object.children(kind).rev().map(|child| (indent + 1, child)));
            }
        }
        Ok(())
    }
}

/// One object in one line.
struct Line<'a, T>(ObjectRef<'a, T>);

impl<T: Topo> fmt::Display for Line<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let object = self.0;
        match object.cache().filter(|_| object.ty().is_cache()) {
            Some(cache) => {
                let kind = match cache.kind {
                    CacheKind::Unified => "",
                    CacheKind::Data => "d",
                    CacheKind::Instruction => "i",
                };
                write!(f, "L{}{kind}", cache.level)?;
            }
            None => write!(f, "{}", object.ty())?,
        }
        if let Some(subtype) = object.subtype() {
            write!(f, "({})", subtype.escape_debug())?;
        }
        if object.ty() != Type::Machine {
            write!(f, " L#{}", object.logical_index())?;
        }
        let mut parenthesis = Parenthesis { separator: " (" };
        // Cores and packages have an os_index too, which is unique only within their parent: lstopo leaves it out.
        if let Some(index) = object.os_index().filter(|_| matches!(object.ty(), Type::Pu | Type::NumaNode)) {
            parenthesis.add(f, format_args!("P#{index}"))?;
        }
        if object.ty() == Type::Machine && object.total_memory() > 0 {
            parenthesis.add(f, format_args!("{} total", Size(object.total_memory())))?;
        }
        if let Some(size) =
            object.local_memory().or(object.cache().map(|cache| cache.size)).filter(|&size| size > 0)
        {
            parenthesis.add(f, format_args!("{}", Size(size)))?;
        }
        if let Some(pci) = object.pci() {
            parenthesis.add(
                f,
                format_args!(
                    "{:04x}:{:02x}:{:02x}.{:01x} {:04x}:{:04x}",
                    pci.domain, pci.bus, pci.dev, pci.func, pci.vendor, pci.device
                ),
            )?;
        }
        parenthesis.end(f)?;
        match object.name() {
            Some(name) if !name.is_empty() => write!(f, " \"{}\"", name.escape_debug()),
            _ => Ok(()),
        }
    }
}

/// What stands in parentheses, if anything does.
struct Parenthesis {
    separator: &'static str,
}

impl Parenthesis {
    fn add(&mut self, f: &mut fmt::Formatter<'_>, fact: fmt::Arguments<'_>) -> fmt::Result {
        f.write_str(self.separator)?;
        self.separator = " ";
        f.write_fmt(fact)
    }

    fn end(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.separator == " " { f.write_str(")") } else { Ok(()) }
    }
}

/// Bytes in the unit that leaves two to four digits, rounded.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = |shift: u32| (u128::from(self.0) + (1 << (shift - 1))) >> shift;
        match self.0 {
            0..0xa0_0000 => write!(f, "{}KB", unit(10)),
            0xa0_0000..0x2_8000_0000 => write!(f, "{}MB", unit(20)),
            0x2_8000_0000..0xa00_0000_0000 => write!(f, "{}GB", unit(30)),
            _ => write!(f, "{}TB", unit(40)),
        }
    }
}
