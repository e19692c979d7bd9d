//! What a type's attributes say of lints, carried to what is generated from it.
//!
//! Attributes of an item do not reach the items that derives put beside it. `allow` is handed on to the archived type,
//! where rkyv takes attributes. Where names are allowed that lints would rather have otherwise, the names in the
//! declaration become the macro's: the same names in the same places, but the compiler does not judge them.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{
    Attribute, Data, DeriveInput, Error, Fields, Meta, Result, Token, Type, parse_quote, parse2,
    punctuated::Punctuated,
};

use crate::attributes::RkyvOfField;

/// Whether the attributes allow one of these lints.
fn allows(attributes: &[Attribute], lints: &[&str]) -> bool {
    let lists = attributes.iter().filter(|attribute| attribute.path().is_ident("allow"));
    lists
        .filter_map(|list| list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).ok())
        .flatten()
        .any(|lint| lints.iter().any(|name| lint.path().is_ident(name)))
}

const OF_TYPES: [&str; 4] = ["non_camel_case_types", "nonstandard_style", "bad_style", "warnings"];
const OF_FIELDS: [&str; 4] = ["non_snake_case", "nonstandard_style", "bad_style", "warnings"];

/// The name as the macro's own.
fn quiet(name: &mut Ident) {
    name.set_span(Span::call_site().located_at(name.span()));
}

/// The type as the macro's own, but for what only its own place gives a meaning.
fn quiet_type(ty: &Type) -> Type {
    fn quiet(tokens: TokenStream) -> TokenStream {
        let quiet = |mut token: TokenTree| {
            match &token {
                TokenTree::Group(group) => {
                    token = Group::new(group.delimiter(), quiet(group.stream())).into()
                }
                TokenTree::Ident(name) if name == "$crate" => return token,
                _ => {}
            }
            token.set_span(Span::call_site().located_at(token.span()));
            token
        };
        tokens.into_iter().map(quiet).collect()
    }
    parse2(quiet(ty.to_token_stream())).unwrap_or_else(|_| ty.clone())
}

/// Makes names the macro's where lints of names are allowed.
pub(crate) fn quiet_names(item: &mut DeriveInput) {
    let qualified = allows(&item.attrs, &["unused_qualifications"]);
    let fields_of = |fields: &mut Fields, allowed: bool| {
        for field in fields {
            if qualified {
                field.ty = quiet_type(&field.ty);
            }
            if let Some(name) = &mut field.ident
                && (allowed || allows(&field.attrs, &OF_FIELDS))
            {
                quiet(name);
            }
        }
    };
    let (types, fields) = (allows(&item.attrs, &OF_TYPES), allows(&item.attrs, &OF_FIELDS));
    if types {
        quiet(&mut item.ident);
    }
    match &mut item.data {
        Data::Struct(data) => fields_of(&mut data.fields, fields),
        Data::Enum(data) => {
            for variant in &mut data.variants {
                if types || allows(&variant.attrs, &OF_TYPES) {
                    quiet(&mut variant.ident);
                }
                fields_of(&mut variant.fields, fields || allows(&variant.attrs, &OF_FIELDS));
            }
        }
        Data::Union(_) => {}
    }
}

/// The arguments of rkyv's that hand the type's `allow` on to the archived type.
pub(crate) fn handed_on(attributes: &[Attribute]) -> Vec<TokenStream> {
    let lists = attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("allow") || attribute.path().is_ident("expect"));
    let lists = lists.filter_map(|list| list.meta.require_list().ok());
    lists.map(|list| &list.tokens).map(|lints| quote!(attr(allow(#lints)))).collect()
}

/// Keeps the compiler from saying that rkyv's derives use what is deprecated.
///
/// It says nothing of names in derived code, but the fields' places are asked for by a macro: a wrapper on a field leaves
/// that out, and costs the copying of many values at once. Names of variants and of their fields stand in the derived
/// code as they are written here, so that no attribute helps but the module's.
pub(crate) fn deprecated(item: &mut DeriveInput, rkyv: &TokenStream) -> Result<()> {
    if allows(&item.attrs, &["deprecated"]) {
        return Ok(());
    }
    let refuse = |attributes: &[Attribute]| match find_deprecated(attributes) {
        None => Ok(()),
        Some(attribute) => Err(Error::new_spanned(
            attribute,
            "rkyv's derives name what is deprecated here, beside the type, where no attribute of the type's reaches: put \
             it into a module that has `#[allow(deprecated)]`, and write that on the type as well",
        )),
    };
    refuse(&item.attrs)?;
    match &mut item.data {
        Data::Struct(data) => {
            for field in data.fields.iter_mut().filter(|field| find_deprecated(&field.attrs).is_some()) {
                if RkyvOfField::parse(&field.attrs)?.with.is_none() {
                    field.attrs.push(parse_quote!(#[rkyv(with = #rkyv::with::Identity)]));
                }
            }
            Ok(())
        }
        Data::Enum(data) => data.variants.iter().try_for_each(|variant| {
            refuse(&variant.attrs)?;
            variant.fields.iter().try_for_each(|field| refuse(&field.attrs))
        }),
        Data::Union(_) => Ok(()),
    }
}

fn find_deprecated(attributes: &[Attribute]) -> Option<&Attribute> {
    attributes.iter().find(|attribute| attribute.path().is_ident("deprecated"))
}
