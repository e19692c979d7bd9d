//! The validator: a compiled layout, and the ways to run it over an object.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BinaryHeap};
use alloc::string::String;
use alloc::vec::Vec;
use core::{fmt, ptr};

use super::compile::compile;
use super::error::{ObjectError, ObjectFacts};
use super::graph::Graph;
use super::program::{NONE, Program};
use super::run::{Fault, Machine, Maps, Task};
use super::words::{Big2, Big4, Big8, Bytes, Little2, Little4, Little8};
use crate::objects::damage::Damage;
use crate::objects::value::{Effort, Keys, count, disorder};
use crate::types::layout::{Layout, Shape, TypeRef};
use crate::types::schema::unfold;
use crate::types::sound::containment_order;
use crate::{Payload, Schema, UnsoundSchema};

/// Checks objects of one layout.
///
/// Compiled once, for as many objects as there are. Checking costs O(bytes that can be wrong): pointers, bools, chars,
/// tags, texts, tables; arrays of plain numbers cost O(1), and so do elements without bytes. Shared pointers cost
/// O(log n) each, in a list of those met so far.
///
/// Memory while checking: at most 64 bytes for each byte of the object, 128 where offsets have two; 0 to 5 KiB for most.
/// It does not recurse.
///
/// # Examples
/// ```
/// use graven_format::{Damage, Validator};
/// use rkyv::{primitive::ArchivedU32, rancor::BoxedError, vec::ArchivedVec};
///
/// let mut bytes = rkyv::to_bytes::<BoxedError>(&vec![true, false])?;
/// let validator = Validator::of::<ArchivedVec<bool>>();
/// let root = (bytes.len() - size_of::<ArchivedVec<bool>>()) as u64;
/// assert_eq!(validator.check(&bytes, root), Ok(()));
///
/// bytes[1] = 7;
/// let error = validator.check(&bytes, root).unwrap_err();
/// assert_eq!(error.to_string(), "[1]: offset 1: bool is 7, neither 0 nor 1");
/// # Ok::<(), BoxedError>(())
/// ```
/// Source: SPEC 8, step 20.
#[derive(Debug)]
pub struct Validator {
    graph: Graph,
    program: Program,
    /// The largest alignment of any type.
    align: u64,
    /// Whether types' own checks are called.
    called: bool,
    /// What maps are read by: the types as they are. None if there are no maps, or their types are not known.
    types: Option<Box<Schema>>,
}

/// A part of an object that can be checked apart from the others, by the validator that found it.
#[derive(Clone, Copy)]
pub struct ObjectPart<'a> {
    task: Task,
    /// INVARIANT: the two that the task was made from. It is a place in the one's program and a claim to the other's
    /// bytes, which are read without asking again.
    validator: &'a Validator,
    object: &'a [u8],
}

impl ObjectPart<'_> {
    /// The most bytes that it can take to check it.
    pub fn window(&self) -> u64 {
        self.task.window()
    }
}

impl fmt::Debug for ObjectPart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.task.fmt(f)
    }
}

/// Evaluates an expression for the words of a validator's payload.
macro_rules! words {
    ($validator:expr, $words:ident => $run:expr) => {{
        macro_rules! with {
            ($chosen:ty) => {{
                type $words = $chosen;
                $run
            }};
        }
        let Payload { offset_width, big_endian, .. } = $validator.graph.payload;
        match (offset_width, big_endian) {
            (2, false) => with!(Little2),
            (4, false) => with!(Little4),
            (8, false) => with!(Little8),
            (2, true) => with!(Big2),
            (4, true) => with!(Big4),
            (_, _) => with!(Big8),
        }
    }};
}

impl Validator {
    /// For objects that are adopted as `T`: structure, and what the types' own checks say.
    ///
    /// If an object passes, its root is a valid `T`: what `rkyv::access` accepts, and safe in use.
    ///
    /// O(types · depth).
    pub fn of<T: Layout + ?Sized>() -> Validator {
        Validator::of_type(TypeRef::of::<T>())
    }

    /// Not generic, so that it is compiled once and not for each type.
    fn of_type(root: TypeRef) -> Validator {
        let (refs, types) = unfold(root);
        let mut identities = BTreeMap::new();
        let shared = refs
            .iter()
            .map(|ty| {
                let next = identities.len() as u32;
                *identities.entry(ty.shared()).or_insert(next)
            })
            .collect();
        let invariants = refs.iter().map(|ty| ty.invariant()).collect();
        let lookups = refs.iter().map(|ty| ty.lookup()).collect();
        let order = containment_order(&types).expect("a Rust type does not contain itself");
        Validator::new(Graph { payload: Payload::NATIVE, types, order, invariants, lookups, shared })
    }

