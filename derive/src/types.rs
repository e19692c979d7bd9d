//! Questions about a type as it is spelled, and the one change that is made to it.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{
    GenericArgument, GenericParam, Generics, PathArguments, QSelf, Type, TypePath, parse_quote,
    visit::{self, Visit},
    visit_mut::{self, VisitMut},
};

/// The names of the type and const parameters.
pub(crate) fn parameters(generics: &Generics) -> Vec<Ident> {
    let name = |param: &GenericParam| match param {
        GenericParam::Type(param) => Some(param.ident.clone()),
        GenericParam::Const(param) => Some(param.ident.clone()),
        GenericParam::Lifetime(_) => None,
    };
    generics.params.iter().filter_map(name).collect()
}

/// Whether one of these names is spelled anywhere in `tokens`.
pub(crate) fn mentions(tokens: &impl ToTokens, names: &[Ident]) -> bool {
    fn any(tokens: TokenStream, names: &[Ident]) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Ident(ident) => names.contains(&ident),
            TokenTree::Group(group) => any(group.stream(), names),
            TokenTree::Punct(_) | TokenTree::Literal(_) => false,
        })
    }
    any(tokens.to_token_stream(), names)
}

/// The first `usize` or one of its kin that is spelled in the type, array lengths and the insides of `PhantomData`
/// left out.
pub(crate) fn spelled_usize(ty: &Type) -> Option<Ident> {
    struct Search(Option<Ident>);
    impl<'ast> Visit<'ast> for Search {
        fn visit_path_segment(&mut self, segment: &'ast syn::PathSegment) {
            const KIN: [&str; 6] =
                ["usize", "isize", "NonZeroUsize", "NonZeroIsize", "AtomicUsize", "AtomicIsize"];
            if self.0.is_none() && KIN.iter().any(|name| segment.ident == name) {
                self.0 = Some(segment.ident.clone());
            }
            if segment.ident != "PhantomData" {
                visit::visit_path_segment(self, segment);
            }
        }
        fn visit_expr(&mut self, _: &'ast syn::Expr) {}
    }
    let mut search = Search(None);
    search.visit_type(ty);
    search.0
}

/// Whether the type is one of those that rkyv archives if their parts are archived, by its name, its parts aside.
pub(crate) fn is_known(ty: &Type) -> bool {
    const KNOWN: [&str; 32] = [
        "bool",
        "char",
        "u8",
        "u16",
        "u32",
        "u64",
        "u128",
        "i8",
        "i16",
        "i32",
        "i64",
        "i128",
        "f32",
        "f64",
        "usize",
        "isize",
        "str",
        "String",
        "CString",
        "Box",
        "Vec",
        "VecDeque",
        "Option",
        "Result",
        "Rc",
        "Arc",
        "HashMap",
        "HashSet",
        "BTreeMap",
        "BTreeSet",
        "PhantomData",
        "Duration",
    ];
    match ty {
        Type::Path(path) => {
            let last = path.path.segments.last();
            path.qself.is_none() && last.is_some_and(|last| KNOWN.iter().any(|name| last.ident == name))
        }
        Type::Tuple(_) | Type::Array(_) | Type::Slice(_) | Type::Group(_) | Type::Paren(_) => true,
        _ => false,
    }
}

/// The first of the type and its parts, down to types that are not known, of which this is true. What `PhantomData` holds
/// is no part.
pub(crate) fn first_outside<'t>(ty: &'t Type, is: &dyn Fn(&Type) -> bool) -> Option<&'t Type> {
    if is(ty) {
        return Some(ty);
    }
    match ty {
        Type::Path(path) if is_known(ty) => {
            path.path.segments.last().and_then(|last| match &last.arguments {
                PathArguments::AngleBracketed(arguments) if last.ident != "PhantomData" => {
                    let parts = arguments.args.iter().filter_map(|argument| match argument {
                        GenericArgument::Type(part) => Some(part),
                        _ => None,
                    });
                    parts.into_iter().find_map(|part| first_outside(part, is))
                }
                _ => None,
            })
        }
        Type::Tuple(tuple) => tuple.elems.iter().find_map(|part| first_outside(part, is)),
        Type::Array(array) => first_outside(&array.elem, is),
        Type::Slice(slice) => first_outside(&slice.elem, is),
        Type::Group(group) => first_outside(&group.elem, is),
        Type::Paren(paren) => first_outside(&paren.elem, is),
        _ => None,
    }
}

