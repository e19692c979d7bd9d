//! Maps whose keys hash or compare otherwise than the keys they are archived as.
//!
//! rkyv places entries by the keys of the program and looks them up by those of the archive. `#[graven::object]` puts
//! `graven::with::ArchivedKeys` on every field that spells a map, unless its keys are spelled as ones that are known to
//! agree: then it is right whatever the key's type turns out to be. `#[derive(Layout)]` cannot change how a field is
//! written; it asks the compiler whether the key's type is known to differ, and if so, does not compile.
//!
//! What neither can see (aliases, type parameters, types of other crates) is left to the check of what was written.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{
    Attribute, Data, Error, Field, GenericArgument, Generics, Path, PathArguments, PathSegment, Result, Type,
    TypePath, parse_quote,
    visit::{self, Visit},
    visit_mut::{self, VisitMut},
};

use crate::{
    attributes::{RkyvOfField, at, replace_with},
    fields::spells,
    types::mentions,
};

const MAPS: [&str; 6] = ["HashMap", "HashSet", "IndexMap", "IndexSet", "BTreeMap", "BTreeSet"];

/// The key of a map or a set that is spelled here, and the value.
fn map(segment: &PathSegment) -> Option<(&Type, Option<&Type>)> {
    let types = arguments(segment);
    match (MAPS.iter().any(|name| segment.ident == name), types.as_slice()) {
        (true, [key, rest @ ..]) => {
            let value = rest.first().copied().filter(|_| segment.ident.to_string().ends_with("Map"));
            Some((key, value))
        }
        _ => None,
    }
}

/// The types between a segment's angle brackets.
fn arguments<'a>(segment: &'a PathSegment) -> Vec<&'a Type> {
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return Vec::new() };
    let ty = |argument: &'a GenericArgument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    };
    arguments.args.iter().filter_map(ty).collect()
}

/// The last segment of a type that is a path, unless it is spelled as hashbrown's: its maps have rkyv's own impls only.
fn last(ty: &Type) -> Option<&PathSegment> {
    match ty {
        Type::Path(TypePath { qself: None, path }) if path.segments[0].ident != "hashbrown" => {
            path.segments.last()
        }
        Type::Group(group) => last(&group.elem),
        Type::Paren(paren) => last(&paren.elem),
        _ => None,
    }
}

