//! What `#[layout(...)]` and `#[rkyv(...)]` say.
//!
//! Of rkyv's attributes only those are kept that decide what the archived type is or which bounds it has; the others
//! are read over, and if they are wrong, rkyv's own derives say so.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{
    Attribute, Error, Ident, LitStr, Path, Result, Token, Type, WherePredicate, meta::ParseNestedMeta,
    parenthesized, parse::Parse, parse_quote, punctuated::Punctuated, spanned::Spanned,
};

const ON_TYPES: &str = "`fingerprint = \"…\"`, `opaque = \"name/version\"`, `portable`, `skip`, `invariants`, `allow_usize`, `crate = path`";
const ON_FIELDS: &str = "`opaque = \"name/version\"`, `allow_usize`";

/// `#[layout(...)]` on a type.
#[derive(Default)]
pub(crate) struct LayoutOfType {
    pub(crate) krate: Option<Path>,
    pub(crate) fingerprint: Option<LitStr>,
    pub(crate) opaque: Option<LitStr>,
    pub(crate) allow_usize: bool,
    pub(crate) portable: bool,
    pub(crate) skip: bool,
    pub(crate) invariants: bool,
}

impl LayoutOfType {
    pub(crate) fn parse(attributes: &[Attribute]) -> Result<Self> {
        let mut this = Self::default();
        each(attributes, "layout", |meta| {
            if meta.path.is_ident("crate") {
                set(&meta, &mut this.krate)
            } else if meta.path.is_ident("fingerprint") {
                set(&meta, &mut this.fingerprint)?;
                this.fingerprint.as_ref().map_or(Ok(()), check_fingerprint)
            } else if meta.path.is_ident("opaque") {
                set(&meta, &mut this.opaque)?;
                this.opaque.as_ref().map_or(Ok(()), check_tag)
            } else if meta.path.is_ident("allow_usize") {
                flag(&meta, &mut this.allow_usize)
            } else if meta.path.is_ident("portable") {
                flag(&meta, &mut this.portable)
            } else if meta.path.is_ident("skip") {
                flag(&meta, &mut this.skip)
            } else if meta.path.is_ident("invariants") {
                flag(&meta, &mut this.invariants)
            } else {
                Err(meta.error(format!("unknown `layout` argument: a type takes {ON_TYPES}")))
            }
        })?;
        Ok(this)
    }
}

/// `#[layout(...)]` on a field.
#[derive(Default)]
pub(crate) struct LayoutOfField {
    pub(crate) opaque: Option<LitStr>,
    pub(crate) allow_usize: bool,
}

impl LayoutOfField {
    pub(crate) fn parse(attributes: &[Attribute]) -> Result<Self> {
        let mut this = Self::default();
        each(attributes, "layout", |meta| {
            if meta.path.is_ident("opaque") {
                set(&meta, &mut this.opaque)?;
                this.opaque.as_ref().map_or(Ok(()), check_tag)
            } else if meta.path.is_ident("allow_usize") {
                flag(&meta, &mut this.allow_usize)
            } else {
                Err(meta.error(format!("unknown `layout` argument: a field takes {ON_FIELDS}")))
            }
        })?;
        Ok(this)
    }
}

/// Variants take no `#[layout(...)]`.
pub(crate) fn no_layout_on_variant(attributes: &[Attribute]) -> Result<()> {
    each(attributes, "layout", |meta| {
        Err(meta.error(format!(
            "a variant takes no `layout` argument: the type takes {ON_TYPES}, a field takes {ON_FIELDS}"
        )))
    })
}

/// `#[rkyv(...)]` on a type.
#[derive(Default)]
pub(crate) struct RkyvOfType {
    pub(crate) archived: Option<Ident>,
    pub(crate) as_type: Option<Type>,
    pub(crate) archive_bounds: Vec<WherePredicate>,
    /// `bytecheck(verify)`, by rkyv's attribute or bytecheck's own.
    pub(crate) verify: bool,
}

impl RkyvOfType {
    pub(crate) fn parse(attributes: &[Attribute]) -> Result<Self> {
        let mut this = Self::default();
        each(attributes, "rkyv", |meta| {
            if meta.path.is_ident("archived") {
                set(&meta, &mut this.archived)
            } else if meta.path.is_ident("as") {
                set(&meta, &mut this.as_type)
            } else if meta.path.is_ident("archive_bounds") {
                let content;
                parenthesized!(content in meta.input);
                this.archive_bounds.extend(Punctuated::<_, Token![,]>::parse_terminated(&content)?);
                Ok(())
            } else if meta.path.is_ident("bytecheck") || meta.path.is_ident("attr") {
                let of_bytecheck = meta.path.is_ident("bytecheck");
                let content = rest(&meta)?;
                this.verify |= says_verify(content, of_bytecheck);
                Ok(())
            } else {
                rest(&meta).map(drop)
            }
        })?;
        for attribute in attributes.iter().filter(|a| a.path().is_ident("bytecheck")) {
            if let syn::Meta::List(list) = &attribute.meta {
                this.verify |= says_verify(list.tokens.clone(), true);
            }
        }
        Ok(this)
    }
}