/// Whether a field with this wrapper is archived with the numbers that its type spells: it is made of wrappers that only
/// change what is around them. Of others nobody knows.
pub(crate) fn keeps_usize(with: &Type) -> bool {
    struct Search(bool);
    impl<'ast> Visit<'ast> for Search {
        fn visit_path(&mut self, path: &'ast syn::Path) {
            const KEEPING: [&str; 24] = [
                "Map",
                "MapKV",
                "Relaxed",
                "Acquire",
                "SeqCst",
                "AtomicLoad",
                "Inline",
                "AsBox",
                "InlineAsBox",
                "Lock",
                "AsOwned",
                "AsVec",
                "Niche",
                "NicheInto",
                "MapNiche",
                "DefaultNiche",
                "Zero",
                "Null",
                "Unsafe",
                "Unshare",
                "Identity",
                "Sorted",
                "ArchivedKeys",
                "With",
            ];
            self.0 &= path.segments.last().is_some_and(|last| KEEPING.iter().any(|name| last.ident == name));
            visit::visit_path(self, path);
        }
    }
    let mut search = Search(true);
    search.visit_type(with);
    search.0
}

/// Whether a reference is spelled in the type, the insides of `PhantomData` left out.
pub(crate) fn borrows(ty: &Type) -> bool {
    struct Search(bool);
    impl<'ast> Visit<'ast> for Search {
        fn visit_type_reference(&mut self, _: &'ast syn::TypeReference) {
            self.0 = true;
        }
        fn visit_path_segment(&mut self, segment: &'ast syn::PathSegment) {
            if segment.ident != "PhantomData" {
                visit::visit_path_segment(self, segment);
            }
        }
    }
    let mut search = Search(false);
    search.visit_type(ty);
    search.0
}

/// Whether the type's last path segment is this name, or the type is `Self`.
pub(crate) fn is_named(ty: &Type, name: &Ident) -> bool {
    match ty {
        Type::Path(TypePath { qself: None, path }) => {
            path.segments.last().is_some_and(|last| last.ident == *name || last.ident == "Self")
        }
        Type::Group(group) => is_named(&group.elem, name),
        Type::Paren(paren) => is_named(&paren.elem, name),
        _ => false,
    }
}

/// Writes the type out wherever `Self` is spelled: the impls are for another type.
pub(crate) fn write_out_self(input: &mut syn::DeriveInput) {
    struct WriteOut(TypePath);
    impl VisitMut for WriteOut {
        fn visit_type_path_mut(&mut self, ty: &mut TypePath) {
            if ty.qself.is_none() && ty.path.leading_colon.is_none() && ty.path.segments[0].ident == "Self" {
                let this = self.0.clone();
                if ty.path.segments.len() == 1 {
                    *ty = this;
                } else {
                    // `Self::Name` becomes `<Foo>::Name`.
                    let segments = std::mem::take(&mut ty.path.segments);
                    ty.path.leading_colon = Some(Default::default());
                    ty.path.segments = segments.into_iter().skip(1).collect();
                    ty.qself = Some(QSelf {
                        lt_token: Default::default(),
                        ty: Box::new(this.into()),
                        position: 0,
                        as_token: None,
                        gt_token: Default::default(),
                    });
                }
            }
            visit_mut::visit_type_path_mut(self, ty);
        }
        // In the length of an array: a constant of the type's.
        fn visit_expr_path_mut(&mut self, path: &mut syn::ExprPath) {
            let mut ty = TypePath { qself: path.qself.take(), path: path.path.clone() };
            if !ty.path.is_ident("Self") {
                self.visit_type_path_mut(&mut ty);
            }
            (path.qself, path.path) = (ty.qself, ty.path);
        }
        // In discriminants `Self` is refused.
        fn visit_variant_mut(&mut self, variant: &mut syn::Variant) {
            self.visit_fields_mut(&mut variant.fields);
        }
    }
    let (name, (_, arguments, _)) = (&input.ident, input.generics.split_for_impl());
    let mut write_out = WriteOut(parse_quote!(#name #arguments));
    write_out.visit_generics_mut(&mut input.generics);
    write_out.visit_data_mut(&mut input.data);
}
