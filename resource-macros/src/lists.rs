//! The list of a resource: its conditions, its orders, and where a page begins.

use crate::{
    columns::{Column, last},
    spec::{Order, Spec},
    sql::{Statement, selected},
};
use proc_macro2::TokenStream;
use quote::quote;
use syn::Ident;

pub(crate) fn tokens(spec: &Spec) -> TokenStream {
    let (name, filter) = (&spec.name, spec.derived("Filter"));
    let orders = spec.orders.iter().map(|it| &it.name);
    let last = spec.orders.len() - 1;
    let arms = spec.orders.iter().enumerate().map(|(number, order)| {
        let statement = ordered(spec, order);
        if number == last { quote!(_ => #statement) } else { quote!(#number => #statement,) }
    });
    quote! {
        impl crate::resource::List for #name {
            const ORDERS: &'static [&'static str] = &[#(#orders),*];

            async fn list(
                conn: &mut ::sqlx::PgConnection,
                owner: <Self as crate::resource::Resource>::Owner,
                filter: &#filter,
                order: usize,
                page: &::shared_db::page::PageRequest,
            ) -> ::shared_db::error::Result<::shared_db::page::Page<<Self as crate::resource::Resource>::Wire>> {
                let wire = <Self as crate::resource::Resource>::into_wire;
                match order { #(#arms)* }
            }
        }
    }
}

/// The list in one of its orders, from where the page before it ended.
fn ordered(spec: &Spec, order: &Order) -> TokenStream {
    let name = &spec.name;
    let mut statement = Statement::default();
    let owner = statement.owner(spec);
    let mut conditions = vec![owner.condition()];
    if spec.soft_delete() {
        let shown = statement.bind(quote!(filter.show_deleted));
        conditions.push(format!("(deleted_at is null or {shown})"));
    }
    conditions.extend(spec.visible.clone());
    for filter in &spec.filters {
        let parameter = statement.bind(filter.argument());
        conditions.push(filter.sql(&parameter));
    }
    let descends = order.descends();
    let keys: Vec<_> = order.columns.iter().map(|it| Key::of(spec, it, descends)).collect();
    let after: Vec<_> =
        keys.iter().enumerate().map(|(at, it)| statement.bind(it.after(at))).collect();
    let id = statement.bind(quote!(page.after_id()));
    let (comparison, direction) = if descends { ("<", " desc") } else { (">", "") };
    let columns: Vec<_> = keys.iter().map(|it| it.sql.as_str()).collect();
    conditions.push(format!(
        "(({}, id) {comparison} ({}, {id}) or {} is null)",
        columns.join(", "),
        after.join(", "),
        after[0]
    ));
    let conditions = conditions.join(" and ");
    let by: Vec<_> = columns.iter().map(|it| format!("{it}{direction}")).collect();
    let limit = statement.bind(quote!(page.limit()));
    let (columns, table, by) = (selected(spec), &spec.table, by.join(", "));
    let sql = format!(
        "select {columns} from {table} where {conditions} order by {by}, id{direction} limit {limit}"
    );
    let (arguments, keys) = (statement.arguments, keys.iter().map(Key::of_row));
    quote! {{
        let rows = ::sqlx::query_as!(#name, #sql, #(#arguments),*).fetch(conn);
        let cursor = |it: &#name| ::shared_db::page::Cursor { keys: vec![#(#keys),*], id: it.id.0 };
        ::shared_db::page::Page::collect_by(rows, page, cursor, wire).await
    }}
}

#[derive(Clone, Copy)]
enum Kind {
    Time,
    Number,
    Text,
}

/// One of the columns that rows are ordered by.
struct Key {
    kind: Kind,
    /// In SQL. Rows without a time come last.
    sql: String,
    /// Of a row, which is `it`.
    value: TokenStream,
}

impl Key {
    fn of(spec: &Spec, name: &Ident, descends: bool) -> Self {
        // The times of all rows are not among the columns of the description.
        let column = spec.columns.iter().find(|it| it.name == *name);
        let kind = match column.map(|it| last(it.base())).as_deref() {
            Some("String") => Kind::Text,
            Some("i32") => Kind::Number,
            _ => Kind::Time,
        };
        let nullable = column.is_some_and(Column::is_nullable);
        let (sql, value) = match (kind, nullable, descends) {
            (Kind::Text, ..) => (name.to_string(), quote!(it.#name.clone())),
            (Kind::Number, ..) | (Kind::Time, false, _) => (name.to_string(), quote!(it.#name)),
            (Kind::Time, true, false) => (
                format!("coalesce({name}, timestamptz '9999-01-01 00:00:00+00')"),
                quote!(it.#name.unwrap_or_else(crate::resource::far_future)),
            ),
            (Kind::Time, true, true) => (
                format!("coalesce({name}, timestamptz '1000-01-01 00:00:00+00')"),
                quote!(it.#name.unwrap_or_else(crate::resource::far_past)),
            ),
        };
        Self { kind, sql, value }
    }

    /// The same of the last row of the page before.
    fn after(&self, number: usize) -> TokenStream {
        match self.kind {
            Kind::Time => {
                assert!(
                    number == 0,
                    "of several that a list is ordered by, only the first may be a time"
                );
                quote!(page.after_time())
            }
            Kind::Number => quote!(page.after_number(#number)),
            Kind::Text => quote!(page.after_text(#number)),
        }
    }

    fn of_row(&self) -> TokenStream {
        let value = &self.value;
        match self.kind {
            Kind::Time => quote!(::shared_db::page::Key::Time(#value)),
            Kind::Number => quote!(::shared_db::page::Key::Number(#value)),
            Kind::Text => quote!(::shared_db::page::Key::Text(#value)),
        }
    }
}
