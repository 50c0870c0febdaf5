//! The service of a resource.

use crate::{
    columns::{pascal, snake},
    spec::Verb,
};
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{
    Ident, ImplItemFn, Result, Token, braced,
    parse::{Parse, ParseStream},
};

pub(crate) struct Service {
    /// `Note`
    name: Ident,
    /// `notes`
    plural: Ident,
    verbs: Vec<Verb>,
    others: Vec<ImplItemFn>,
}

impl Parse for Service {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let name = input.parse()?;
        let of: Ident = input.parse()?;
        if of != "of" {
            return Err(syn::Error::new(of.span(), "expected `of`"));
        }
        let mut service =
            Self { name, plural: input.parse()?, verbs: Vec::new(), others: Vec::new() };
        while input.peek(Token![,]) {
            input.parse::<Token![,]>()?;
            service.verbs.push(Verb::parse(&input.parse()?)?);
        }
        if !input.is_empty() {
            let body;
            braced!(body in input);
            while !body.is_empty() {
                service.others.push(body.parse()?);
            }
        }
        Ok(service)
    }
}

pub(crate) fn tokens(service: &Service) -> TokenStream {
    let name = format_ident!("{}Service", service.name);
    let server = format_ident!("{}_service_server", snake(&service.name.to_string()));
    let doc = format!(" `{name}`: the plain verbs, and what is special.");
    let methods = service.verbs.iter().map(|it| method(service, *it));
    let others = &service.others;
    quote! {
        #[doc = #doc]
        pub struct #name {
            pub app: crate::app::App,
        }

        #[::tonic::async_trait]
        impl ::web_api::v1::#server::#name for #name {
            #(#methods)*
            #(#others)*
        }
    }
}

fn method(service: &Service, verb: Verb) -> TokenStream {
    let (row, plural) = (&service.name, &service.plural);
    let singular = format_ident!("{}", snake(&row.to_string()));
    let many = pascal(&plural.to_string());
    let (method, request) = match verb {
        Verb::Get => (format_ident!("get_{singular}"), format_ident!("Get{row}Request")),
        Verb::BatchGet => {
            (format_ident!("batch_get_{plural}"), format_ident!("BatchGet{many}Request"))
        }
        Verb::List => (format_ident!("list_{plural}"), format_ident!("List{many}Request")),
        Verb::Create => (format_ident!("create_{singular}"), format_ident!("Create{row}Request")),
        Verb::Update => (format_ident!("update_{singular}"), format_ident!("Update{row}Request")),
        Verb::Delete => (format_ident!("delete_{singular}"), format_ident!("Delete{row}Request")),
        Verb::Undelete => {
            (format_ident!("undelete_{singular}"), format_ident!("Undelete{row}Request"))
        }
    };
    let pb = quote!(::web_api::v1);
    let one = quote!(#pb::#row);
    let field = singular.to_string();
    let (answer, call) = match verb {
        Verb::Get => (one, quote!(plain::get::<#row>(&self.app, &caller, &request.id).await?)),
        Verb::BatchGet => {
            let answer = format_ident!("BatchGet{many}Response");
            let rows = quote!(plain::batch_get::<#row>(&self.app, &caller, &request.ids).await?);
            (quote!(#pb::#answer), quote!(#pb::#answer { #plural: #rows }))
        }
        Verb::List => {
            let answer = format_ident!("List{many}Response");
            let call = quote! {{
                let (#plural, next_page_token) = plain::list(&self.app, &caller, &request).await?;
                #pb::#answer { #plural, next_page_token }
            }};
            (quote!(#pb::#answer), call)
        }
        Verb::Create => (
            one,
            quote!(plain::create::<#row>(&self.app, &caller, crate::api::request::required(#field, request.#singular)?).await?),
        ),
        Verb::Update => (
            one,
            quote! {{
                let given = crate::api::request::required(#field, request.#singular)?;
                plain::update::<#row>(&self.app, &caller, given, request.update_mask).await?
            }},
        ),
        Verb::Delete => {
            // What nobody changes has no etag.
            let etag = if service.verbs.contains(&Verb::Update) {
                quote!(&request.etag)
            } else {
                quote!("")
            };
            (
                quote!(()),
                quote!(plain::delete::<#row>(&self.app, &caller, &request.id, #etag).await?),
            )
        }
        Verb::Undelete => {
            (one, quote!(plain::undelete::<#row>(&self.app, &caller, &request.id).await?))
        }
    };
    quote! {
        async fn #method(
            &self,
            request: ::tonic::Request<#pb::#request>,
        ) -> ::tonic::Result<::tonic::Response<#answer>> {
            use crate::api::plain;
            let (caller, request) = ::shared_db::service::accept(request)?;
            Ok(::tonic::Response::new(#call))
        }
    }
}
