//! One column of the description: its type, who sets it, and what both sides call it.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{
    Attribute, GenericArgument, Ident, PathArguments, Result, Token, Type,
    parse::{Parse, ParseStream},
};

/// Who sets it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setter {
    /// Callers, at any time.
    Callers,
    /// Callers, when they create it.
    Once,
    /// Whoever creates it, by creating it.
    Creator,
    /// The service.
    Service,
    /// Each change adds one.
    Counter,
}

pub(crate) struct Column {
    pub(crate) docs: Vec<Attribute>,
    pub(crate) name: Ident,
    /// Its name on the wire.
    pub(crate) field: Ident,
    pub(crate) ty: Type,
    pub(crate) setter: Setter,
}

impl Parse for Column {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut setter = Setter::Callers;
        let mut docs = Vec::new();
        for attribute in input.call(Attribute::parse_outer)? {
            match attribute.path().to_token_stream().to_string().as_str() {
                "fixed" => setter = Setter::Once,
                "creator" => setter = Setter::Creator,
                "given" => setter = Setter::Service,
                "counter" => setter = Setter::Counter,
                _ => docs.push(attribute),
            }
        }
        let name: Ident = input.parse()?;
        let field = if input.peek(Token![as]) {
            input.parse::<Token![as]>()?;
            input.parse()?
        } else {
            name.clone()
        };
        input.parse::<Token![:]>()?;
        Ok(Self { docs, name, field, ty: input.parse()?, setter })
    }
}

impl Column {
    /// Part of what callers hand over to create one.
    pub(crate) fn is_in_new(&self) -> bool {
        matches!(self.setter, Setter::Callers | Setter::Once)
    }

    /// Written by the statement that creates.
    pub(crate) fn is_inserted(&self) -> bool {
        !matches!(self.setter, Setter::Service | Setter::Counter)
    }

    pub(crate) fn is_in_patch(&self) -> bool {
        self.setter == Setter::Callers
    }

    pub(crate) fn is_nullable(&self) -> bool {
        last(&self.ty) == "Option"
    }

    /// The type, without `Option`.
    pub(crate) fn base(&self) -> &Type {
        if self.is_nullable() { inner(&self.ty) } else { &self.ty }
    }

    fn is_decimal(&self) -> bool {
        last(self.base()) == "Decimal"
    }

    /// As a statement reads it: with the name and the type that the row has.
    pub(crate) fn selected(&self) -> String {
        let (name, base) = (&self.name, self.base().to_token_stream().to_string());
        let mark = if self.is_nullable() { "?" } else { "!" };
        let value =
            if self.is_decimal() { format!("trim_scale({name})::text") } else { name.to_string() };
        format!(r#"{value} as "{name}{mark}: {base}""#)
    }

    /// As a statement that only hands it on reads it.
    pub(crate) fn placeholder(&self, number: &str) -> String {
        if self.is_decimal() { format!("{number}::text::numeric") } else { number.to_owned() }
    }

    /// The argument of a statement for `value`, of the type that the column has.
    pub(crate) fn argument(&self, value: &TokenStream) -> TokenStream {
        argument(&self.ty, value)
    }

    /// The id that a new row names, as an `Option`.
    pub(crate) fn id_in_new(&self) -> TokenStream {
        let name = &self.name;
        if self.is_nullable() {
            quote!(new.#name.map(|it| it.0))
        } else {
            quote!(Some(new.#name.0))
        }
    }

    /// The id that a patch names, as an `Option`.
    pub(crate) fn id_in_patch(&self) -> TokenStream {
        let name = &self.name;
        let flat = self.is_nullable().then(|| quote!(.flatten()));
        quote!(patch.#name #flat .map(|it| it.0))
    }

    /// The kind of resource that it names, if it names one: `note_folder`.
    pub(crate) fn referenced(&self) -> Option<String> {
        let kind = last(self.base());
        let kind = kind.strip_suffix("Id").filter(|it| !it.is_empty())?;
        Some(snake(kind))
    }
}

/// An argument of a statement. What sqlx knows by itself it checks; our own types it takes as they are.
pub(crate) fn argument(ty: &Type, value: &TokenStream) -> TokenStream {
    let (optional, base) = if last(ty) == "Option" { (true, inner(ty)) } else { (false, ty) };
    match last(base).as_str() {
        "String" | "bool" | "i16" | "i32" | "i64" | "DateTime" => quote!(#value),
        "Vec" if last(inner(base)) != "String" => quote!(#value as #ty),
        "Vec" if optional => quote!(#value.as_deref()),
        "Vec" => quote!(&#value),
        _ => quote!(#value as #ty),
    }
}

/// The last name in the path of a type.
pub(crate) fn last(ty: &Type) -> String {
    let Type::Path(it) = ty else { return String::new() };
    it.path.segments.last().map(|it| it.ident.to_string()).unwrap_or_default()
}

/// The type in the angle brackets of another, or that type itself.
pub(crate) fn inner(ty: &Type) -> &Type {
    let Type::Path(path) = ty else { return ty };
    let arguments = path.path.segments.last().map(|it| &it.arguments);
    let Some(PathArguments::AngleBracketed(them)) = arguments else { return ty };
    match them.args.first() {
        Some(GenericArgument::Type(it)) => it,
        _ => ty,
    }
}

/// `NoteFolder` → `note_folder`
pub(crate) fn snake(name: &str) -> String {
    let mut out = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.extend(letter.to_lowercase());
    }
    out
}

/// `note_folders` → `NoteFolders`
pub(crate) fn pascal(name: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters
            .next()
            .map(|it| it.to_uppercase().chain(letters).collect::<String>())
            .unwrap_or_default()
    };
    name.split('_').map(capital).collect()
}
