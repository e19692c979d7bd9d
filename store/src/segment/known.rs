//! What is known of each type that this process writes or adopts: its layout, computed once.

use std::any::TypeId;
use std::cell::Cell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, OnceLock, PoisonError, RwLock};

use graven_format::layout::{Layout, Shape, TypeRef};
use graven_format::{Fingerprint, Schema, UnsoundSchema, Validator, canonical_part};

use crate::Cause;

pub(crate) struct Known {
    pub(crate) schema: Schema,
    fingerprint: OnceLock<Fingerprint>,
    validator: OnceLock<Validator>,
    written: OnceLock<Written>,
    keys: MapKeys,
    /// Compiles it.
    compile: fn() -> Validator,
    /// The encoded schema.
    pub(crate) table: Vec<u8>,
    /// The part of it that layouts are compared by.
    canonical: Vec<u8>,
}

/// Of a type whose keys are plain, so many values are looked into.
const LOOKED_INTO: u32 = 16;

/// The keys of a type's maps: whether lookups find them is a matter of the types before and after archiving, of which
/// writers see the latter only.
enum MapKeys {
    /// There are no maps.
    None,
    /// All are strings, integers, bools or chars, which hash and compare like what is archived as them, but for types that
    /// somebody has made to do otherwise: which shows with the first values, or else to who verifies. Of each type before
    /// archiving, how many values were looked into.
    Plain(Mutex<HashMap<TypeId, u32>>),
    /// Some are not: an enum may hash alike with this value, and not with that.
    Any,
}

/// What a writer has to know.
struct Written {
    /// See [`Schema::check_writable`].
    checked: Result<(), UnsoundSchema>,
    /// See [`Schema::pointers_within`].
    pointers: u64,
    /// Whether one shared target may be written for two types.
    aliased: bool,
}

type Types = HashMap<TypeId, &'static Known, BuildHasherDefault<TypeIdHasher>>;

thread_local! {
    /// What this thread asked for last: mostly it asks for the same again, and then takes no lock.
    static LAST: Cell<Option<(TypeId, &'static Known)>> = const { Cell::new(None) };
}

/// A `TypeId` is a hash already, and nobody outside chooses it: its last word will do.
#[derive(Default)]
struct TypeIdHasher(u64);

impl Hasher for TypeIdHasher {
    fn write(&mut self, bytes: &[u8]) {
        // Only if `TypeId` ever stops to write one word.
        self.0 = bytes.iter().fold(self.0, |hash, &byte| hash.rotate_left(8) ^ u64::from(byte));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = word;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Known {
    /// The layout of `T`. Some microseconds per type of its schema for the first call, then a look into a table.
    #[inline]
    pub(crate) fn of<T: Layout + ?Sized>() -> &'static Known {
        let id = TypeRef::of::<T>().id();
        match LAST.get() {
            Some((last, known)) if last == id => known,
            _ => {
                let known = Known::look_up::<T>(id);
                LAST.set(Some((id, known)));
                known
            }
        }
    }

    fn look_up<T: Layout + ?Sized>(id: TypeId) -> &'static Known {
        // One table for all types: a static inside a generic function would be shared by all its instances.
        static TYPES: RwLock<Option<Types>> = RwLock::new(None);
        // A poisoned lock means a panic between two inserts; the map itself is whole.
        let types = TYPES.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(known) = types.as_ref().and_then(|types| types.get(&id)) {
            return known;
        }
        drop(types);
        let schema = Schema::of::<T>();
        let keys = match schema.knows_keys() {
            None => MapKeys::None,
            Some(true) => MapKeys::Plain(Mutex::default()),
            Some(false) => MapKeys::Any,
        };
        let known = Known {
            fingerprint: OnceLock::new(),
            validator: OnceLock::new(),
            written: OnceLock::new(),
            compile: Validator::of::<T>,
            table: schema.encode(),
            canonical: schema.canonical(),
            keys,
            schema,
        };
        let mut types = TYPES.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        // Lives as long as the process: there are as many as types.
        types.get_or_insert_default().entry(id).or_insert_with(|| Box::leak(Box::new(known)))
    }

    /// Adopting compares whole tables, so only writers ask for it.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        *self.fingerprint.get_or_init(|| self.schema.fingerprint())
    }

    /// Asks whether values of the layout can be written: what checking readers refuse is not written.
    /// Where pointers are in what rkyv lays out: see [`Schema::pointers_within`].
    pub(crate) fn writable(&self) -> Result<u64, Cause> {
        let written = self.written.get_or_init(|| Written {
            checked: self.schema.check_writable(),
            pointers: self.schema.pointers_within(),
            aliased: can_be_aliased(&self.schema),
        });
        written.checked.clone().map_err(Cause::Unwritable)?;
        Ok(written.pointers)
    }

    /// Whether a value, of a layout that can be written, may have one shared target as two types.
    pub(crate) fn can_be_aliased(&self) -> bool {
        self.written.get().is_some_and(|written| written.aliased)
    }

    /// Whether the maps of a `T` that is written now, of this layout, are to be looked into.
    pub(crate) fn looks_into_maps_of<T: ?Sized>(&self) -> bool {
        match &self.keys {
            MapKeys::None => false,
            MapKeys::Plain(looked) => {
                let looked = looked.lock().unwrap_or_else(PoisonError::into_inner);
                looked.get(&typeid::of::<T>()).is_none_or(|looked| *looked < LOOKED_INTO)
            }
            MapKeys::Any => true,
        }
    }

    /// Counts a `T` whose maps were looked into and are right, none of them empty.
    pub(crate) fn has_looked_into_maps_of<T: ?Sized>(&self) {
        if let MapKeys::Plain(looked) = &self.keys {
            let mut looked = looked.lock().unwrap_or_else(PoisonError::into_inner);
            let looked = looked.entry(typeid::of::<T>()).or_default();
            *looked = looked.saturating_add(1);
        }
    }

    /// Who only writes does not ask for it, unless there are maps.
    pub(crate) fn validator(&self) -> &Validator {
        self.validator.get_or_init(self.compile)
    }

    /// Whether a table from a segment describes the same layout.
    pub(crate) fn same_layout(&self, table: &[u8]) -> bool {
        canonical_part(table).is_ok_and(|theirs| theirs == self.canonical)
    }
}

/// Whether shared pointers of these types can lead to one allocation as different types: the standard library makes a
/// slice of an array and bytes of a text without copying. rkyv writes such a target once, as whatever comes first.
fn can_be_aliased(schema: &Schema) -> bool {
    let types = schema.types();
    let shared = types.iter().filter_map(|ty| match ty.shape {
        Shape::Shared { pointee } | Shape::Weak { pointee } => Some(&types[pointee as usize].shape),
        _ => None,
    });
    let is_byte =
        |ty: u32| matches!(types[ty as usize].shape, Shape::Number { .. } if types[ty as usize].size == 1);
    let is_same = |one: &Shape<u32>, other: &Shape<u32>| match (one, other) {
        (Shape::Slice { element }, Shape::Array { element: other, .. }) => element == other,
        (Shape::Slice { element }, Shape::Str) => is_byte(*element),
        _ => false,
    };
    shared.clone().any(|one| shared.clone().any(|other| is_same(one, other)))
}
