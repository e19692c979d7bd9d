//! The words of a description, and which types they stand for.

use crate::model::types::{CacheKind, Type};

use super::error::SyntheticError;

/// How many objects may be described, as many as XML may have. hwloc has no limit but memory.
const MAX_OBJECTS: u64 = 1 << 20;

/// A word of the description, and where it is.
#[derive(Debug, Clone)]
pub(super) struct Word {
    pub(super) at: usize,
    pub(super) text: String,
}

/// What is said of a NUMA node: bytes, 0 if not given.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory {
    pub(super) size: u64,
    pub(super) side_cache: u64,
}

/// One level of the tree.
#[derive(Debug, Clone)]
pub(super) struct Level {
    pub(super) depth: usize,
    pub(super) word: Word,
    pub(super) ty: Type,
    /// How many there are in each object of the level before.
    pub(super) arity: u64,
    /// How many there are.
    pub(super) width: u64,
    pub(super) group_depth: Option<u32>,
    pub(super) cache_kind: CacheKind,
    /// Of a cache, in bytes; 0 if not given.
    pub(super) size: u64,
    /// Of a NUMA node.
    pub(super) memory: Memory,
    pub(super) indexes: Option<Word>,
    /// NUMA nodes that are attached to each object.
    pub(super) attached: Vec<Memory>,
}

impl Level {
    fn new(word: Word, name: Name, arity: u64, width: u64) -> Self {
        Self {
            depth: 0,
            word,
            ty: name.ty,
            arity,
            width,
            group_depth: name.group_depth,
            cache_kind: name.cache_kind,
            size: 0,
            memory: Memory::default(),
            indexes: None,
            attached: Vec::new(),
        }
    }
}

/// The machine, and the levels below it.
#[derive(Debug)]
pub(super) struct Description {
    pub(super) levels: Vec<Level>,
    pub(super) attached_indexes: Option<Word>,
}

/// What the name of a type says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) ty: Type,
    pub(super) group_depth: Option<u32>,
    pub(super) cache_kind: CacheKind,
}

impl Name {
    const fn of(ty: Type) -> Self {
        Self { ty, group_depth: None, cache_kind: CacheKind::Unified }
    }

    /// Reads a name as `hwloc_type_sscanf` does, of the types that a description may have.
    pub(super) fn parse(word: &str) -> Option<Self> {
        let word = word.to_ascii_lowercase();
        let is = |name: &str| word.len() >= 2 && name.starts_with(&word);
        let ty = match () {
            () if is("numanode") || is("node") => Type::NumaNode,
            () if is("package") || is("socket") => Type::Package,
            () if is("die") => Type::Die,
            () if is("core") => Type::Core,
            () if is("pu") => Type::Pu,
            () if word.starts_with("tile") || word.starts_with("module") => Type::Group,
            () => return Self::cache(&word).or_else(|| Self::group(&word)),
        };
        Some(Self::of(ty))
    }

    /// `l2`, `L2d`, `l1icache`.
    fn cache(word: &str) -> Option<Self> {
        let word = word.strip_prefix('l')?;
        let level = word.chars().next()?.to_digit(10)?;
        let rest = &word[1..];
        let (kind, rest) = match rest.chars().next() {
            Some('i') => (CacheKind::Instruction, &rest[1..]),
            Some('d') => (CacheKind::Data, &rest[1..]),
            Some('u') => (CacheKind::Unified, &rest[1..]),
            _ => (CacheKind::Unified, rest),
        };
        let ty = Type::cache(level, kind)?;
        "cache".starts_with(rest).then_some(Self { ty, group_depth: None, cache_kind: kind })
    }

    /// `group`, `Group0`.
    fn group(word: &str) -> Option<Self> {
        let letters = word.trim_end_matches(|digit: char| digit.is_ascii_digit());
        let depth = &word[letters.len()..];
        let is_group = letters.len() >= 2 && "group".starts_with(letters);
        let group_depth = if depth.is_empty() { None } else { Some(depth.parse().ok()?) };
        is_group.then_some(Self { group_depth, ..Self::of(Type::Group) })
    }
}

/// Decimal without leading zeros (which would be octal to hwloc), or hexadecimal.
fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) if !digits.starts_with('+') => u64::from_str_radix(digits, 16).ok(),
        None if text.starts_with('+') || text.starts_with('0') && text != "0" => None,
        None => text.parse().ok(),
        Some(_) => None,
    }
}

