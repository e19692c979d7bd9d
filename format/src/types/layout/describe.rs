//! The trait [`Layout`], and links between descriptions.

use core::any::TypeId;
use core::marker::PhantomData;

use super::{Invariant, Lookup, Type};
use crate::Digest;

/// An archived type whose bytes are described by data.
///
/// Implemented for the archived forms of everything rkyv archives, and by `#[derive(Layout)]` for the archived form
/// of a struct or an enum.
///
/// # Safety
/// [`TYPE`](Layout::TYPE) describes exactly the bytes of `Self`: size, alignment, the offset and type of each field,
/// each discriminant. Readers follow it into memory without asking `Self` again.
///
/// Source: SPEC 6.
#[diagnostic::on_unimplemented(
    message = "the layout of `{Self}` is not known",
    label = "`{Self}` does not implement `Layout`",
    note = "derive `Layout` beside `Archive` on the type it is archived from, or use `#[graven::object]`",
    note = "on a type that is its own archived form, derive it with `#[layout(portable)]`",
    note = "for a type of another crate write `#[layout(opaque = \"name/version\")]` on the field; in a `Vec` or another \
            container, put a struct around it that has such a field",
    note = "if it is not archived at all: rkyv archives a `PathBuf` with `#[rkyv(with = AsString)]`, a `Mutex` with `Lock`, \
            atomics with `AtomicLoad<Relaxed>`, and leaves out what has `Skip`"
)]
pub unsafe trait Layout {
    /// The description of this type: its own level, and links to the types below.
    const TYPE: &'static Type<TypeRef>;

    /// What a value has to hold beyond its structure, as the program's code.
    const INVARIANT: Option<Invariant> = None;

    /// Of a map, how lookups find its keys, as the program's code.
    const LOOKUP: Option<Lookup> = None;

    /// The identity under which pointers share a target: the type's own, or of a weak pointer that of the strong one.
    const SHARED: fn() -> TypeId = typeid::of::<Self>;

    /// The digest of this level alone, evaluated once for all rounds. Always as it is here.
    const LEVEL: Digest = Self::TYPE.digest();

    /// What generated code describes this type with. Always as it is here.
    #[doc(hidden)]
    const MEASURE: Measure<Self> = Measure(PhantomData);
}

/// A link to the description of a type, and the type's identity.
#[derive(Clone, Copy, Debug)]
pub struct TypeRef {
    get: fn() -> &'static Type<TypeRef>,
    id: fn() -> TypeId,
    shared: fn() -> TypeId,
    invariant: Option<Invariant>,
    lookup: Option<Lookup>,
}

impl TypeRef {
    /// The link to `T`.
    pub const fn of<T: Layout + ?Sized>() -> TypeRef {
        fn get<T: Layout + ?Sized>() -> &'static Type<TypeRef> {
            T::TYPE
        }
        TypeRef {
            get: get::<T>,
            id: typeid::of::<T>,
            shared: T::SHARED,
            invariant: T::INVARIANT,
            lookup: T::LOOKUP,
        }
    }

    /// The description this leads to.
    pub fn get(self) -> &'static Type<TypeRef> {
        (self.get)()
    }

    /// The identity of the Rust type this leads to: as `TypeId` has it, with `'static` for every lifetime.
    pub fn id(self) -> TypeId {
        (self.id)()
    }

    /// The identity under which pointers of this type share a target.
    pub(crate) fn shared(self) -> TypeId {
        (self.shared)()
    }

    /// What values of this type have to hold beyond their structure.
    pub(crate) fn invariant(self) -> Option<Invariant> {
        self.invariant
    }

    /// How lookups find the keys of this map.
    pub(crate) fn lookup(self) -> Option<Lookup> {
        self.lookup
    }
}

/// What a description of `T` is made with.
pub struct Measure<T: ?Sized>(PhantomData<T>);
