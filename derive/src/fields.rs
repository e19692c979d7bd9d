//! Fields whose bounds `#[graven::object]` leaves out: what the derives' impls ask for in place of them.
//!
//! See `graven::layout::__private::Field`. All that is said of a field is shown at the field, in the same words: what is
//! wrong with it is then one error, however many impls need it.

use proc_macro2::{Group, Ident, Literal, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{
    GenericParam, Generics, Lifetime, Macro, Path, Type, TypeReference, WherePredicate, parse_quote,
    visit::{self, Visit},
};

use crate::{
    attributes::at,
    types::{first_outside, is_known},
};

/// A field whose type may lead back to the type that has it.
pub(crate) struct Assumed {
    ty: TokenStream,
    number: Literal,
    span: Span,
}

impl Assumed {
    /// `None` if the type says by itself that it is archived, or means something else in an impl.
    pub(crate) fn new(ty: &Type, number: usize) -> Option<Assumed> {
        let span = at(ty);
        let elsewhere = ["Self", "$crate"].iter().any(|word| spells(ty.to_token_stream(), word));
        (!elsewhere && first_outside(ty, &|ty| !is_known(ty)).is_some() && !depends(ty)).then(|| Assumed {
            ty: recolored(ty, span),
            number: Literal::usize_unsuffixed(number),
            span,
        })
    }

    /// That the field has one of the traits, for the impl's serializer, deserializer or context.
    pub(crate) fn has(
        &self,
        named: &str,
        graven: &Path,
        owner: &TokenStream,
        with: &[Ident],
    ) -> WherePredicate {
        let (ty, path) = (&self.ty, self.path(named, graven, owner, with));
        parse_quote!(#ty: #path)
    }

    /// The impl that all of them follow from, with these bounds on the type's parameters and its own.
    pub(crate) fn implement(
        &self,
        graven: &Path,
        owner: &TokenStream,
        generics: &Generics,
        bounds: &[WherePredicate],
    ) -> TokenStream {
        let with = ["__S", "__D", "__C"].map(|name| format_ident!("{name}"));
        let mut generics = generics.clone();
        let fallible = quote!(#graven::layout::__private::rkyv::rancor::Fallible);
        generics
            .params
            .extend(with.iter().map(|with| -> GenericParam { parse_quote!(#with: #fallible + ?Sized) }));
        generics.make_where_clause().predicates.extend(bounds.iter().cloned());
        let (impl_generics, _, where_clause) = generics.split_for_impl();
        let (ty, path) = (&self.ty, self.path("Field", graven, owner, &with));
        quote_spanned!(self.span=> #[automatically_derived] impl #impl_generics #path for #ty #where_clause {})
    }

    fn path(&self, named: &str, graven: &Path, owner: &TokenStream, with: &[Ident]) -> TokenStream {
        let (number, named) = (&self.number, format_ident!("{named}"));
        let path = quote!(#graven::layout::__private::#named<#owner, #number #(, #with)*>);
        recolored(&path, self.span)
    }
}

/// The same tokens in another place. They must mean the same there.
pub(crate) fn recolored(tokens: &impl ToTokens, span: Span) -> TokenStream {
    let recolored = |mut token: TokenTree| {
        if let TokenTree::Group(group) = &token {
            token = Group::new(group.delimiter(), recolored(&group.stream(), span)).into();
        }
        token.set_span(span);
        token
    };
    tokens.to_token_stream().into_iter().map(recolored).collect()
}

/// Whether the word is anywhere in it.
pub(crate) fn spells(tokens: TokenStream, word: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == word,
        TokenTree::Group(group) => spells(group.stream(), word),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

/// Whether the type has lifetimes, or is what a macro says.
fn depends(ty: &Type) -> bool {
    struct Search(bool);
    impl<'ast> Visit<'ast> for Search {
        fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
            self.0 |= lifetime.ident != "static";
        }
        fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
            self.0 |= reference.lifetime.is_none();
            visit::visit_type_reference(self, reference);
        }
        fn visit_macro(&mut self, _: &'ast Macro) {
            self.0 = true;
        }
    }
    let mut search = Search(false);
    search.visit_type(ty);
    search.0
}