/// A number of bytes with or without a unit.
fn bytes(text: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 8] = [
        ("TiB", 1 << 40),
        ("GiB", 1 << 30),
        ("MiB", 1 << 20),
        ("kiB", 1 << 10),
        ("TB", 1_000_000_000_000),
        ("GB", 1_000_000_000),
        ("MB", 1_000_000),
        ("kB", 1_000),
    ];
    for (unit, factor) in UNITS {
        if let Some(split) = text.len().checked_sub(unit.len())
            && let Some(found) = text.get(split..)
            && found.eq_ignore_ascii_case(unit)
        {
            return number(&text[..split])?.checked_mul(factor);
        }
    }
    number(text)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn skip_space(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Takes `expected` if it is next.
    fn take(&mut self, expected: char) -> bool {
        let found = self.peek() == Some(expected);
        if found {
            self.at += expected.len_utf8();
        }
        found
    }

    /// What comes before any of `ends` or a space; if nothing does, the next character stands for it in errors.
    fn word(&mut self, ends: &[char]) -> Word {
        let rest = &self.text[self.at..];
        let len = rest.find(|c: char| c.is_whitespace() || ends.contains(&c)).unwrap_or(rest.len());
        let word = Word { at: self.at, text: rest[..len].to_owned() };
        self.at += len;
        word
    }

    /// What stands at `word`, which is empty if a delimiter does.
    fn shown(&self, word: Word) -> (usize, String) {
        let next = || self.text[word.at..].chars().next().map(String::from).unwrap_or_default();
        (word.at, if word.text.is_empty() { next() } else { word.text })
    }

    fn name(&self, word: &Word) -> Result<Name, SyntheticError> {
        Name::parse(&word.text).ok_or_else(|| {
            let (at, word) = self.shown(word.clone());
            SyntheticError::Type { at, word }
        })
    }

    /// The attributes in parentheses, if there are any. Without a type only indexes can be given.
    fn attributes(
        &mut self,
        ty: Option<Type>,
        size: &mut u64,
        memory: &mut Memory,
        indexes: &mut Option<Word>,
    ) -> Result<(), SyntheticError> {
        let open = self.at;
        if !self.take('(') {
            return Ok(());
        }
        loop {
            self.skip_space();
            if self.take(')') {
                return Ok(());
            }
            let word = self.word(&[')']);
            if word.text.is_empty() {
                return Err(SyntheticError::Unclosed { at: open, word: "(".into() });
            }
            let (key, value) = word.text.split_once('=').unwrap_or((&word.text, ""));
            let cache = ty.is_some_and(Type::is_cache);
            let slot = match key {
                "indexes" => {
                    let at = word.at + "indexes=".len();
                    let text = value.to_owned();
                    if indexes.is_some() {
                        let rule = "indexes are given once already";
                        return Err(SyntheticError::Indexes { at, word: text, rule });
                    }
                    *indexes = Some(Word { at, text });
                    continue;
                }
                "size" if cache => Some(&mut *size),
                "memory" if ty == Some(Type::NumaNode) => Some(&mut memory.size),
                "memorysidecachesize" if ty == Some(Type::NumaNode) => Some(&mut memory.side_cache),
                _ => None,
            };
            match slot.zip(bytes(value)) {
                Some((slot, value)) => *slot = value,
                None => return Err(SyntheticError::Attribute { at: word.at, word: word.text }),
            }
        }
    }
}

/// The description as a tree of levels, all with types.
pub(super) fn parse(text: &str) -> Result<Description, SyntheticError> {
    let mut parser = Parser { text, at: 0 };
    let machine = Word { at: 0, text: String::new() };
    let mut levels = vec![Level::new(machine, Name::of(Type::Machine), 1, 1)];
    let mut typed = vec![true];
    let (mut attached_indexes, mut objects, mut first_attached) = (None, 1u64, None);
    loop {
        parser.skip_space();
        let start = parser.at;
        let (depth, width) = (levels.len() - 1, levels.last().map_or(1, |level| level.width));
        let Some(next) = parser.peek() else { break };
        let more = if parser.take('[') {
            let word = parser.word(&[':', '(', ')', '[', ']']);
            if parser.name(&word)?.ty != Type::NumaNode {
                return Err(SyntheticError::Type { at: word.at, word: word.text });
            }
            let mut memory = Memory::default();
            parser.attributes(Some(Type::NumaNode), &mut 0, &mut memory, &mut attached_indexes)?;
            parser.skip_space();
            if !parser.take(']') {
                return Err(SyntheticError::Unclosed { at: start, word: "[".into() });
            }
            first_attached.get_or_insert(word);
            levels[depth].attached.push(memory.clone());
            width * if memory.side_cache == 0 { 1 } else { 2 }
        } else {
            let word = parser.word(&[':', '(', ')', '[', ']']);
            let (name, count) = if next.is_ascii_digit() {
                (None, word.clone())
            } else {
                let name = parser.name(&word)?;
                if !parser.take(':') {
                    return Err(SyntheticError::Count { at: word.at, word: word.text });
                }
                (Some(name), parser.word(&[':', '(', ')', '[', ']']))
            };
            let Some(arity) = number(&count.text).filter(|&arity| arity > 0) else {
                let (at, word) = parser.shown(count);
                return Err(SyntheticError::Count { at, word });
            };
            let width = width.saturating_mul(arity);
            let shown = Word { at: start, text: text[start..parser.at].to_owned() };
            let mut level = Level::new(shown, name.unwrap_or(Name::of(Type::Pu)), arity, width);
            let Level { size, memory, indexes, .. } = &mut level;
            parser.attributes(name.map(|name| name.ty), size, memory, indexes)?;
            let side_cache = level.memory.side_cache != 0;
            levels.push(level);
            typed.push(name.is_some());
            width.saturating_mul(if side_cache { 2 } else { 1 })
        };
        objects = objects.saturating_add(more);
        if objects > MAX_OBJECTS {
            let word = text[start..parser.at].to_owned();
            return Err(SyntheticError::TooMany { at: start, word, objects, limit: MAX_OBJECTS });
        }
    }
    types(&mut levels, &typed, first_attached.as_ref())?;
    for (depth, level) in levels.iter_mut().enumerate() {
        level.depth = depth;
    }
    Ok(Description { levels, attached_indexes })
}