    /// For objects of a layout that is known by its schema only: structure. What the types' own checks would say is not
    /// known: see [`unchecked_types`](Validator::unchecked_types).
    ///
    /// O(schema).
    ///
    /// # Errors
    /// [`UnsoundSchema`]: the schema cannot be followed.
    pub fn of_schema(schema: &Schema) -> Result<Validator, UnsoundSchema> {
        schema.check_sound()?;
        let types = schema.types().to_vec();
        let shared = types.iter().map(|ty| match ty.shape {
            Shape::Shared { pointee } | Shape::Weak { pointee } => pointee,
            _ => 0,
        });
        let (shared, order) = (shared.collect(), containment_order(&types)?);
        let (invariants, lookups) = (alloc::vec![None; types.len()], alloc::vec![None; types.len()]);
        Ok(Validator::new(Graph { payload: schema.payload(), types, order, invariants, lookups, shared }))
    }

    fn new(graph: Graph) -> Validator {
        let program = compile(&graph, None);
        let align = graph.types.iter().map(|ty| ty.align).max().unwrap_or(1).into();
        let called = graph.invariants.iter().any(Option::is_some);
        let has_lookups = graph.lookups.iter().any(Option::is_some);
        let types = has_lookups.then(|| Box::new(Schema::unfolded(graph.payload, graph.types.clone())));
        Validator { graph, program, align, called, types }
    }

    /// Whether types' own checks are called: then an equal layout does not make a valid value.
    pub fn asks_types(&self) -> bool {
        self.called
    }

    /// The names of the types whose values have to hold more than was checked: of a validator made of a schema, all that
    /// have checks of their own; of one made of Rust types, none.
    pub fn unchecked_types(&self) -> impl Iterator<Item = &str> {
        let types = self.graph.types.iter().zip(&self.graph.invariants);
        types.filter(|(ty, check)| ty.invariants && check.is_none()).map(|(ty, _)| &*ty.name)
    }

    /// Checks the object in `object`, whose root is at `root`.
    ///
    /// If types' own checks are to be called, the bytes have to be aligned in memory as the types are.
    ///
    /// # Errors
    /// [`ObjectError`], the first found.
    #[inline]
    pub fn check(&self, object: &[u8], root: u64) -> Result<(), ObjectError> {
        match self.root(object, root)? {
            Some(task) => self.run::<false>(object, task, &mut BinaryHeap::new()),
            None => Ok(()),
        }
    }

    /// Checks that lookups in the maps of the object in `object` find what is in them, by the keys' own [`Hash`] and
    /// [`Ord`], and with it that the object is valid, as [`check`](Validator::check) does. Of a validator that was made of
    /// a schema: for keys whose hash and order the schema knows.
    ///
    /// A map that is out of order is safe to read, and finds less than it has. `true` says that of each of the type's maps
    /// there was one with two keys or more, so that there was something to ask.
    ///
    /// The bytes have to be aligned in memory as the types are. O(bytes), and for B-trees times their depth; of texts that
    /// are keys 32 bytes are asked for each byte of the object, and then no more. What a key's own code costs is its own.
    ///
    /// # Errors
    /// [`ObjectError`], the first found; [`Damage::Disorder`] of a map.
    ///
    /// # Examples
    /// ```
    /// use graven_format::Validator;
    /// use rkyv::{collections::swiss_table::ArchivedHashSet, net::ArchivedIpv4Addr, rancor::BoxedError};
    /// type Set = ArchivedHashSet<ArchivedIpv4Addr>;
    ///
    /// // rkyv places entries by the hash of the address before archiving, which is another one.
    /// let addresses: std::collections::HashSet<_> = (0..9u32).map(std::net::Ipv4Addr::from).collect();
    /// let bytes = rkyv::to_bytes::<BoxedError>(&addresses)?;
    /// let (validator, root) = (Validator::of::<Set>(), (bytes.len() - size_of::<Set>()) as u64);
    /// assert_eq!(validator.check(&bytes, root), Ok(()));
    /// assert!(validator.check_keys(&bytes, root).unwrap_err().to_string().contains("not"));
    /// # Ok::<(), BoxedError>(())
    /// ```
    /// Source: SPEC 6.3, Hash map, Index map, B-tree map.
    ///
    /// [`Hash`]: core::hash::Hash
    pub fn check_keys(&self, object: &[u8], root: u64) -> Result<bool, ObjectError> {
        match &self.types {
            Some(types) if object.as_ptr().addr() as u64 & (self.align - 1) == 0 => {
                self.disorder(types, object, root)
            }
            Some(_) => Err(self.misplaced(object, root)),
            None => self.check(object, root).map(|()| true),
        }
    }

    /// Whether its objects can have maps.
    pub fn has_maps(&self) -> bool {
        self.program.has_maps()
    }

