//! The description as it is written.

use crate::columns::Column;
use proc_macro2::Span;
use syn::{
    Attribute, Ident, LitStr, Path, Result, Token, Type, braced, parenthesized,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
    token,
};

/// Whose a row is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Of an organization.
    Tenant,
    /// Of a user in an organization.
    Private,
    /// Of nobody; the platform writes it.
    Global,
}

/// What can be done with one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    BatchGet,
    List,
    Create,
    Update,
    Delete,
    Undelete,
}

impl Verb {
    pub(crate) fn parse(name: &Ident) -> Result<Self> {
        Ok(match name.to_string().as_str() {
            "get" => Self::Get,
            "batch_get" => Self::BatchGet,
            "list" => Self::List,
            "create" => Self::Create,
            "update" => Self::Update,
            "delete" => Self::Delete,
            "undelete" => Self::Undelete,
            _ => return Err(syn::Error::new(name.span(), "no such verb")),
        })
    }
}

/// A condition that callers may add to a list.
pub(crate) struct Filter {
    pub(crate) name: Ident,
    pub(crate) ty: Type,
    /// With `?` for the value.
    pub(crate) condition: String,
}

/// One way to order a list.
pub(crate) struct Order {
    /// As callers write it: `due_time desc`.
    pub(crate) name: String,
    /// Later ones decide where the earlier are the same, and after all of them the id.
    pub(crate) columns: Vec<Ident>,
}

impl Order {
    pub(crate) fn descends(&self) -> bool {
        self.name.ends_with(" desc")
    }
}

pub(crate) struct Spec {
    pub(crate) docs: Vec<Attribute>,
    /// `Note`
    pub(crate) name: Ident,
    /// `web.notes`
    pub(crate) table: String,
    /// `notes`, as methods call many of them: mostly the table's name.
    pub(crate) plural: String,
    pub(crate) scope: Scope,
    /// What more makes a row one that is there, such as that what it belongs to is.
    pub(crate) visible: Option<String>,
    /// The module writes [`Rules`] itself.
    pub(crate) rules: bool,
    /// The module has statements of its own that read rows.
    pub(crate) statements: bool,
    /// One can be held until the end of a transaction.
    pub(crate) hold: bool,
    pub(crate) verbs: Vec<Verb>,
    pub(crate) columns: Vec<Column>,
    pub(crate) filters: Vec<Filter>,
    pub(crate) orders: Vec<Order>,
}

impl Spec {
    pub(crate) fn has(&self, verb: Verb) -> bool {
        self.verbs.contains(&verb)
    }

    /// What is deleted stays for a while, and may come back.
    pub(crate) fn soft_delete(&self) -> bool {
        self.has(Verb::Undelete)
    }

    /// Two may edit it at a time, so it has an etag and the time of its last change.
    pub(crate) fn changes(&self) -> bool {
        self.has(Verb::Update)
    }

    pub(crate) fn id(&self) -> Ident {
        self.derived("Id")
    }

    pub(crate) fn derived(&self, suffix: &str) -> Ident {
        Ident::new(&format!("{}{suffix}", self.name), self.name.span())
    }

    pub(crate) fn new_name(&self) -> Ident {
        Ident::new(&format!("New{}", self.name), self.name.span())
    }
}

impl Parse for Spec {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let docs = input.call(Attribute::parse_outer)?;
        let name: Ident = input.parse()?;
        input.parse::<Token![in]>()?;
        let (schema, table): (Ident, Ident) = {
            let schema = input.parse()?;
            input.parse::<Token![.]>()?;
            (schema, input.parse()?)
        };
        let mut spec = Self {
            docs,
            name,
            table: format!("{schema}.{table}"),
            plural: table.to_string(),
            scope: Scope::Tenant,
            visible: None,
            rules: false,
            statements: false,
            hold: false,
            verbs: vec![Verb::Get, Verb::List, Verb::Create, Verb::Update, Verb::Delete],
            columns: Vec::new(),
            filters: Vec::new(),
            orders: Vec::new(),
        };
        while input.peek(Token![,]) {
            input.parse::<Token![,]>()?;
            spec.attribute(input)?;
        }
        let body;
        braced!(body in input);
        spec.columns =
            Punctuated::<Column, Token![,]>::parse_terminated(&body)?.into_iter().collect();
        while !input.is_empty() {
            spec.section(input)?;
        }
        if spec.orders.is_empty() {
            let column = Ident::new("created_at", Span::call_site());
            spec.orders.push(Order { name: "create_time desc".to_owned(), columns: vec![column] });
        }
        Ok(spec)
    }
}

impl Spec {
    fn attribute(&mut self, input: ParseStream<'_>) -> Result<()> {
        let word: Ident = input.parse()?;
        match word.to_string().as_str() {
            "tenant" => self.scope = Scope::Tenant,
            "private" => self.scope = Scope::Private,
            "global" => self.scope = Scope::Global,
            "soft_delete" => self.verbs.push(Verb::Undelete),
            "rules" => self.rules = true,
            "statements" => self.statements = true,
            "hold" => self.hold = true,
            "plural" => {
                let plural;
                parenthesized!(plural in input);
                self.plural = plural.parse::<Ident>()?.to_string();
            }
            "visible" => {
                let condition;
                parenthesized!(condition in input);
                self.visible = Some(condition.parse::<LitStr>()?.value());
            }
            "verbs" => {
                let verbs;
                parenthesized!(verbs in input);
                let names = Punctuated::<Ident, Token![,]>::parse_terminated(&verbs)?;
                let listed = names.iter().map(Verb::parse).collect::<Result<Vec<_>>>()?;
                self.verbs.retain(|it| *it == Verb::Undelete);
                self.verbs.extend(listed);
            }
            _ => {
                return Err(syn::Error::new(
                    word.span(),
                    "expected a scope, soft_delete, rules, statements, hold, visible(…), plural(…) or verbs(…)",
                ));
            }
        }
        Ok(())
    }

    fn section(&mut self, input: ParseStream<'_>) -> Result<()> {
        let word: Ident = input.parse()?;
        let body;
        braced!(body in input);
        match word.to_string().as_str() {
            "filters" => {
                self.filters =
                    Punctuated::<Filter, Token![,]>::parse_terminated(&body)?.into_iter().collect();
            }
            "orders" => {
                self.orders =
                    Punctuated::<Order, Token![,]>::parse_terminated(&body)?.into_iter().collect();
            }
            _ => return Err(syn::Error::new(word.span(), "expected filters or orders")),
        }
        Ok(())
    }
}

impl Parse for Filter {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let name: Ident = input.parse()?;
        input.parse::<Token![:]>()?;
        let ty = Type::Path(syn::TypePath { qself: None, path: input.parse::<Path>()? });
        input.parse::<Token![=]>()?;
        Ok(Self { name, ty, condition: input.parse::<LitStr>()?.value() })
    }
}

impl Parse for Order {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let name = input.parse::<LitStr>()?.value();
        input.parse::<Token![=]>()?;
        if !input.peek(token::Paren) {
            return Ok(Self { name, columns: vec![input.parse()?] });
        }
        let columns;
        parenthesized!(columns in input);
        let columns = Punctuated::<Ident, Token![,]>::parse_terminated(&columns)?;
        Ok(Self { name, columns: columns.into_iter().collect() })
    }
}