/// `#[rkyv(...)]` on a field.
#[derive(Default)]
pub(crate) struct RkyvOfField {
    pub(crate) with: Option<Type>,
    /// Where it is said.
    pub(crate) omit_bounds: Option<Span>,
    pub(crate) niche: Option<Path>,
}

impl RkyvOfField {
    pub(crate) fn parse(attributes: &[Attribute]) -> Result<Self> {
        let mut this = Self::default();
        each(attributes, "rkyv", |meta| {
            if meta.path.is_ident("with") {
                set(&meta, &mut this.with)
            } else if meta.path.is_ident("omit_bounds") {
                this.omit_bounds = Some(meta.path.span());
                Ok(())
            } else if meta.path.is_ident("niche") {
                this.niche = Some(meta.path.clone());
                rest(&meta).map(drop)
            } else {
                rest(&meta).map(drop)
            }
        })?;
        Ok(this)
    }
}

/// Puts another wrapper in the place of the one that a field is written with.
pub(crate) fn replace_with(attributes: &mut [Attribute], with: &Type) -> Result<()> {
    for attribute in attributes.iter_mut().filter(|a| a.path().is_ident("rkyv")) {
        let mut arguments: Vec<TokenStream> = Vec::new();
        attribute.parse_nested_meta(|meta| {
            let (name, assigned) = (meta.path.to_token_stream(), meta.input.peek(Token![=]));
            let content = rest(&meta)?;
            arguments.push(match meta.path.is_ident("with") {
                true => quote!(with = #with),
                false => argument(name, assigned, content),
            });
            Ok(())
        })?;
        *attribute = parse_quote!(#[rkyv(#(#arguments),*)]);
    }
    Ok(())
}

/// An argument as it was written.
pub(crate) fn argument(path: TokenStream, assigned: bool, content: TokenStream) -> TokenStream {
    match (assigned, content.is_empty()) {
        (true, _) => quote!(#path = #content),
        (false, false) => quote!(#path(#content)),
        (false, true) => path,
    }
}

/// Calls `take` for each argument of each attribute of this name.
fn each(
    attributes: &[Attribute],
    name: &str,
    mut take: impl FnMut(ParseNestedMeta<'_>) -> Result<()>,
) -> Result<()> {
    attributes.iter().filter(|a| a.path().is_ident(name)).try_for_each(|a| a.parse_nested_meta(&mut take))
}

/// `name = value`, once.
fn set<T: Parse>(meta: &ParseNestedMeta<'_>, place: &mut Option<T>) -> Result<()> {
    meta.input.parse::<Token![=]>()?;
    let value = meta.input.parse()?;
    if place.replace(value).is_some() {
        return Err(meta.error("said twice"));
    }
    Ok(())
}

/// `name`, without a value.
fn flag(meta: &ParseNestedMeta<'_>, place: &mut bool) -> Result<()> {
    if !meta.input.is_empty() && !meta.input.peek(Token![,]) {
        return Err(meta.error("takes no value"));
    }
    *place = true;
    Ok(())
}

/// What follows the name of an argument: nothing, `= value`, or `(content)`. Gives the value or the content.
pub(crate) fn rest(meta: &ParseNestedMeta<'_>) -> Result<TokenStream> {
    if meta.input.peek(Token![=]) {
        meta.input.parse::<Token![=]>()?;
        meta.input.parse::<Type>().map(|ty| ty.into_token_stream())
    } else if meta.input.peek(syn::token::Paren) {
        let content;
        parenthesized!(content in meta.input);
        content.parse()
    } else {
        Ok(TokenStream::new())
    }
}

/// What follows a name in `#[repr(...)]`: nothing or `(number)`.
pub(crate) fn rest_of_repr(meta: &ParseNestedMeta<'_>) -> Result<()> {
    if meta.input.peek(syn::token::Paren) {
        let content;
        parenthesized!(content in meta.input);
        content.parse::<syn::LitInt>()?;
    }
    Ok(())
}

/// Whether arguments of bytecheck's (or a list of attributes that may hold bytecheck's) say `verify`.
fn says_verify(tokens: TokenStream, of_bytecheck: bool) -> bool {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    tokens.iter().enumerate().any(|(i, token)| match token {
        TokenTree::Ident(ident) if of_bytecheck => ident == "verify",
        TokenTree::Ident(ident) if ident == "bytecheck" => match tokens.get(i + 1) {
            Some(TokenTree::Group(group)) => says_verify(group.stream(), true),
            _ => false,
        },
        _ => false,
    })
}

fn check_fingerprint(text: &LitStr) -> Result<()> {
    let value = text.value();
    if value.len() == 32 && value.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(());
    }
    Err(Error::new(
        text.span(),
        "a fingerprint is 32 hexadecimal digits: write 32 zeros, and the error tells the value",
    ))
}

fn check_tag(text: &LitStr) -> Result<()> {
    let value = text.value();
    let part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_graphic() && b != b'/');
    match value.split_once('/') {
        Some((name, version)) if part(name) && part(version) => Ok(()),
        _ => Err(Error::new(
            text.span(),
            "an opaque type is named `name/version`, for example \"uuid/1\": raise the version when its bytes change",
        )),
    }
}

/// The span of the type, for errors.
pub(crate) fn at(ty: &Type) -> Span {
    Span::call_site().located_at(ty.span())
}