    /// Checks the object, and then its maps: that lookups by keys whose hash and order are known find everything.
    /// `schema` is what the validator was made of.
    ///
    /// O(bytes), like checking, and a few words for each map.
    pub(crate) fn disorder(&self, schema: &Schema, object: &[u8], root: u64) -> Result<bool, ObjectError> {
        let mut maps = Vec::new();
        let Some(task) = self.root(object, root)? else { return Ok(true) };
        self.run_with_maps(object, task, Maps::Note(&mut maps))?;
        let mut effort = Effort::for_object(object);
        // Of which types' maps nothing has been asked.
        let mut left: Vec<bool> = self.graph.lookups.iter().map(Option::is_some).collect();
        for map in maps {
            let keys = self.graph.lookups[map.0 as usize].map(|lookup| Keys::new(object, lookup));
            if let Some(what) = disorder(object, schema, map, keys, &mut effort) {
                // Once more, for the way to it.
                self.run_with_maps(object, task, Maps::Refuse(map, what))?;
            }
            left[map.0 as usize] &= count(object, schema, map) < 2;
        }
        Ok(!left.contains(&true))
    }

    fn run_with_maps(&self, object: &[u8], task: Task, maps: Maps<'_>) -> Result<(), ObjectError> {
        let (bytes, mut parts) = (Bytes::new(object), BinaryHeap::new());
        let result = words!(self, Words => {
            Machine::<Words, false>::new(bytes, &self.graph, &self.program, &mut parts).with_maps(maps).run(task)
        });
        result.map_err(|fault| self.explain(*fault))
    }

    /// Parts of the object that together are all of it, but for what has been checked to find them. About as many as
    /// asked for, if the object has so many; one, if it cannot be split, because of shared pointers or types' own checks.
    ///
    /// # Errors
    /// [`ObjectError`], of what has been checked.
    pub fn split<'a>(
        &'a self,
        object: &'a [u8],
        root: u64,
        parts: usize,
    ) -> Result<Vec<ObjectPart<'a>>, ObjectError> {
        let Some(root) = self.root(object, root)? else { return Ok(Vec::new()) };
        let part = |task| ObjectPart { task, validator: self, object };
        if !self.program.can_split() {
            return Ok(alloc::vec![part(root)]);
        }
        // The largest first. What is left is too small to be worth it, or there is enough.
        let mut heap = BinaryHeap::from([root]);
        let worth = root.window() / (parts.max(1) as u64 * 2);
        while heap.len() < parts && heap.peek().is_some_and(|task| task.window() > worth) {
            let Some(task) = heap.pop() else { break };
            self.run::<true>(object, task, &mut heap)?;
        }
        Ok(heap.into_iter().map(part).collect())
    }

    /// Checks a part that [`split`](Validator::split) found in the same object.
    ///
    /// # Errors
    /// [`ObjectError`], the first found; its path starts at the part.
    ///
    /// # Panics
    /// If the part is of other bytes or another validator, be they equal.
    pub fn check_part(&self, object: &[u8], part: ObjectPart<'_>) -> Result<(), ObjectError> {
        assert!(ptr::eq(self, part.validator) && ptr::eq(object, part.object), "a part of another object");
        self.run::<false>(object, part.task, &mut BinaryHeap::new())
    }

    /// The root's task; none if nothing in it can be wrong.
    #[inline]
    fn root(&self, object: &[u8], root: u64) -> Result<Option<Task>, ObjectError> {
        let run = &self.program.runs[0];
        let fits = root.checked_add(run.size).is_some_and(|end| end <= object.len() as u64);
        if !fits
            || root & (run.align - 1) != 0
            || self.called && object.as_ptr().addr() as u64 & (self.align - 1) != 0
        {
            return Err(self.misplaced(object, root));
        }
        if run.columns.0 != run.columns.1 {
            self.root_columns(object, root)?;
        }
        Ok((run.entry != NONE).then_some(Task { run: 0, at: root, left: 1, low: 0, high: root }))
    }

    #[cold]
    fn misplaced(&self, object: &[u8], root: u64) -> ObjectError {
        let length = object.len() as u64;
        let cause = Damage::Root { root, size: self.program.runs[0].size, align: self.align, length };
        ObjectError(Box::new(ObjectFacts { offset: root, path: String::new(), cause }))
    }

    /// Checks the columns of the root, which fits.
    #[inline(never)]
    fn root_columns(&self, object: &[u8], root: u64) -> Result<(), ObjectError> {
        let bytes = Bytes::new(object);
        let result = words!(self, Words => {
            Machine::<Words, false>::new(bytes, &self.graph, &self.program, &mut BinaryHeap::new()).root(root)
        });
        result.map_err(|fault| self.explain(*fault))
    }

    /// Runs a task of this object; with `SPLIT`, what pointers of its values lead to becomes tasks instead.
    fn run<const SPLIT: bool>(
        &self,
        object: &[u8],
        task: Task,
        parts: &mut BinaryHeap<Task>,
    ) -> Result<(), ObjectError> {
        let bytes = Bytes::new(object);
        let result = words!(self, Words => {
            Machine::<Words, SPLIT>::new(bytes, &self.graph, &self.program, parts).run(task)
        });
        result.map_err(|fault| self.explain(*fault))
    }

    #[cold]
    fn explain(&self, fault: Fault) -> ObjectError {
        let path = fault.path(&compile(&self.graph, Some(fault.wanted(&self.program))));
        ObjectError(Box::new(ObjectFacts { offset: fault.offset, path, cause: fault.cause }))
    }
}
