//! What no layout can be made of, or what rkyv's derives cannot take, with the remedy.
//!
//! All that can be seen in the declaration is refused here, in one place, with one error each: what the compiler says of
//! rkyv's output names no remedy.

use proc_macro2::Ident;
use quote::{ToTokens, format_ident};
use syn::{
    Attribute, Data, DataEnum, DeriveInput, Error, Expr, Field, Fields, GenericArgument, Lit, Path,
    PathArguments, Result, Type, UnOp, Variant,
    visit::{self, Visit},
};

use crate::{
    attributes::{LayoutOfField, LayoutOfType, RkyvOfField, no_layout_on_variant},
    types::{first_outside, keeps_usize, mentions, parameters, spelled_usize},
};

/// All errors at once.
struct Errors(Option<Error>);

impl Errors {
    fn add(&mut self, error: Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }

    fn at(&mut self, what: &impl ToTokens, message: impl std::fmt::Display) {
        self.add(Error::new_spanned(what, message));
    }
}

pub(crate) fn refuse(input: &DeriveInput, of_type: &LayoutOfType) -> Result<()> {
    let mut errors = Errors(None);
    match &input.data {
        Data::Struct(data) => {
            for field in &data.fields {
                check_field(&mut errors, field, of_type, &[])?;
            }
        }
        Data::Enum(data) => {
            for variant in &data.variants {
                check_variant(&mut errors, variant, data, of_type)?;
            }
            check_tags(&mut errors, input, data);
        }
        Data::Union(data) => {
            if of_type.opaque.is_none() {
                errors.at(
                    &data.union_token,
                    "a union has no layout: its bytes do not say which of the fields they are. Use an enum, or \
                     `#[layout(portable, opaque = \"name/version\")]` if the program alone is to know",
                );
            }
            for field in &data.fields.named {
                check_field(&mut errors, field, of_type, &[])?;
            }
        }
    }
    if let Some(fingerprint) = &of_type.fingerprint
        && !parameters(&input.generics).is_empty()
    {
        errors.at(
            fingerprint,
            format!(
                "a generic type has a layout per instantiation: pin one with `graven::pin_layout!({}<…> = \"…\")`",
                input.ident
            ),
        );
    }
    errors.0.map_or(Ok(()), Err)
}

/// A field, in a place where these names mean types of rkyv's or bytecheck's.
fn check_field(errors: &mut Errors, field: &Field, of_type: &LayoutOfType, taken: &[Ident]) -> Result<()> {
    let of_layout = match LayoutOfField::parse(&field.attrs) {
        Ok(of_layout) => of_layout,
        Err(error) => {
            errors.add(error);
            return Ok(());
        }
    };
    let with = RkyvOfField::parse(&field.attrs)?.with;
    if !of_type.portable
        && with.is_none()
        && let Some(ty) = first_outside(&field.ty, &|ty| never_archived(ty).is_some())
        && let Some(message) = never_archived(ty)
    {
        errors.at(ty, message);
        return Ok(());
    }
    if !of_type.allow_usize
        && !of_layout.allow_usize
        && with.as_ref().is_none_or(keeps_usize)
        && let Some(ident) = spelled_usize(&field.ty)
    {
        let fixed = ident.to_string().replace("usize", "u64").replace("isize", "i64");
        let fixed = fixed.replace("Usize", "U64").replace("Isize", "I64");
        errors.at(
            &ident,
            format!(
                "rkyv archives `{ident}` cut to the offset width, 4 bytes by default, without an error: use \
                 `{fixed}`, or write `#[layout(allow_usize)]` on the field if no value is larger"
            ),
        );
    }
    if !of_type.portable
        && let Some(name) = first_of(&field.ty, taken).or_else(|| first_of(with.as_ref()?, taken))
    {
        errors.at(
            &name,
            format!(
                "rkyv's derives have a type of this name where they name the field's: write `self::{name}`"
            ),
        );
    }
    Ok(())
}

fn check_variant(
    errors: &mut Errors,
    variant: &Variant,
    data: &DataEnum,
    of_type: &LayoutOfType,
) -> Result<()> {
    if let Err(error) = no_layout_on_variant(&variant.attrs) {
        errors.add(error);
    }
    let taken = taken_in_enums(data);
    for field in &variant.fields {
        if let Some(path) = RkyvOfField::parse(&field.attrs)?.niche {
            errors.at(
                &path,
                "a niche in an enum: checking such an archive is undefined behavior in rkyv 0.8.18 (rkyv#698). Leave \
                 it out, or put the niche on a struct",
            );
        }
        // A derive binds the fields by their names beside a variable of its own.
        if let Some(name) = &field.ident
            && !of_type.portable
            && (name == "serializer" || name == "deserializer")
        {
            errors.at(
                name,
                format!(
                    "rkyv's derives have a variable `{name}` of their own where they bind this field: name it otherwise, or \
                     let the variant hold a struct that has it"
                ),
            );
        }
        check_field(errors, field, of_type, &taken)?;
    }
    Ok(())
}

/// What to do about a type that rkyv archives with a wrapper only, or not at all, if that can be seen.
fn never_archived(ty: &Type) -> Option<&'static str> {
    match ty {
        Type::Reference(_) => Some(
            "rkyv archives what a reference leads to if a wrapper says how: write `#[rkyv(with = InlineAsBox)]` on the field, \
             around it `Map<InlineAsBox>` for a `Vec` or an `Option`, or own the value",
        ),
        Type::TraitObject(_) => Some(
            "an archive does not know the code of a trait object: use an enum of the types that it can be, or a type \
             parameter",
        ),
        Type::BareFn(_) | Type::Ptr(_) => Some(
            "an address means nothing in another process: archive what it leads to, or leave it out (`with = Skip`)",
        ),
        Type::Path(path) => {
            let last = path.path.segments.last().filter(|last| last.ident == "Cow")?;
            let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
            matches!(arguments.args.first(), Some(GenericArgument::Lifetime(_))).then_some(
                "rkyv archives a `Cow` as what it is when owned if a wrapper says so: write `#[rkyv(with = AsOwned)]` on the \
                 field, around it `Map<AsOwned>` for a `Vec` or an `Option`",
            )
        }
        _ => None,
    }
}

