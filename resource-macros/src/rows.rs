//! The types: the row, what callers hand over to create and to change one, and the conditions of lists.

use crate::{
    columns::{Column, argument, last},
    spec::{Filter, Spec, Verb},
    sql::common,
};
use proc_macro2::TokenStream;
use quote::{format_ident, quote};

pub(crate) fn tokens(spec: &Spec) -> TokenStream {
    let (row, new, patch, filter) = (row(spec), new(spec), patch(spec), filter(spec));
    quote!(#row #new #patch #filter)
}

fn row(spec: &Spec) -> TokenStream {
    let (docs, name) = (&spec.docs, &spec.name);
    let (before, after) = common(spec);
    let common = |them: Vec<crate::sql::Common>| {
        let field = |it: crate::sql::Common| {
            let (name, ty) = (format_ident!("{}", it.name), it.field_type());
            quote!(pub #name: #ty,)
        };
        them.into_iter().map(field).collect::<TokenStream>()
    };
    let (before, own, after) = (common(before), spec.columns.iter().map(field), common(after));
    quote! {
        #(#docs)*
        #[derive(Clone, Debug)]
        pub struct #name { #before #(#own)* #after }
    }
}

fn field(column: &Column) -> TokenStream {
    let (docs, name, ty) = (&column.docs, &column.name, &column.ty);
    quote!(#(#docs)* pub #name: #ty,)
}

fn new(spec: &Spec) -> TokenStream {
    if !spec.has(Verb::Create) {
        return TokenStream::new();
    }
    let (name, fields) =
        (spec.new_name(), spec.columns.iter().filter(|it| it.is_in_new()).map(field));
    quote! {
        #[derive(Clone, Debug)]
        pub struct #name { #(#fields)* }
    }
}

fn patch(spec: &Spec) -> TokenStream {
    if !spec.has(Verb::Update) {
        return TokenStream::new();
    }
    let name = spec.derived("Patch");
    let field = |it: &Column| {
        let (name, ty) = (&it.name, &it.ty);
        quote!(pub #name: Option<#ty>,)
    };
    let fields = spec.columns.iter().filter(|it| it.is_in_patch()).map(field);
    quote! {
        /// `None` leaves a column as it is.
        #[derive(Clone, Debug, Default)]
        pub struct #name { #(#fields)* }
    }
}

fn filter(spec: &Spec) -> TokenStream {
    if !spec.has(Verb::List) {
        return TokenStream::new();
    }
    let name = spec.derived("Filter");
    let deleted = spec.soft_delete().then(|| {
        quote! {
            /// Also those that are deleted.
            pub show_deleted: bool,
        }
    });
    let fields = spec.filters.iter().map(|it| {
        let (name, ty) = (&it.name, &it.ty);
        if it.is_flag() { quote!(pub #name: bool,) } else { quote!(pub #name: Option<#ty>,) }
    });
    quote! {
        /// `None` leaves a condition out of account.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct #name { #(#fields)* #deleted }
    }
}

impl Filter {
    /// A condition that is there or not, without a value.
    pub(crate) fn is_flag(&self) -> bool {
        last(&self.ty) == "Flag"
    }

    /// The value that it is compared with.
    pub(crate) fn argument(&self) -> TokenStream {
        let (name, ty) = (&self.name, &self.ty);
        match last(ty).as_str() {
            "Flag" => quote!(filter.#name),
            "String" => quote!(filter.#name.as_deref()),
            _ => {
                let optional: syn::Type = syn::parse_quote!(Option<#ty>);
                argument(&optional, &quote!(filter.#name))
            }
        }
    }

    /// The condition, with a parameter in the place of `?`. The comparison comes first, so that PostgreSQL takes the parameter's type from it.
    pub(crate) fn sql(&self, parameter: &str) -> String {
        let condition = self.condition.replace('?', parameter);
        if self.is_flag() {
            format!("({condition} or not {parameter})")
        } else {
            format!("({condition} or {parameter} is null)")
        }
    }
}