/// Writes the field's maps by their archived keys, unless a wrapper of the user's says how it is written.
pub(crate) fn wrap(field: &mut Field, graven: &Path) -> Result<()> {
    match RkyvOfField::parse(&field.attrs)?.with {
        // Whether there is one, the configuration says, which only the derive knows. It checks the keys itself.
        None if may_say_rkyv(&field.attrs) => {}
        None => {
            if let Some(wrapper) = wrapper(&field.ty, graven) {
                field.attrs.push(parse_quote!(#[rkyv(with = #wrapper)]));
            }
        }
        Some(mut with) => {
            let mut replace = ReplaceMapKv { graven, found: false };
            replace.visit_type_mut(&mut with);
            if replace.found {
                replace_with(&mut field.attrs, &with)?;
            }
        }
    }
    Ok(())
}

/// Whether there are attributes of rkyv's that depend on the configuration.
fn may_say_rkyv(attributes: &[Attribute]) -> bool {
    let mut conditional = attributes.iter().filter(|attribute| attribute.path().is_ident("cfg_attr"));
    conditional.any(|attribute| spells(attribute.to_token_stream(), "rkyv"))
}

/// What a field of this type has to be written with, if it spells maps whose keys may differ, where wrappers reach.
fn wrapper(ty: &Type, graven: &Path) -> Option<TokenStream> {
    let inside = |ty| {
        let inner = wrapper(ty, graven)?;
        Some(quote!(#graven::rkyv::with::Map<#inner>))
    };
    if let Type::Array(array) = ty {
        return inside(&array.elem);
    }
    let segment = last(ty)?;
    if let Some((key, value)) = map(segment) {
        let value = value.and_then(|value| wrapper(value, graven));
        if agrees(key) && value.is_none() {
            return None;
        }
        let identity = quote!(#graven::rkyv::with::Identity);
        let value = value.unwrap_or_else(|| identity.clone());
        return Some(quote!(#graven::with::ArchivedKeys<#identity, #value>));
    }
    match arguments(segment).as_slice() {
        [element] if segment.ident == "Vec" || segment.ident == "Option" => inside(element),
        _ => None,
    }
}

/// rkyv's `MapKV` is ours, but for where the entries are.
struct ReplaceMapKv<'a> {
    graven: &'a Path,
    found: bool,
}

impl VisitMut for ReplaceMapKv<'_> {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        visit_mut::visit_type_mut(self, ty);
        if last(ty).is_some_and(|last| last.ident == "MapKV") {
            // The name stays, and with it the import.
            let graven = self.graven;
            *ty = parse_quote!(<#ty as #graven::with::Instead>::With);
            self.found = true;
        }
    }
}

/// Whether keys that are spelled so hash and compare as their archived keys do.
///
/// By spelling, since a wrapper is chosen before types are known; what is not known to agree gets one. Which types are known to
/// differ is the compiler's to say (`graven_format::layout`'s `KeyType`). `tests/keys.rs` measures the kinds of both lists.
fn agrees(key: &Type) -> bool {
    match key {
        Type::Tuple(tuple) => tuple.elems.iter().all(agrees),
        Type::Array(array) => run_agrees(&array.elem),
        Type::Slice(slice) => run_agrees(&slice.elem),
        _ => {
            let Some(segment) = last(key) else { return false };
            let name = segment.ident.to_string();
            match (name.as_str(), arguments(segment).as_slice()) {
                ("String" | "str", []) => true,
                ("Box" | "Rc" | "Arc" | "Option", [inner]) => agrees(inner),
                ("Vec", [element]) => run_agrees(element),
                _ => is_number(&name) || matches!(name.as_str(), "bool" | "char"),
            }
        }
    }
}

/// Whether arrays and slices of these elements do.
fn run_agrees(element: &Type) -> bool {
    let wide = |segment: &PathSegment| is_number(&segment.ident.to_string());
    let byte = |segment: &PathSegment| segment.ident == "u8" || segment.ident == "i8";
    match last(element) {
        Some(segment) if wide(segment) => byte(segment),
        _ => agrees(element),
    }
}

fn is_number(name: &str) -> bool {
    matches!(name, "u8" | "u16" | "u32" | "u64" | "u128" | "i8" | "i16" | "i32" | "i64" | "i128")
}

/// `MapKV` that archives keys as something else: it places entries by the keys before archiving.
pub(crate) fn refuse(data: &Data) -> Result<()> {
    let fields: Vec<&Field> = match data {
        Data::Struct(data) => data.fields.iter().collect(),
        Data::Enum(data) => data.variants.iter().flat_map(|variant| &variant.fields).collect(),
        Data::Union(_) => Vec::new(),
    };
    let errors = fields.into_iter().filter_map(|field| refuse_map_kv(field).err());
    errors
        .reduce(|mut errors, error| {
            errors.combine(error);
            errors
        })
        .map_or(Ok(()), Err)
}

fn refuse_map_kv(field: &Field) -> Result<()> {
    struct Search(Option<PathSegment>);
    impl<'ast> Visit<'ast> for Search {
        fn visit_type_path(&mut self, path: &'ast TypePath) {
            // What `wrap` has made of it.
            if path.qself.is_none() {
                visit::visit_type_path(self, path);
            }
        }
        fn visit_path_segment(&mut self, segment: &'ast PathSegment) {
            // These archive what they are given, in another place.
            const SAME: [&str; 6] = ["Identity", "Inline", "InlineAsBox", "AsBox", "AsOwned", "Unshare"];
            let same = |ty: &&Type| last(ty).is_some_and(|last| SAME.iter().any(|name| last.ident == name));
            if segment.ident == "MapKV" && !arguments(segment).first().is_some_and(same) {
                self.0 = Some(segment.clone());
            }
            visit::visit_path_segment(self, segment);
        }
    }
    let Some(with) = RkyvOfField::parse(&field.attrs)?.with else { return Ok(()) };
    let mut search = Search(None);
    search.visit_type(&with);
    let Some(segment) = search.0 else { return Ok(()) };
    let arguments = segment.arguments.to_token_stream().to_string().replace(' ', "").replace(',', ", ");
    Err(Error::new_spanned(
        &segment,
        format!(
            "`MapKV` places entries by the keys before archiving, where lookups in the archive do not find them: write \
             `graven::with::ArchivedKeys{arguments}`, which is the same but for that"
        ),
    ))
}

/// Fails to compile if a field spells a hash map whose keys are known to hash otherwise when they are archived.
pub(crate) fn check(field: &Field, generics: &Generics, graven: &Path) -> TokenStream {
    struct Search<'ast>(Vec<(&'ast Ident, &'ast Type)>);
    impl<'ast> Visit<'ast> for Search<'ast> {
        fn visit_path_segment(&mut self, segment: &'ast PathSegment) {
            // Where std's keys compare, archived ones compare alike.
            if let Some((key, _)) = map(segment).filter(|_| !segment.ident.to_string().starts_with("BTree")) {
                self.0.push((&segment.ident, key));
            }
            // There are no keys in it.
            if segment.ident != "PhantomData" {
                visit::visit_path_segment(self, segment);
            }
        }
    }
    let mut search = Search(Vec::new());
    search.visit_type(&field.ty);
    let keys = search.0.into_iter().filter(|(_, key)| !agrees(key) && !names_parameter(key, generics));
    let checks = keys.map(|(map, key)| {
        let message = format!(
            "keys `{}` of a `{map}` hash otherwise when they are archived, so that lookups would not find them: write \
             `#[rkyv(with = graven::with::ArchivedKeys)]` on the field (inside `Vec`, `Option` and arrays: \
             `rkyv::with::Map<graven::with::ArchivedKeys>`), or give the map a struct of its own with \
             `#[graven::object]`",
            spelled(key)
        );
        let differ = differ(key, graven);
        quote_spanned!(at(key)=> const _: () = ::core::assert!(!(#differ), #message);)
    });
    checks.collect()
}

/// What a type without parameters says of itself as a key, or as a part of one, which has these fields without wrappers.
pub(crate) fn describe(fields: &[&Field], name: &Ident, generics: &Generics, graven: &Path) -> TokenStream {
    if !generics.params.is_empty() {
        return TokenStream::new();
    }
    let differ = fields.iter().filter(|field| !agrees(&field.ty)).map(|field| differ(&field.ty, graven));
    quote! {
        #[automatically_derived]
        impl #graven::layout::__private::KeyType for #name {
            const DIFFERS: bool = false #(|| #differ)*;
        }
    }
}

/// An expression that says whether a type, or one that lies in it, is known to hash otherwise when it is archived.
fn differ(ty: &Type, graven: &Path) -> TokenStream {
    let parts: Vec<&Type> = match ty {
        Type::Tuple(tuple) => tuple.elems.iter().collect(),
        Type::Array(array) => vec![&array.elem],
        _ => match last(ty) {
            Some(segment) if segment.ident == "Option" || segment.ident == "Result" => arguments(segment),
            _ => Vec::new(),
        },
    };
    let parts = parts.into_iter().filter(|part| !agrees(part)).map(|part| differ(part, graven));
    let private = quote!(#graven::layout::__private);
    quote_spanned! {at(ty)=>
        {
            #[allow(unused_imports)]
            use #private::UnknownKey as _;
            #private::KeyOf::<#ty>::DIFFERS
        } #(|| #parts)*
    }
}

/// Whether a parameter is named in a type, or a lifetime.
fn names_parameter(ty: &Type, generics: &Generics) -> bool {
    mentions(ty, &crate::types::parameters(generics)) || ty.to_token_stream().to_string().contains('\'')
}

/// A type as a person writes it.
fn spelled(ty: &Type) -> String {
    let mut text = ty.to_token_stream().to_string();
    for (spaced, close) in
        [(" <", "<"), ("< ", "<"), (" >", ">"), (" ::", "::"), (":: ", "::"), (" ,", ","), (" ;", ";")]
    {
        text = text.replace(spaced, close);
    }
    text
}
