//! `#[derive(Layout)]`: from the declaration of a type to the description of its archived form.
//!
//! The description is built of measurements that the compiler makes later, of the archived type itself: where its fields
//! are in memory, of enums with a certain tag. A closure that is never called takes the archived type apart and compares
//! each field with the type that the description says, exactly: if they differ, or one is missing, it does not compile.
//! So it does not matter who wrote the archived type.
//!
//! Nor does it matter what is at the paths that are written here, or at the one that the program gives: in the impl of
//! `Layout` all that is said is said by methods of that trait's own `MEASURE` (`graven_format::layout::measure`). Nothing
//! else that a path leads to may decide what a description says, `::core` included.

use proc_macro2::{Group, Ident, Literal, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{
    Data, DeriveInput, Error, Field, Fields, Generics, Member, Path, Result, Type, Variant, WherePredicate,
    ext::IdentExt, parse_quote,
};

use crate::{
    attributes::{LayoutOfField, LayoutOfType, RkyvOfField, RkyvOfType, at},
    fields::recolored,
    keys,
    refuse::{has_repr, refuse},
    types::{is_named, mentions, parameters, write_out_self},
};

/// What the derived impl is for.
enum Target {
    /// The archived type that rkyv declares.
    Archived(Ident),
    /// The type itself: it is its own archived form.
    Itself,
    /// The archived type that `#[rkyv(as = …)]` names, described by the fields here.
    Other(Type),
    /// The archived type that `#[rkyv(as = …)]` names, which describes itself.
    Described(Type),
}

/// A field of the declaration, and what describes it.
struct Described<'a> {
    field: &'a Field,
    /// The type of the field in the archived type.
    archived: TokenStream,
    /// The type whose layout says what the field is: the same, or an `Opaque`.
    layout: TokenStream,
    /// The tag type of an opaque field, and the tag.
    tag: Option<(Ident, syn::LitStr)>,
    /// `omit_bounds` is on it.
    omit_bounds: Option<Span>,
    /// rkyv's bound on it.
    bound: WherePredicate,
    /// A wrapper of rkyv's or ours writes it.
    wrapped: bool,
}

pub(crate) fn layout(mut input: DeriveInput) -> Result<TokenStream> {
    let of_type = LayoutOfType::parse(&input.attrs)?;
    let rkyv_of_type = RkyvOfType::parse(&input.attrs)?;
    let graven = of_type.krate.clone().unwrap_or_else(|| parse_quote!(::graven));
    refuse(&input, &of_type)?;
    keys::refuse(&input.data)?;
    write_out_self(&mut input);

    let name = &input.ident;
    let target = match &rkyv_of_type.as_type {
        _ if of_type.portable => Target::Itself,
        Some(other) if is_named(other, name) => Target::Itself,
        Some(other) if of_type.skip || !input.generics.params.is_empty() => Target::Described(other.clone()),
        Some(other) => Target::Other(other.clone()),
        None if of_type.skip => {
            return Err(Error::new(name.span(), "`layout(skip)` is for types with `#[rkyv(as = …)]`"));
        }
        None => Target::Archived(match &rkyv_of_type.archived {
            Some(archived) => archived.clone(),
            None => format_ident!("Archived{}", name.unraw()),
        }),
    };
    if matches!(target, Target::Itself) {
        check_repr(&input, &of_type)?;
    }

    let fields = describe_fields(&input, &graven, &target)?;
    Expansion { input: &input, graven, of_type, rkyv_of_type, target, fields }.expand()
}

/// A type that is its own archived form must have the layout that its attributes fix, not the compiler's choice.
fn check_repr(input: &DeriveInput, of_type: &LayoutOfType) -> Result<()> {
    let has = |repr| has_repr(&input.attrs, repr);
    match &input.data {
        Data::Enum(_) if of_type.opaque.is_some() => Ok(()),
        Data::Enum(_) if has("u8") && !has("C") => Ok(()),
        Data::Enum(_) => Err(Error::new(
            input.ident.span(),
            "an enum that is its own archived form has to be `#[repr(u8)]`",
        )),
        _ if has("C") || has("transparent") => Ok(()),
        _ => {
            Err(Error::new(input.ident.span(), "a type that is its own archived form has to be `#[repr(C)]`"))
        }
    }
}

