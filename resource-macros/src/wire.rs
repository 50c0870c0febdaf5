//! The way to the wire and back, by names: a column is the field that is called like it.

use crate::{
    columns::{Column, last, pascal, snake},
    spec::{Scope, Spec, Verb},
};
use proc_macro2::TokenStream;
use quote::{format_ident, quote};

pub(crate) fn tokens(spec: &Spec) -> TokenStream {
    let (resource, rules, id, request) =
        (resource(spec), rules(spec), id(spec), list_request(spec));
    quote!(#resource #rules #id #request)
}

impl Column {
    /// On the wire it is a message, which is always optional there.
    fn is_message(&self) -> bool {
        !self.is_nullable() && matches!(last(self.base()).as_str(), "DateTime" | "Object")
    }

    fn to_wire(&self) -> TokenStream {
        let (name, field) = (&self.name, &self.field);
        let value = quote!(crate::resource::Column::into_wire(self.#name));
        if self.is_message() { quote!(#field: Some(#value),) } else { quote!(#field: #value,) }
    }

    /// Reads `value`, which is what the field holds.
    fn read(&self, kind: &str, value: &TokenStream) -> TokenStream {
        let path = format!("{kind}.{}", self.field);
        let value = match last(self.base()).as_str() {
            "Object" if self.is_message() => quote!(#value.unwrap_or_default()),
            _ if self.is_message() => quote!(crate::api::request::required(#path, #value)?),
            _ => value.clone(),
        };
        quote!(crate::resource::Column::from_wire(#path, #value)?)
    }
}

fn resource(spec: &Spec) -> TokenStream {
    let (name, id) = (&spec.name, spec.id());
    let (text, kind) = (name.to_string(), snake(&name.to_string()));
    let table = spec.table.split('.').next_back().unwrap_or_default().to_owned();
    let columns = spec.columns.iter().map(|it| {
        let (name, field) = (it.name.to_string(), it.field.to_string());
        quote!((#name, #field))
    });
    let owner = match spec.scope {
        Scope::Tenant => quote!(::shared_db::ids::OrganizationId),
        Scope::Private => quote!(crate::resource::Mine),
        Scope::Global => quote!(crate::resource::Everyone),
    };
    let or_unit = |verb, name: syn::Ident| if spec.has(verb) { quote!(#name) } else { quote!(()) };
    let new = or_unit(Verb::Create, spec.new_name());
    let patch = or_unit(Verb::Update, spec.derived("Patch"));
    let filter = or_unit(Verb::List, spec.derived("Filter"));
    let (into_wire, read) = (into_wire(spec), read(spec, &kind));
    quote! {
        impl crate::resource::Resource for #name {
            const NAME: &'static str = #text;
            const KIND: &'static str = #kind;
            const TABLE: &'static str = #table;
            const COLUMNS: &'static [(&'static str, &'static str)] = &[#(#columns),*];
            type Id = #id;
            type Owner = #owner;
            type Wire = ::web_api::v1::#name;
            type New = #new;
            type Patch = #patch;
            type Filter = #filter;

            fn new_id() -> #id {
                #id::generate()
            }

            fn uuid(id: #id) -> ::uuid::Uuid {
                id.0
            }

            #into_wire
            #read
        }
    }
}

fn into_wire(spec: &Spec) -> TokenStream {
    let own = spec.columns.iter().map(Column::to_wire);
    let org =
        (spec.scope != Scope::Global).then(|| quote!(organization_id: self.org_id.to_string(),));
    let user = (spec.scope == Scope::Private).then(|| quote!(user_id: self.user_id.to_string(),));
    let deleted = spec
        .soft_delete()
        .then(|| quote!(delete_time: self.deleted_at.map(::shared_db::wire::timestamp),));
    let changes = spec.changes().then(|| {
        quote! {
            update_time: Some(::shared_db::wire::timestamp(self.updated_at)),
            etag: self.etag.to_string(),
        }
    });
    quote! {
        fn into_wire(self) -> ::shared_db::error::Result<Self::Wire> {
            Ok(Self::Wire {
                id: self.id.to_string(),
                #org
                #user
                #(#own)*
                create_time: Some(::shared_db::wire::timestamp(self.created_at)),
                #changes
                #deleted
            })
        }
    }
}

/// What of a message makes a new row, and what changes one.
fn read(spec: &Spec, kind: &str) -> TokenStream {
    let create = spec.has(Verb::Create).then(|| {
        let new = spec.new_name();
        let fields = spec.columns.iter().filter(|it| it.is_in_new()).map(|it| {
            let (name, field) = (&it.name, &it.field);
            let value = it.read(kind, &quote!(wire.#field));
            quote!(#name: #value,)
        });
        quote! {
            fn new_from(wire: Self::Wire) -> ::shared_db::error::Result<#new> {
                Ok(#new { #(#fields)* })
            }
        }
    });
    let update = spec.has(Verb::Update).then(|| {
        let patch = spec.derived("Patch");
        let fields = spec.columns.iter().filter(|it| it.is_in_patch()).map(|it| {
            let (name, field) = (&it.name, &it.field);
            let text = field.to_string();
            let value = it.read(kind, &quote!(it));
            quote!(#name: match mask.pick(#text, wire.#field) { Some(it) => Some(#value), None => None },)
        });
        quote! {
            fn patch_from(wire: Self::Wire, mask: &::shared_db::service::Mask) -> ::shared_db::error::Result<#patch> {
                Ok(#patch { #(#fields)* })
            }

            fn etag_of(wire: &Self::Wire) -> Option<&str> {
                Some(&wire.etag)
            }
        }
    });
    quote! {
        fn id_of(wire: &Self::Wire) -> &str {
            &wire.id
        }

        #create
        #update
    }
}

fn rules(spec: &Spec) -> TokenStream {
    let name = &spec.name;
    if spec.rules { TokenStream::new() } else { quote!(impl crate::resource::Rules for #name {}) }
}

/// The id, as a column of others and as a condition of lists.
fn id(spec: &Spec) -> TokenStream {
    let id = spec.id();
    quote!(crate::resource::id_column!(#id);)
}

fn list_request(spec: &Spec) -> TokenStream {
    if !spec.has(Verb::List) {
        return TokenStream::new();
    }
    let (name, filter) = (&spec.name, spec.derived("Filter"));
    let request = format_ident!("List{}Request", pascal(&spec.plural));
    let fields = spec.filters.iter().map(|it| {
        let name = &it.name;
        let text = name.to_string();
        if it.is_flag() {
            quote!(#name: self.#name,)
        } else {
            quote!(#name: crate::resource::Condition::read(#text, &self.#name)?,)
        }
    });
    let deleted = spec.soft_delete().then(|| quote!(show_deleted: self.show_deleted,));
    let order = if spec.orders.len() > 1 { quote!(&self.order_by) } else { quote!("") };
    quote! {
        impl crate::resource::ListRequest for ::web_api::v1::#request {
            type Resource = #name;

            fn filter(&self) -> ::shared_db::error::Result<#filter> {
                Ok(#filter { #(#fields)* #deleted })
            }

            fn order_by(&self) -> &str {
                #order
            }

            fn page(&self) -> (i32, &str) {
                (self.page_size, &self.page_token)
            }
        }
    }
}