/// Finds the types that are not given, and checks those that are.
fn types(levels: &mut Vec<Level>, typed: &[bool], attached: Option<&Word>) -> Result<(), SyntheticError> {
    let last = levels.len() - 1;
    if last == 0 {
        return Err(SyntheticError::Empty);
    }
    if levels[last].ty != Type::Pu {
        let (Word { at, text }, ty) = (levels[last].word.clone(), levels[last].ty);
        return Err(SyntheticError::LastLevel { at, word: text, ty });
    }
    if let Some(differs) = (2..last).find(|&depth| typed[depth] != typed[1]) {
        let Word { at, text } = levels[differs].word.clone();
        return Err(SyntheticError::Mixed { at, word: text });
    }
    if last > 1 && !typed[1] {
        for (level, name) in levels[1..last].iter_mut().zip(chosen(last - 1, attached.is_some())) {
            (level.ty, level.cache_kind) = (name.ty, name.cache_kind);
        }
    }
    once(levels, attached)?;
    if attached.is_none() && levels.iter().all(|level| level.ty != Type::NumaNode) {
        let word = levels[0].word.clone();
        levels.insert(1, Level::new(word, Name::of(Type::NumaNode), 1, 1));
    }
    // The outermost group has the largest number.
    let mut depth = levels.iter().filter(|level| level.ty == Type::Group).count() as u32;
    for level in levels.iter_mut().filter(|level| level.ty == Type::Group && level.group_depth.is_none()) {
        level.group_depth = Some(depth);
        depth -= 1;
    }
    Ok(())
}

fn once(levels: &[Level], attached: Option<&Word>) -> Result<(), SyntheticError> {
    let twice = |word: &Word, ty| Err(SyntheticError::Twice { at: word.at, word: word.text.clone(), ty });
    let mut known: Vec<Type> = Vec::new();
    for level in levels.iter().filter(|level| level.ty != Type::Group) {
        if known.contains(&level.ty) {
            return twice(&level.word, level.ty);
        }
        known.push(level.ty);
    }
    let level = levels.iter().find(|level| level.ty == Type::NumaNode);
    match (level, attached) {
        (Some(level), Some(attached)) if level.word.at > attached.at => twice(&level.word, level.ty),
        (Some(level), Some(attached)) => twice(attached, level.ty),
        _ => Ok(()),
    }
}

/// Types for so many levels between the machine and the processing units, as usual machines have them.
fn chosen(count: usize, attached: bool) -> Vec<Name> {
    let mut left = count;
    let mut take = |most: usize| {
        let taken = most.min(left);
        left -= taken;
        taken
    };
    let (numa, package, core, caches) = (take(usize::from(!attached)), take(1), take(1), take(4));
    let l1 = Name { cache_kind: CacheKind::Data, ..Name::of(Type::L1Cache) };
    let l1i = Name { cache_kind: CacheKind::Instruction, ..Name::of(Type::L1iCache) };
    let (l2, l3) = (Name::of(Type::L2Cache), Name::of(Type::L3Cache));
    let caches: &[Name] = match caches {
        0 => &[],
        1 => &[l2],
        2 => &[l2, l1],
        3 => &[l3, l2, l1],
        _ => &[l3, l2, l1, l1i],
    };
    let mut names = vec![Name::of(Type::Group); left];
    names.extend(core::iter::repeat_n(Name::of(Type::Package), package));
    names.extend(core::iter::repeat_n(Name::of(Type::NumaNode), numa));
    names.extend_from_slice(caches);
    names.extend(core::iter::repeat_n(Name::of(Type::Core), core));
    names
}
