//! Derive macros of graven.
//!
//! Use them through the `graven` crate: `#[graven::object]` on a struct or an enum is all that most programs need;
//! `#[derive(Layout)]` is for those that derive rkyv's traits themselves.

use proc_macro::TokenStream;

mod attributes;
mod expand;
mod fields;
mod keys;
mod lints;
mod object;
mod refuse;
mod types;

/// Describes the archived form of a struct or an enum, as data: implements `Layout` for `ArchivedFoo`.
///
/// It stands beside `#[derive(Archive)]` and reads the same `#[rkyv(...)]` attributes. What it says is measured by the
/// compiler on the archived type itself (sizes, alignments, offsets, tags), never computed here, and that type has to
/// have exactly the fields and variants of the declaration: a hand-written one that has others does not compile.
/// Field and variant names, offsets, types and tags enter the fingerprint; the type's own name does not.
///
/// What it takes: structs of every kind and enums of every kind, with generics, recursion (also mutual), and rkyv's
/// `archived`, `as`, `remote`, `with`, `omit_bounds`, `archive_bounds`, `getter`, `crate`, `bytecheck(verify)`.
///
/// # On the type
///
/// | attribute | what it does |
/// |---|---|
/// | `#[layout(fingerprint = "…")]` | pins the layout: a change of the bytes is a compile error that prints the new value. Write 32 zeros to learn the first one. A generic type is pinned with `graven::pin_layout!` |
/// | `#[layout(opaque = "name/version")]` | says nothing of the bytes but size, alignment and this tag, which enters the fingerprint. The type must hold no relative pointers, which is checked |
/// | `#[layout(portable)]` | the type is its own archived form: `#[repr(C)]` structs and `#[repr(u8)]` enums that are `Portable`. Implied by `#[rkyv(as = Self)]` |
/// | `#[rkyv(as = Other)]` | `Other` is described by the fields here, which must be all it has, in `#[repr(C)]` |
/// | `#[layout(skip)]` | with `#[rkyv(as = Other)]`: `Other` has a layout of its own, only check that. Implied if the type has parameters, lifetimes too |
/// | `#[layout(invariants)]` | a hand-written `CheckBytes` wants more than the structure says: it is called, and must not need the archive around it. Implied by `bytecheck(verify)`, and on types without parameters by `portable` and `as` if their `CheckBytes` can be called so |
/// | `#[layout(allow_usize)]` | see below, for all fields |
/// | `#[layout(crate = path)]` | where graven is, if not at `::graven`. Nothing is believed of what is there: a description is made by the `Layout` that is implemented, and if that is another trait, there is none |
///
/// # On a field
///
/// | attribute | what it does |
/// |---|---|
/// | `#[layout(opaque = "name/version")]` | the field's archived type has no layout, for instance because another crate defines it: as above |
/// | `#[layout(allow_usize)]` | `usize` may be spelled in this field's type |
///
/// # What it refuses
///
/// Each is a compile error that names the remedy:
/// - unions;
/// - `usize`, `isize`, and their `NonZero` and atomic kin, spelled anywhere in a field's type: rkyv archives them cut to
///   the offset width, 4 bytes by default, without an error. Use `u64`. A type alias hides them from any derive, and so
///   does a type parameter; a wrapper that is not known to keep them, such as `Skip`, may archive them as it likes;
/// - `#[rkyv(niche)]` on fields of enums: checking such an archive is undefined behavior in rkyv 0.8.18 (rkyv#698);
/// - `Self` and a few names of rkyv's in an explicit discriminant: rkyv copies the expression into other enums, where
///   they mean something else (rkyv#708); discriminants and variants for which one byte has no room; discriminants of
///   another type than `u8`, which `as _` makes one;
/// - in enums, fields whose types are spelled as types of the derives' own are called (`Tag`, `Discriminant`,
///   `VariantX` for a variant `X`): write `self::Tag`; and fields called `serializer` or `deserializer`;
/// - hash maps whose keys are known to hash otherwise once they are archived (addresses, runs of 16- and 32-bit integers,
///   structs with these), and `MapKV` that archives keys as something else: nothing would be found in them. Use
///   `graven::with::ArchivedKeys`, or `#[graven::object]`, which does. Maps behind aliases and type parameters are checked
///   when they are written;
/// - fields whose archived type has no layout, unless opaque.
///
/// # Examples
/// ```
/// use graven::{Archive, Deserialize, Layout, Serialize, format::Schema, layout::Shape};
///
/// #[derive(Archive, Serialize, Deserialize, Layout)]
/// struct Limits {
///     soft: u32,
///     hard: u64,
/// }
///
/// let schema = Schema::of::<ArchivedLimits>();
/// let Shape::Struct { fields } = &schema.root().shape else { unreachable!() };
/// assert_eq!(fields[1].name, "hard");
/// assert_eq!(fields[1].offset, std::mem::offset_of!(ArchivedLimits, hard) as u64);
/// ```
/// ```compile_fail
/// #[derive(graven::Archive, graven::Layout)]
/// struct Limits {
///     soft: usize, // error: use `u64`, or write `#[layout(allow_usize)]`
/// }
/// ```
/// Source: SPEC 6 (layouts), 6.4 (fingerprints).
#[proc_macro_derive(Layout, attributes(layout, rkyv))]
pub fn layout(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    expand::layout(input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a struct or an enum one that graven can write and adopt.
///
/// It derives rkyv's `Archive`, `Serialize` and `Deserialize` through `graven::rkyv`, and `Layout`: a crate needs no
/// dependency but graven. And it adds the bounds that recursion needs: fields that name no parameter of the type, or
/// that name the type itself, get `#[rkyv(omit_bounds)]`, and the impls ask of a serializer what any field may need
/// (writing, scratch memory, sharing). So a type may hold itself, or one that holds it.
/// That such a field is archived is asked once, beside the type, where it cannot go round in a circle; where the archived
/// type is shown, the bounds that lead there are shown with it.
///
/// Generic types that hold *each other* need `#[rkyv(omit_bounds)]` from you on the fields that close the circle. The
/// parameters that such a field names must then be archived themselves.
///
/// Fields that spell a map (`HashMap`, `HashSet`, `IndexMap`, `IndexSet`, `BTreeMap`, `BTreeSet`, also inside `Vec`, `Option`,
/// arrays and other maps' values) are written by their archived keys, unless the keys are spelled as strings, integers or
/// the like: see `graven::with::ArchivedKeys`. So are those `with = MapKV<K, V>`. A map of another crate with one of these
/// names needs `#[rkyv(with = graven::rkyv::with::Identity)]`.
///
/// The archived type is `ArchivedFoo`, with the same fields, names and visibility. Types with fields that borrow
/// (`&'a str`, archived `with` a wrapper such as `InlineAsBox`) are not deserialized, as rkyv cannot: read them in place,
/// or as an owned twin. Other types that rkyv cannot deserialize (`Weak<str>`) take the derives one by one instead. In a
/// crate that warns of missing docs, a public
/// enum whose variants have named fields needs `#[allow(missing_docs)]` on its module: rkyv leaves its `FooResolver`
/// undocumented.
///
/// `#[allow(…)]` on the type reaches the archived type, and lints of names all that is generated. What is `#[deprecated]`
/// is named by the derives: fields of structs may be, anything else needs `#[allow(deprecated)]` on the type and on a
/// module around it.
///
/// Every attribute of rkyv's and of `#[derive(Layout)]` may be used as well, for instance
/// `#[rkyv(derive(Debug, PartialEq))]` for derives on the archived type. Bounds of your own are added to these.
/// An argument `crate = path` says where graven is, if not at `::graven`.
///
/// # Examples
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// #[graven::object]
/// struct Node {
///     name: String,
///     children: Vec<Node>,
/// }
///
/// let leaf = Node { name: "leaf".into(), children: vec![] };
/// let path = std::env::temp_dir().join(format!("object-{}.grv", std::process::id()));
/// graven::write(&path, &Node { name: "root".into(), children: vec![leaf] })?;
/// let root = graven::Segment::read(&path)?.root::<Node>()?;
/// assert_eq!(root.children[0].name, "leaf");
/// # std::fs::remove_file(path)?;
/// # Ok(())
/// # }
/// ```
/// Source: SPEC 6.
#[proc_macro_attribute]
pub fn object(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let item = syn::parse_macro_input!(item as syn::DeriveInput);
    object::object(arguments.into(), item).into()
}