/// All fields, those of enums in the order of the variants.
fn describe_fields<'a>(input: &'a DeriveInput, graven: &Path, target: &Target) -> Result<Vec<Described<'a>>> {
    let fields: Vec<&Field> = match &input.data {
        Data::Struct(data) => data.fields.iter().collect(),
        Data::Enum(data) => data.variants.iter().flat_map(|variant| &variant.fields).collect(),
        Data::Union(_) => Vec::new(),
    };
    let describe = |(i, field): (usize, &'a Field)| {
        let of_rkyv = RkyvOfField::parse(&field.attrs)?;
        let of_layout = LayoutOfField::parse(&field.attrs)?;
        let ty = &field.ty;
        // Where errors are shown: at the field, not at the derive.
        let graven = &respan(graven, at(ty));
        let rkyv = quote_spanned!(at(ty)=> #graven::layout::__private::rkyv);
        let (archived, bound) = match (target, &of_rkyv.with) {
            (Target::Itself, _) => (ty.to_token_stream(), parse_quote!(#ty: #graven::layout::Layout)),
            (_, Some(with)) => (
                quote_spanned!(at(ty)=> <#with as #rkyv::with::ArchiveWith<#ty>>::Archived),
                parse_quote!(#with: #rkyv::with::ArchiveWith<#ty>),
            ),
            (_, None) => (
                quote_spanned!(at(ty)=> <#ty as #rkyv::Archive>::Archived),
                parse_quote!(#ty: #rkyv::Archive),
            ),
        };
        let tag = of_layout.opaque.map(|text| (fresh(input, &format!("__Tag{i}")), text));
        let layout = match &tag {
            Some((tag, _)) => quote_spanned!(at(ty)=> #graven::layout::Opaque<#archived, #tag>),
            None => archived.clone(),
        };
        let wrapped = of_rkyv.with.is_some();
        Ok(Described { field, archived, layout, tag, omit_bounds: of_rkyv.omit_bounds, bound, wrapped })
    };
    fields.into_iter().enumerate().map(describe).collect()
}

struct Expansion<'a> {
    input: &'a DeriveInput,
    graven: Path,
    of_type: LayoutOfType,
    rkyv_of_type: RkyvOfType,
    target: Target,
    fields: Vec<Described<'a>>,
}

impl Expansion<'_> {
    fn expand(&self) -> Result<TokenStream> {
        let graven = &self.graven;
        let private = quote!(#graven::layout::__private);
        let target = self.target_type();
        let generics = self.generics();
        let (impl_generics, _, where_clause) = generics.split_for_impl();

        if let Target::Described(other) = &self.target {
            // `other` has a layout of its own; without one this does not compile.
            let span = at(other);
            return Ok(quote_spanned! {span=>
                const _: () = {
                    #[allow(dead_code)]
                    const fn __described #impl_generics () #where_clause {
                        #private::described::<#target>()
                    }
                };
            });
        }

        let opaque = self.of_type.opaque.as_ref();
        let name = self.input.ident.unraw().to_string();
        let invariant = self.invariant();
        let shape = match (opaque, &self.input.data) {
            (Some(tag), _) => {
                let measure = self.measure();
                quote!(#measure.of_opaque(#tag))
            }
            (None, Data::Struct(data)) => self.struct_shape(&data.fields),
            (None, Data::Enum(data)) => self.enum_shape(&data.variants),
            (None, Data::Union(_)) => unreachable!("refused"),
        };
        let tags = self.fields.iter().filter_map(|field| field.tag.as_ref()).map(|(ident, tag)| {
            quote! {
                #[allow(dead_code)]
                struct #ident;
                impl #graven::layout::OpaqueTag for #ident {
                    const TAG: &'static str = #tag;
                }
            }
        });

        let measure = self.measure();
        let refine = self.refine(&generics, &target);
        let checks = self.checks(&target);
        let keys = self.keys();
        Ok(quote! {
            const _: () = {
                #(#tags)*

                // SAFETY: the description is made of the compiler's measurements of the archived type: see
                // `graven_derive::expand`.
                #[automatically_derived]
                unsafe impl #impl_generics #graven::layout::Layout for #target #where_clause {
                    const TYPE: &'static #graven::layout::Type<#graven::layout::TypeRef> =
                        &#measure.described(#name, #shape);
                    #invariant
                }

                #refine
            };
            #checks
            #keys
        })
    }

    /// The impl that computes the fingerprint: each round from the one before of what the fields are.
    fn refine(&self, generics: &Generics, target: &TokenStream) -> TokenStream {
        let graven = &self.graven;
        // Where the bounds are left out, errors are shown as those of rkyv's impls.
        let child = |field: &Described<'_>| match field.omit_bounds {
            Some(span) => recolored(&field.layout, span),
            None => field.layout.clone(),
        };
        let children: Vec<TokenStream> = match self.of_type.opaque {
            Some(_) => Vec::new(),
            None => self.fields.iter().map(child).collect(),
        };
        let mut refined = generics.clone();
        let round = fresh(self.input, "__N");
        refined.params.push(parse_quote!(#round));
        let bounds = refined.make_where_clause();
        let mut seen = Vec::new();
        for (field, child) in self.fields.iter().zip(&children) {
            let spelled = child.to_string();
            if !seen.contains(&spelled) {
                let refine = quote!(#graven::layout::Refine<#round>);
                let refine = field.omit_bounds.map_or(refine.clone(), |span| recolored(&refine, span));
                bounds.predicates.push(parse_quote!(#child: #refine));
                seen.push(spelled);
            }
        }
        let (refine_generics, _, refine_where) = refined.split_for_impl();
        quote! {
            #[automatically_derived]
            impl #refine_generics #graven::layout::Refine<#graven::layout::Next<#round>> for #target #refine_where {
                const DIGEST: #graven::layout::__private::Digest = <Self as #graven::layout::Layout>::LEVEL
                    #(.digest(<#children as #graven::layout::Refine<#round>>::DIGEST))*;
            }
        }
    }

    /// What values have to hold beyond their structure: the code that says it, or none.
    ///
    /// The archived type that rkyv derives has rkyv's derived check, which is the structure's. That of a type which is
    /// its own archived form may be hand-written: no attribute tells, so it is called if it can be called alone.
    fn invariant(&self) -> TokenStream {
        let (graven, measure) = (&self.graven, self.measure());
        let span = Span::call_site().located_at(self.input.ident.span());
        let private = quote!(#graven::layout::__private);
        let found = if self.of_type.opaque.is_some() || self.of_type.invariants {
            let here = respan(&measure, span);
            quote_spanned!(span=> #here.pointer_free())
        } else if self.rkyv_of_type.verify {
            let here = respan(&measure, span);
            quote_spanned!(span=> #here.verified_alone())
        } else if matches!(self.target, Target::Itself | Target::Other(_))
            && self.input.generics.params.is_empty()
        {
            // The path is spelled in a type: it is the type of `MEASURE`, or this does not compile.
            let name = Ident::new("measure", Span::mixed_site());
            quote!({
                #[allow(unused_imports)]
                use #private::Unchecked as _;
                let #name: #private::Measure<Self> = #measure;
                #name.found(<#private::Measure<Self>>::ALONE)
            })
        } else {
            return TokenStream::new();
        };
        quote!(const INVARIANT: ::core::option::Option<#graven::layout::Invariant> = #found;)
    }

    /// What the description is made with, in the impl of `Layout`: the only path there that has to lead to graven.
    fn measure(&self) -> TokenStream {
        let graven = &self.graven;
        quote!(<Self as #graven::layout::Layout>::MEASURE)
    }

    /// The type the impl is for.
    fn target_type(&self) -> TokenStream {
        let (_, arguments, _) = self.input.generics.split_for_impl();
        match &self.target {
            Target::Archived(archived) => quote!(#archived #arguments),
            Target::Itself => {
                let name = &self.input.ident;
                quote!(#name #arguments)
            }
            Target::Other(other) | Target::Described(other) => other.to_token_stream(),
        }
    }

    /// The type's generics with the bounds of the impl: the archived type's own (rkyv puts its bounds on fields
    /// there), and a layout for what the fields are archived as. Bounds that name no parameter are left out: they
    /// hold or not, and the compiler says so at the field.
    fn generics(&self) -> Generics {
        let graven = &self.graven;
        let rkyv = quote!(#graven::layout::__private::rkyv);
        let mut generics = self.input.generics.clone();
        let names = parameters(&generics);
        let types: Vec<Ident> = generics.type_params().map(|param| param.ident.clone()).collect();

        // What is said of each type parameter, to find those that are archived themselves.
        let archive = [format_ident!("Archive")];
        let mut archived: Vec<Ident> = generics
            .type_params()
            .filter(|param| mentions(&param.bounds, &archive))
            .map(|param| param.ident.clone())
            .collect();
        let said = generics.where_clause.iter().flat_map(|clause| &clause.predicates);
        for predicate in said.chain(&self.rkyv_of_type.archive_bounds) {
            if let WherePredicate::Type(predicate) = predicate
                && mentions(&predicate.bounds, &archive)
            {
                archived.extend(types.iter().filter(|ty| is_parameter(&predicate.bounded_ty, ty)).cloned());
            }
        }

        let predicates = &mut generics.make_where_clause().predicates;
        if !matches!(self.target, Target::Itself) {
            predicates.extend(self.rkyv_of_type.archive_bounds.iter().cloned());
        }
        for field in &self.fields {
            let Described { archived: archived_type, bound, .. } = field;
            if field.omit_bounds.is_some() && !matches!(self.target, Target::Itself) {
                for ty in archived.iter().filter(|ty| mentions(&field.field.ty, std::slice::from_ref(ty))) {
                    predicates.push(parse_quote!(<#ty as #rkyv::Archive>::Archived: #graven::layout::Layout));
                }
            } else if mentions(&field.archived, &names) {
                predicates.push(bound.clone());
                if field.tag.is_none() && self.of_type.opaque.is_none() {
                    predicates.push(parse_quote!(#archived_type: #graven::layout::Layout));
                }
            }
            if field.tag.is_some() && mentions(&field.archived, &names) {
                predicates.push(parse_quote!(#archived_type: #graven::layout::PointerFree));
            }
        }
        if !names.is_empty() {
            let target = self.target_type();
            if self.rkyv_of_type.verify {
                predicates.push(parse_quote!(#target: #graven::layout::VerifiedAlone));
            }
            if self.of_type.opaque.is_some() {
                predicates.push(parse_quote!(#target: #graven::layout::PointerFree));
            }
        }
        generics
    }

    /// A field of a description.
    fn field(&self, described: &Described<'_>, member: &Member, offset: &TokenStream) -> TokenStream {
        let Described { archived, layout, tag, .. } = described;
        let (measure, name) = (self.measure(), member_name(member));
        let span = at(&described.field.ty);
        let here = respan(&measure, span);
        let ty = match tag {
            Some((tag, _)) => quote_spanned!(span=> #here.opaque::<#archived, #tag>()),
            None => quote_spanned!(span=> #here.link::<#layout>()),
        };
        quote!(#measure.field(#name, #offset, #ty))
    }

    fn struct_shape(&self, fields: &Fields) -> TokenStream {
        let measure = self.measure();
        let apart = self.apart(&[(quote!(Self), fields)]);
        let value = Ident::new("value", Span::mixed_site());
        let list = self.fields.iter().zip(fields.members()).map(|(described, member)| {
            let offset = quote!(const {
                let #value = #measure.memory();
                // SAFETY: nothing is read; the field, which is there as the type is taken apart by it, lies in the struct.
                unsafe { #measure.offset(&#value, &raw const (*#value.as_ptr()).#member) }
            });
            self.field(described, &member, &offset)
        });
        quote!({
            #apart
            #measure.of_struct(const { &[#(#list),*] })
        })
    }

    fn enum_shape<'v>(&self, variants: impl IntoIterator<Item = &'v Variant>) -> TokenStream {
        let measure = self.measure();
        let [value, found, tag] = ["value", "found", "tag"].map(|name| Ident::new(name, Span::mixed_site()));
        let mut rest = &self.fields[..];
        // The tag: how many variants behind the last one that has a number, or behind the first one.
        let (mut number, mut behind) = (quote!(0), 0usize);
        let (mut described, mut taken_apart) = (vec![], vec![]);
        for variant in variants {
            let (fields, after) = rest.split_at(variant.fields.len());
            rest = after;
            if let Some((_, given)) = &variant.discriminant {
                (number, behind) = (given.to_token_stream(), 0);
            }
            let distance = Literal::usize_unsuffixed(behind);
            behind += 1;
            let (ident, name) = (&variant.ident, variant.ident.unraw().to_string());
            // In memory with this variant's tag: what `fields` binds of it, as `answer`.
            let measured = |fields: TokenStream, answer: TokenStream| {
                quote!(const {
                    let #tag: ::core::primitive::u8 = #number;
                    let #tag = #tag + #distance;
                    let #value = #measure.tagged(#tag);
                    // SAFETY: of the enum nothing is read but its tag, which is there; the field is bound, not read,
                    // and lies in the enum.
                    unsafe {
                        match *#value.as_ptr() {
                            Self::#ident { #fields .. } => #answer,
                            #[allow(unreachable_patterns)]
                            _ => #measure.another_variant(),
                        }
                    }
                })
            };
            let list = fields.iter().zip(variant.fields.members()).map(|(field, member)| {
                let offset = quote!(#measure.offset(&#value, #found));
                let offset = measured(quote!(#member: ref #found,), offset);
                self.field(field, &member, &offset)
            });
            let list = quote!(const { &[#(#list),*] });
            let of_tag = measured(quote!(), quote!(#tag));
            described.push(quote!(#measure.variant(#name, #of_tag, #list)));
            taken_apart.push((quote!(Self::#ident), &variant.fields));
        }
        let apart = self.apart(&taken_apart);
        quote!({
            #apart
            #measure.of_enum(const { &[#(#described),*] })
        })
    }

    /// Takes the archived type apart, by all its variants or as the struct it is, and compares its fields' types.
    fn apart(&self, variants: &[(TokenStream, &Fields)]) -> TokenStream {
        let measure = self.measure();
        let this = Ident::new("this", Span::mixed_site());
        let mut described = self.fields.iter();
        let arms = variants.iter().map(|(path, fields)| {
            let compared = fields.members().zip(described.by_ref()).enumerate();
            let (patterns, checks): (Vec<_>, Vec<_>) = compared
                .map(|(i, (member, Described { field, archived, .. }))| {
                    let binding = Ident::new(&format!("field{i}"), Span::mixed_site());
                    let here = respan(&measure, at(&field.ty));
                    let check = quote_spanned!(at(&field.ty)=> #here.same::<#archived, _>(#binding));
                    (quote!(#member: #binding), check)
                })
                .unzip();
            quote!(#path { #(#patterns),* } => { #(#checks;)* })
        });
        quote! {
            let _ = |#this: &Self| match #this { #(#arms)* };
        }
    }

    /// What is said of the type as a key, and checked of the maps in it.
    fn keys(&self) -> TokenStream {
        if matches!(self.target, Target::Itself) {
            return TokenStream::new();
        }
        let (input, graven) = (self.input, &self.graven);
        let fields = self.fields.iter().filter(|described| !described.wrapped);
        let fields: Vec<&Field> = fields.map(|described| described.field).collect();
        let checks = fields.iter().map(|field| keys::check(field, &input.generics, graven));
        let key = keys::describe(&fields, &input.ident, &input.generics, graven);
        quote!(#key #(#checks)*)
    }

    /// What is checked of a type without parameters where it is declared, rather than where it is used: that the
    /// layout can be evaluated, and that it is the pinned one.
    fn checks(&self, target: &TokenStream) -> TokenStream {
        let graven = &self.graven;
        let private = quote!(#graven::layout::__private);
        if !self.input.generics.params.is_empty() {
            return TokenStream::new();
        }
        let portable =
            matches!(self.target, Target::Itself).then(|| quote!(#private::portable::<#target>();));
        let name = &self.input.ident;
        let copied = portable.is_none().then(|| {
            quote! {
                #[allow(unused_imports)]
                use #private::NotCopied as _;
                <#private::Copied<#name>>::CHECK;
            }
        });
        let described = quote! {
            let _ = <#target as #graven::layout::Layout>::TYPE;
            #copied
        };
        let described = match self.generics().where_clause.filter(|clause| !clause.predicates.is_empty()) {
            // As in an impl, which may know of the fields what is not known here.
            Some(known) => quote! {
                const fn described() #known {
                    #described
                }
                described();
            },
            None => described,
        };
        let pinned = self.of_type.fingerprint.as_ref().map(|fingerprint| {
            let name = self.input.ident.unraw().to_string();
            let span = Span::call_site().located_at(fingerprint.span());
            let (graven, target) = (respan(graven, span), respan(target, span));
            quote_spanned!(span=>
                const _: () = #graven::layout::__private::check_pin::<#target>(#name, #fingerprint);
            )
        });
        quote! {
            const _: () = {
                #portable
                #described
            };
            #pinned
        }
    }
}

/// A name that the declaration does not use, so that the types it names stay what they are beside ours.
fn fresh(input: &DeriveInput, name: &str) -> Ident {
    let mut name = format_ident!("{name}");
    while mentions(input, std::slice::from_ref(&name)) {
        name = format_ident!("{name}_");
    }
    name
}

/// The same tokens, shown at `span` in errors.
fn respan(tokens: &impl ToTokens, span: Span) -> TokenStream {
    let respan = |mut token: TokenTree| {
        if let TokenTree::Group(group) = &token {
            token = Group::new(group.delimiter(), respan(&group.stream(), span)).into();
        }
        token.set_span(token.span().located_at(span));
        token
    };
    tokens.to_token_stream().into_iter().map(respan).collect()
}

/// Whether a type is nothing but this parameter.
fn is_parameter(ty: &Type, name: &Ident) -> bool {
    matches!(ty, Type::Path(path) if path.qself.is_none() && path.path.is_ident(name))
}

/// The name of a field in the layout: its number in tuples.
fn member_name(member: &Member) -> String {
    match member {
        Member::Named(ident) => ident.unraw().to_string(),
        Member::Unnamed(index) => index.index.to_string(),
    }
}