/// The names of the types that rkyv's and bytecheck's derives declare beside an enum's impls.
fn taken_in_enums(data: &DataEnum) -> Vec<Ident> {
    let mut taken: Vec<_> =
        ["Tag", "ArchivedTag", "Discriminant"].iter().map(|name| format_ident!("{name}")).collect();
    for variant in data.variants.iter().filter(|variant| !matches!(variant.fields, Fields::Unit)) {
        taken.extend([
            format_ident!("Variant{}", variant.ident),
            format_ident!("ArchivedVariant{}", variant.ident),
        ]);
    }
    taken
}

/// The first of these names that a path in the type starts with.
fn first_of(ty: &Type, names: &[Ident]) -> Option<Ident> {
    struct Search<'a>(&'a [Ident], Option<Ident>);
    impl<'ast> Visit<'ast> for Search<'_> {
        fn visit_path(&mut self, path: &'ast Path) {
            let first = path.segments.first().filter(|_| path.leading_colon.is_none());
            if let Some(first) = first.filter(|first| self.0.contains(&first.ident)) {
                self.1.get_or_insert_with(|| first.ident.clone());
            }
            visit::visit_path(self, path);
        }
    }
    let mut search = Search(names, None);
    search.visit_type(ty);
    search.1
}

/// The tag of an archived enum is one byte, for which rkyv copies the discriminants.
fn check_tags(errors: &mut Errors, input: &DeriveInput, data: &DataEnum) {
    const ONE_BYTE: &str = "the tag of an archived enum is one byte, and rkyv gives it this number: use 0 to 255, or leave \
                            the numbers out and let a function of the enum say them";
    if data.variants.is_empty() {
        errors.at(&input.ident, "an enum without variants has no values to archive");
    }
    if let Some(variant) = data.variants.iter().nth(256) {
        errors.at(
            &variant.ident,
            "the tag of an archived enum is one byte, so there is no room for a 257th variant: put some of them into an \
             enum of their own",
        );
        return;
    }
    // rkyv copies the expression into enums of these names, where `Self` and they mean something else (rkyv#708).
    let meaning_changes = ["Self", "Tag", "ArchivedTag", "Discriminant"].map(|name| format_ident!("{name}"));
    let of_bytes = has_repr(&input.attrs, "u8");
    // The number of the next variant, as long as it is known.
    let mut next = Some(0);
    for variant in &data.variants {
        let Some((_, expression)) = &variant.discriminant else {
            if next == Some(256) {
                errors.at(&variant.ident, ONE_BYTE);
            }
            next = next.map(|number| number + 1);
            continue;
        };
        next = None;
        if mentions(expression, &meaning_changes) {
            errors.at(
                expression,
                "rkyv copies this expression into enums where it can mean another number (rkyv#708): write the \
                 number, or the path of a constant outside the enum",
            );
            continue;
        }
        match number(expression) {
            Some(number @ 0..=255) => next = Some(number + 1),
            Some(_) => errors.at(expression, ONE_BYTE),
            None => {}
        }
        if !of_bytes && let Some(typed) = typed(expression) {
            let cast = match typed {
                Expr::Path(_) | Expr::Lit(_) => format!("{} as _", typed.to_token_stream()),
                _ => format!("({}) as _", typed.to_token_stream()),
            };
            errors.at(
                expression,
                format!(
                    "rkyv copies this expression to where it has to be a `u8`: write the number, or `{cast}`"
                ),
            );
        }
    }
}

/// The number that is spelled.
fn number(expression: &Expr) -> Option<i128> {
    match expression {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Int(number) => number.base10_parse().ok(),
            Lit::Byte(byte) => Some(byte.value().into()),
            _ => None,
        },
        Expr::Unary(negated) if matches!(negated.op, UnOp::Neg(_)) => {
            number(&negated.expr).map(|number| -number)
        }
        Expr::Paren(inner) => number(&inner.expr),
        Expr::Group(inner) => number(&inner.expr),
        _ => None,
    }
}

/// The part of the expression that has a type of its own, which is not `u8` if that of the whole is not.
fn typed(expression: &Expr) -> Option<&Expr> {
    match expression {
        Expr::Path(_) => Some(expression),
        Expr::Lit(literal) => match &literal.lit {
            Lit::Int(number) => (!["", "u8"].contains(&number.suffix())).then_some(expression),
            _ => None,
        },
        Expr::Cast(cast) => (!matches!(*cast.ty, Type::Infer(_))).then_some(expression),
        Expr::Unary(unary) => typed(&unary.expr),
        Expr::Binary(binary) => typed(&binary.left).or_else(|| typed(&binary.right)),
        Expr::Paren(inner) => typed(&inner.expr),
        Expr::Group(inner) => typed(&inner.expr),
        _ => None,
    }
}

/// Whether a `#[repr(...)]` says this.
pub(crate) fn has_repr(attributes: &[Attribute], repr: &str) -> bool {
    let mut has = false;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("repr")) {
        // What is wrong in it, the compiler says.
        let _ = attribute.parse_nested_meta(|meta| {
            has |= meta.path.is_ident(repr);
            crate::attributes::rest_of_repr(&meta)
        });
    }
    has
}
