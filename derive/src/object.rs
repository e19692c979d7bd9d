//! `#[graven::object]`: rkyv's three derives and ours, with the bounds that recursion needs.
//!
//! rkyv's derives ask `Field: Serialize<S>` and so on for each field, which never ends if the field leads back to the
//! type. `omit_bounds` on the field leaves the question out, and then the impl has to ask of `S` itself what the
//! field's impl will. What any built-in type asks is known: it is asked here, once, for all.
//!
//! A type of which every field is visibly a number, or names a parameter, needs no help and gets none: such types can
//! be checked without the archive around them, which opaque types have to be.
//!
//! Generic types that hold each other can only be told by the user, who omits the bounds of a field that names a
//! parameter. What the field's impl will ask of the parameter is then asked of the parameter itself.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{
    Attribute, Data, DeriveInput, Error, Field, Fields, Path, Result, Token, Type, WherePredicate,
    parse::Parser,
    parse_quote,
    punctuated::Punctuated,
    visit::{self, Visit},
    visit_mut::VisitMut,
};

use crate::{
    attributes::{LayoutOfField, LayoutOfType, RkyvOfField, argument, at, rest},
    fields::Assumed,
    keys, lints,
    refuse::refuse,
    types::{borrows, mentions, parameters},
};

pub(crate) fn object(arguments: TokenStream, item: DeriveInput) -> TokenStream {
    derive(arguments, item.clone()).unwrap_or_else(|error| {
        // The type as it is, so that what uses it is no further error, and none of the derives has its say.
        let (error, mut item) = (error.into_compile_error(), item);
        let used = wrappers(&item);
        take_arguments(&mut item);
        quote!(#error #(const _: [::core::marker::PhantomData<#used>; 0] = [];)* #item)
    })
}

/// The wrappers that the fields name, if nothing else is needed to name them: they are used, whatever else is wrong.
fn wrappers(item: &DeriveInput) -> Vec<Type> {
    let fields: Vec<&Field> = match &item.data {
        _ if !item.generics.params.is_empty() => Vec::new(),
        Data::Struct(data) => data.fields.iter().collect(),
        Data::Enum(data) => data.variants.iter().flat_map(|variant| &variant.fields).collect(),
        Data::Union(_) => Vec::new(),
    };
    let with = fields.into_iter().filter_map(|field| RkyvOfField::parse(&field.attrs).ok()?.with);
    with.filter(|with| !mentions(with, &[format_ident!("Self")])).collect()
}

/// Takes what is for the derives off the type.
fn take_arguments(item: &mut DeriveInput) {
    struct Take;
    impl VisitMut for Take {
        fn visit_attributes_mut(&mut self, attributes: &mut Vec<Attribute>) {
            attributes
                .retain(|attribute| !["rkyv", "layout"].iter().any(|name| attribute.path().is_ident(name)));
        }
    }
    Take.visit_derive_input_mut(item);
}

fn derive(arguments: TokenStream, mut item: DeriveInput) -> Result<TokenStream> {
    let mut krate: Option<Path> = None;
    let parser = syn::meta::parser(|meta| {
        if meta.path.is_ident("crate") {
            krate = Some(meta.value()?.parse()?);
            Ok(())
        } else {
            Err(meta.error("unknown argument: `object` takes `crate = path`"))
        }
    });
    parser.parse2(arguments)?;
    let of_layout = LayoutOfType::parse(&item.attrs)?;
    if let Some(path) = &krate
        && of_layout.krate.is_none()
    {
        item.attrs.push(parse_quote!(#[layout(crate = #path)]));
    }
    let graven = krate.or_else(|| of_layout.krate.clone()).unwrap_or_else(|| parse_quote!(::graven));

    lints::quiet_names(&mut item);
    lints::deprecated(&mut item, &quote!(#graven::rkyv))?;

    // An opaque type holds no pointers, so it needs no help; and the bounds would keep it from being checked alone.
    let (mut help, mut closed, mut borrowed, mut assumed) = (false, Vec::new(), false, Vec::new());
    if of_layout.opaque.is_none() {
        let mut mark = Mark {
            graven: graven.clone(),
            name: item.ident.clone(),
            names: parameters(&item.generics),
            types: item.generics.type_params().map(|param| param.ident.clone()).collect(),
            help: false,
            closed: Vec::new(),
            borrowed: false,
            fields: 0,
            assumed: Vec::new(),
        };
        match &mut item.data {
            Data::Struct(data) => data.fields.iter_mut().try_for_each(|field| mark.field(field, true))?,
            Data::Enum(data) => data.variants.iter_mut().try_for_each(|variant| {
                let certain = is_certain(&variant.attrs);
                variant.fields.iter_mut().try_for_each(|field| mark.field(field, certain))
            })?,
            Data::Union(data) => {
                return Err(Error::new(
                    data.union_token.span,
                    "a union cannot be an object: its bytes do not say which of the fields they are. Use an enum",
                ));
            }
        }
        (help, closed, borrowed, assumed) = (mark.help, mark.closed, mark.borrowed, mark.assumed);
    }

    refuse(&certain(&item), &of_layout)?;
    let (rkyv, of_fields) = merge(&mut item, &graven, help, &closed, &assumed, !borrowed)?;
    let deserialize = (!borrowed).then(|| quote!(#graven::rkyv::Deserialize,));
    Ok(quote! {
        #of_fields
        #[derive(#graven::rkyv::Archive, #graven::rkyv::Serialize, #deserialize #graven::Layout)]
        #rkyv
        #item
    })
}

/// Whether nothing depends on the configuration, which is asked after this macro.
fn is_certain(attributes: &[Attribute]) -> bool {
    !attributes.iter().any(|attribute| ["cfg", "cfg_attr"].iter().any(|name| attribute.path().is_ident(name)))
}

/// The type without what depends on the configuration: of the rest the derive will know.
fn certain(item: &DeriveInput) -> DeriveInput {
    fn certain(fields: &mut Fields) {
        match fields {
            Fields::Named(fields) => retain(&mut fields.named, |field| is_certain(&field.attrs)),
            Fields::Unnamed(fields) => retain(&mut fields.unnamed, |field| is_certain(&field.attrs)),
            Fields::Unit => {}
        }
    }
    let mut item = item.clone();
    match &mut item.data {
        Data::Struct(data) => certain(&mut data.fields),
        Data::Enum(data) => {
            // Whether there are variants at all, only the derive knows.
            if data.variants.iter().any(|variant| is_certain(&variant.attrs)) {
                retain(&mut data.variants, |variant| is_certain(&variant.attrs));
            }
            data.variants.iter_mut().for_each(|variant| certain(&mut variant.fields));
        }
        Data::Union(_) => {}
    }
    item
}

fn retain<T: Clone, P: Clone + Default>(list: &mut Punctuated<T, P>, keep: impl Fn(&T) -> bool) {
    *list = list.iter().filter(|item| keep(item)).cloned().collect();
}

/// Marks the fields that could lead back to the type, and those that are maps.
struct Mark {
    graven: Path,
    name: Ident,
    /// All type and const parameters.
    names: Vec<Ident>,
    /// The type parameters.
    types: Vec<Ident>,
    /// There are fields without bounds.
    help: bool,
    /// The type parameters named in fields on which the user omits the bounds.
    closed: Vec<Ident>,
    /// There are fields with references, which nothing can be deserialized into.
    borrowed: bool,
    /// How many fields there were.
    fields: usize,
    /// Those on which the bounds are left out, and not by the user.
    assumed: Vec<Assumed>,
}

impl Mark {
    /// A field, of a variant that is certain to be there, or not.
    fn field(&mut self, field: &mut Field, certain: bool) -> Result<()> {
        keys::wrap(field, &self.graven)?;
        let of_rkyv = RkyvOfField::parse(&field.attrs)?;
        self.fields += 1;
        self.borrowed |= borrows(&field.ty) && !mentions(&of_rkyv.with, &[format_ident!("Skip")]);
        let named = mentions(&field.ty, &self.names) || mentions(&of_rkyv.with, &self.names);
        if of_rkyv.omit_bounds.is_some() {
            self.help = true;
            let ty = &field.ty;
            self.closed
                .extend(self.types.iter().filter(|name| mentions(ty, std::slice::from_ref(name))).cloned());
        } else if !(named || is_plain(&field.ty) && of_rkyv.with.is_none())
            || holds_itself(&field.ty, &self.name)
        {
            self.help = true;
            let certain = certain && is_certain(&field.attrs);
            if certain
                && !named
                && of_rkyv.with.is_none()
                && LayoutOfField::parse(&field.attrs)?.opaque.is_none()
            {
                self.assumed.extend(Assumed::new(&field.ty, self.fields));
            }
            // Where errors are shown that are due to the field.
            let omit = quote_spanned!(at(&field.ty)=> omit_bounds);
            field.attrs.push(parse_quote!(#[rkyv(#omit)]));
        }
        Ok(())
    }
}

/// Whether the type is visibly made of numbers: it cannot lead back to the type, and it needs nothing.
fn is_plain(ty: &Type) -> bool {
    const PLAIN: [&str; 15] = [
        "bool", "char", "u8", "u16", "u32", "u64", "u128", "i8", "i16", "i32", "i64", "i128", "f32", "f64",
        "usize",
    ];
    match ty {
        Type::Path(path) => path.qself.is_none() && PLAIN.iter().any(|name| path.path.is_ident(name)),
        Type::Tuple(tuple) => tuple.elems.iter().all(is_plain),
        Type::Array(array) => is_plain(&array.elem),
        Type::Group(group) => is_plain(&group.elem),
        Type::Paren(paren) => is_plain(&paren.elem),
        _ => false,
    }
}

/// Whether a path in the type ends in this name, or is `Self`.
fn holds_itself(ty: &Type, name: &Ident) -> bool {
    struct Search<'a>(&'a Ident, bool);
    impl<'ast> Visit<'ast> for Search<'_> {
        fn visit_path(&mut self, path: &'ast Path) {
            self.1 |= path.segments.last().is_some_and(|last| last.ident == *self.0) || path.is_ident("Self");
            visit::visit_path(self, path);
        }
    }
    let mut search = Search(name, false);
    search.visit_type(ty);
    search.1
}

type Bounds = Vec<WherePredicate>;

/// Takes rkyv's attributes off the type and puts them into one, with the crate path and the bounds added: rkyv
/// takes each argument once only.
///
/// Beside it, what the fields are assumed to be.
fn merge(
    item: &mut DeriveInput,
    graven: &Path,
    help: bool,
    closed: &[Ident],
    assumed: &[Assumed],
    deserialized: bool,
) -> Result<(Attribute, TokenStream)> {
    let rkyv = quote!(#graven::rkyv);
    let mut merged = Merged::default();
    if help {
        merged.help(&rkyv, closed);
    }
    merged.take(&mut item.attrs)?;
    // Bounds of the user's may ask more of a serializer than the impl below knows of; and without all the derives there is
    // less to know.
    let impls = match deserialized && !merged.as_type && !merged.bounded {
        true => merged.assume(item, graven, assumed),
        false => TokenStream::new(),
    };
    Ok((merged.into_attribute(rkyv, &item.attrs), impls))
}

/// The arguments of rkyv's attribute on the type.
#[derive(Default)]
struct Merged {
    krate: Option<TokenStream>,
    as_type: bool,
    /// There are bounds of the user's.
    bounded: bool,
    archive: Bounds,
    serialize: Bounds,
    deserialize: Bounds,
    check: Bounds,
    bytecheck: Vec<TokenStream>,
    others: Vec<TokenStream>,
}

impl Merged {
    /// What fields without bounds need, and these parameters in them.
    fn help(&mut self, rkyv: &TokenStream, closed: &[Ident]) {
        let Merged { archive, serialize, deserialize, check, .. } = self;
        let source = quote!(#rkyv::rancor::Source);
        let error = |of: &str| -> WherePredicate {
            let of = format_ident!("{of}");
            parse_quote!(<#of as #rkyv::rancor::Fallible>::Error: #source)
        };
        serialize.push(parse_quote!(__S: #rkyv::ser::Writer + #rkyv::ser::Allocator + #rkyv::ser::Sharing));
        serialize.push(error("__S"));
        deserialize.push(parse_quote!(__D: #rkyv::de::Pooling));
        deserialize.push(error("__D"));
        check.push(parse_quote!(__C: #rkyv::validation::ArchiveContext + #rkyv::validation::SharedContext));
        check.push(error("__C"));
        for ty in closed {
            archive.push(parse_quote!(#ty: #rkyv::Archive));
            serialize.push(parse_quote!(#ty: #rkyv::Serialize<__S>));
            deserialize.push(parse_quote!(<#ty as #rkyv::Archive>::Archived: #rkyv::Deserialize<#ty, __D>));
            check.push(parse_quote!(<#ty as #rkyv::Archive>::Archived: #rkyv::bytecheck::CheckBytes<__C>));
        }
    }

    /// Takes what the user says off the type.
    fn take(&mut self, attributes: &mut Vec<Attribute>) -> Result<()> {
        let bounds = Punctuated::<WherePredicate, Token![,]>::parse_terminated;
        let (of_rkyv, kept): (Vec<_>, Vec<_>) = attributes.drain(..).partition(|a| a.path().is_ident("rkyv"));
        *attributes = kept;
        for attribute in of_rkyv {
            attribute.parse_nested_meta(|meta| {
                let path = meta.path.to_token_stream();
                let named = |name: &str| meta.path.is_ident(name);
                let assigned = meta.input.peek(Token![=]);
                let content = rest(&meta)?;
                let of_bounds = match meta.path.get_ident().map(ToString::to_string).as_deref() {
                    Some("archive_bounds") => Some(&mut self.archive),
                    Some("serialize_bounds") => Some(&mut self.serialize),
                    Some("deserialize_bounds") => Some(&mut self.deserialize),
                    _ => None,
                };
                if let Some(of_bounds) = of_bounds {
                    self.bounded = true;
                    of_bounds.extend(bounds.parse2(content)?);
                } else if named("crate") {
                    self.krate = Some(content);
                } else if named("bytecheck") {
                    let parser = syn::meta::parser(|inner| {
                        let name = inner.path.to_token_stream();
                        let assigned = inner.input.peek(Token![=]);
                        let content = rest(&inner)?;
                        if inner.path.is_ident("bounds") {
                            self.bounded = true;
                            self.check.extend(bounds.parse2(content)?);
                        } else {
                            self.bytecheck.push(argument(name, assigned, content));
                        }
                        Ok(())
                    });
                    parser.parse2(content)?;
                } else {
                    self.as_type |= named("as");
                    self.others.push(argument(path, assigned, content));
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Adds the bounds that say what the fields are assumed to be, and gives the impls that make it so.
    fn assume(&mut self, item: &DeriveInput, graven: &Path, assumed: &[Assumed]) -> TokenStream {
        let Merged { archive, serialize, deserialize, check, .. } = self;
        let (_, arguments, _) = item.generics.split_for_impl();
        let (name, generics) = (&item.ident, &item.generics);
        let owner = quote!(#name #arguments);
        let bounds: Bounds = [&archive[..], serialize, deserialize, check].concat();
        let with = |name: &str| [format_ident!("{name}")];
        let mut impls = TokenStream::new();
        for field in assumed {
            impls.extend(field.implement(graven, &owner, generics, &bounds));
            archive.push(field.has("Archives", graven, &owner, &[]));
            serialize.push(field.has("Writes", graven, &owner, &with("__S")));
            deserialize.push(field.has("Deserializes", graven, &owner, &with("__D")));
            check.push(field.has("Checks", graven, &owner, &with("__C")));
        }
        impls
    }

    fn into_attribute(self, rkyv: TokenStream, attributes: &[Attribute]) -> Attribute {
        let Merged { archive, serialize, deserialize, check, mut bytecheck, others, .. } = self;
        let krate = self.krate.unwrap_or(rkyv);
        let mut arguments = vec![quote!(crate = #krate)];
        if !archive.is_empty() {
            arguments.push(quote!(archive_bounds(#(#archive),*)));
        }
        if !serialize.is_empty() {
            arguments.push(quote!(serialize_bounds(#(#serialize),*)));
        }
        if !deserialize.is_empty() {
            arguments.push(quote!(deserialize_bounds(#(#deserialize),*)));
        }
        if !self.as_type {
            arguments.extend(lints::handed_on(attributes));
            if !check.is_empty() {
                bytecheck.push(quote!(bounds(#(#check),*)));
            }
            if !bytecheck.is_empty() {
                arguments.push(quote!(bytecheck(#(#bytecheck),*)));
            }
        }
        arguments.extend(others);
        parse_quote!(#[rkyv(#(#arguments),*)])
    }
}
