//! One function for each verb, around one statement.

use crate::{
    columns::{Column, Setter, snake},
    spec::{Spec, Verb},
    sql::{Statement, names, selected, told},
};
use proc_macro2::TokenStream;
use quote::{format_ident, quote};

pub(crate) fn tokens(spec: &Spec) -> TokenStream {
    let verb = |verb: Verb, tokens: fn(&Spec) -> TokenStream| spec.has(verb).then(|| tokens(spec));
    let all = [
        verb(Verb::Get, get),
        verb(Verb::BatchGet, batch_get),
        verb(Verb::List, crate::lists::tokens),
        verb(Verb::Create, create),
        verb(Verb::Update, update),
        verb(Verb::Delete, delete),
        verb(Verb::Undelete, undelete),
    ];
    let statements = spec.statements.then(|| statements(spec));
    let hold = spec.hold.then(|| hold(spec));
    statements.into_iter().chain(hold).chain(all.into_iter().flatten()).collect()
}

/// A macro called like the resource, for statements that are written out and read rows: `note!("select", "from web.notes …", …)`.
fn statements(spec: &Spec) -> TokenStream {
    let row = &spec.name;
    let name = format_ident!("{}", snake(&row.to_string()));
    let columns = format!(" {} ", selected(spec));
    quote! {
        macro_rules! #name {
            ($head:literal, $tail:literal $(, $arg:expr)* $(,)?) => {
                ::sqlx::query_as!(#row, $head + #columns + $tail $(, $arg)*)
            };
        }
    }
}

/// What makes a row one that is there.
fn alive(spec: &Spec) -> String {
    let deleted = if spec.soft_delete() { " and deleted_at is null" } else { "" };
    spec.visible.iter().fold(deleted.to_owned(), |all, it| format!("{all} and {it}"))
}

fn get(spec: &Spec) -> TokenStream {
    one(spec, "Get", "get", "")
}

fn hold(spec: &Spec) -> TokenStream {
    one(spec, "Hold", "hold", " for update")
}

/// Reads one, with whatever follows the condition.
fn one(spec: &Spec, of: &str, verb: &str, follows: &str) -> TokenStream {
    let (of, verb) = (format_ident!("{of}"), format_ident!("{verb}"));
    let (name, id) = (&spec.name, spec.id());
    let mut statement = Statement::default();
    let owner = statement.owner(spec);
    let row = statement.bind(quote!(id.0));
    let (columns, table, whose, alive) =
        (selected(spec), &spec.table, owner.condition(), alive(spec));
    let sql = format!("select {columns} from {table} where {whose} and id = {row}{alive}{follows}");
    let arguments = statement.arguments;
    quote! {
        impl crate::resource::#of for #name {
            async fn #verb(
                conn: &mut ::sqlx::PgConnection,
                owner: <Self as crate::resource::Resource>::Owner,
                id: #id,
            ) -> ::shared_db::error::Result<Self> {
                let row = ::sqlx::query_as!(#name, #sql, #(#arguments),*).fetch_optional(conn).await?;
                row.ok_or_else(|| crate::resource::not_found::<Self>(id))
            }
        }
    }
}

fn batch_get(spec: &Spec) -> TokenStream {
    let (name, id) = (&spec.name, spec.id());
    let mut statement = Statement::default();
    let owner = statement.owner(spec);
    let rows = statement.bind(quote!(ids.as_slice()));
    let (columns, table, whose, alive) =
        (selected(spec), &spec.table, owner.condition(), alive(spec));
    let sql = format!("select {columns} from {table} where {whose} and id = any({rows}){alive}");
    let arguments = statement.arguments;
    quote! {
        impl crate::resource::BatchGet for #name {
            async fn batch_get(
                conn: &mut ::sqlx::PgConnection,
                owner: <Self as crate::resource::Resource>::Owner,
                ids: &[#id],
            ) -> ::shared_db::error::Result<Vec<Self>> {
                let ids: Vec<_> = ids.iter().map(|it| it.0).collect();
                Ok(::sqlx::query_as!(#name, #sql, #(#arguments),*).fetch_all(conn).await?)
            }
        }
    }
}

fn create(spec: &Spec) -> TokenStream {
    let (name, id, new) = (&spec.name, spec.id(), spec.new_name());
    let mut statement = Statement::default();
    let owner = statement.owner(spec);
    let (mut columns, mut values) = (Vec::new(), Vec::new());
    for (column, parameter) in owner.columns() {
        columns.push(column.to_owned());
        values.push(parameter);
    }
    columns.push("id".to_owned());
    values.push(statement.bind(quote!(id.0)));
    for column in spec.columns.iter().filter(|it| it.is_inserted()) {
        let field = &column.name;
        let value = if column.setter == Setter::Creator {
            quote!(trail.user.map(|it| it.0))
        } else {
            column.argument(&quote!(new.#field))
        };
        let parameter = statement.bind(value);
        columns.push(field.to_string());
        values.push(column.placeholder(&parameter));
    }
    let (columns, values, row) = (columns.join(", "), values.join(", "), names(spec));
    let change =
        format!("insert into {} ({columns}) values ({values}) returning {row}", spec.table);
    let sql = told(spec, &mut statement, &owner, &change, &selected(spec));
    let (arguments, named) =
        (statement.arguments, named(spec, Column::is_in_new, Column::id_in_new));
    quote! {
        impl crate::resource::Create for #name {
            async fn create(
                conn: &mut ::sqlx::PgConnection,
                owner: <Self as crate::resource::Resource>::Owner,
                id: #id,
                new: #new,
                trail: &crate::resource::Trail,
            ) -> ::shared_db::error::Result<Self> {
                let named = #named;
                let made = ::sqlx::query_as!(#name, #sql, #(#arguments),*).fetch_one(conn).await;
                made.map_err(|error| crate::resource::refused::<Self>(error, &named))
            }
        }
    }
}

/// What the columns name, for the error when it is not there.
fn named(
    spec: &Spec,
    takes: fn(&Column) -> bool,
    value: fn(&Column) -> TokenStream,
) -> TokenStream {
    let entry = |it: &Column| {
        let (kind, column, value) = (it.referenced()?, it.name.to_string(), value(it));
        Some(quote!((#column, #kind, #value)))
    };
    let entries: Vec<_> = spec.columns.iter().filter(|it| takes(it)).filter_map(entry).collect();
    let count = entries.len();
    quote!({
        let named: [crate::resource::Named; #count] = [#(#entries),*];
        named
    })
}

fn update(spec: &Spec) -> TokenStream {
    let (name, id, patch) = (&spec.name, spec.id(), spec.derived("Patch"));
    let mut statement = Statement::default();
    let owner = statement.owner(spec);
    let row = statement.bind(quote!(id.0));
    let etag = statement.bind(quote!(etag.map(|it| it.0)));
    let mut sets = Vec::new();
    for column in spec.columns.iter().filter(|it| it.is_in_patch()) {
        let (field, ty) = (&column.name, &column.ty);
        if column.is_nullable() {
            let set = statement.bind(quote!(patch.#field.is_some()));
            let value = statement.bind(column.argument(&quote!(patch.#field.flatten())));
            let value = column.placeholder(&value);
            sets.push(format!("{field} = case when {set} then {value} else {field} end"));
        } else {
            let optional: syn::Type = syn::parse_quote!(Option<#ty>);
            let value = crate::columns::argument(&optional, &quote!(patch.#field));
            let value = statement.bind(value);
            sets.push(format!("{field} = coalesce({}, {field})", column.placeholder(&value)));
        }
    }
    let counters = spec.columns.iter().filter(|it| it.setter == Setter::Counter);
    sets.extend(counters.map(|it| format!("{name} = {name} + 1", name = it.name)));
    sets.push("etag = gen_random_uuid()".to_owned());
    let (sets, whose, alive, all) = (sets.join(", "), owner.condition(), alive(spec), names(spec));
    let change = format!(
        "update {} set {sets} where {whose} and id = {row} and ({etag}::uuid is null or etag = {etag}){alive} returning {all}",
        spec.table
    );
    let sql = told(spec, &mut statement, &owner, &change, &selected(spec));
    let (arguments, named) =
        (statement.arguments, named(spec, Column::is_in_patch, Column::id_in_patch));
    quote! {
        impl crate::resource::Update for #name {
            async fn update(
                conn: &mut ::sqlx::PgConnection,
                owner: <Self as crate::resource::Resource>::Owner,
                id: #id,
                etag: Option<::shared_db::ids::Etag>,
                patch: #patch,
                trail: &crate::resource::Trail,
            ) -> ::shared_db::error::Result<Self> {
                let named = #named;
                let changed = ::sqlx::query_as!(#name, #sql, #(#arguments),*).fetch_optional(&mut *conn).await;
                let changed = changed.map_err(|error| crate::resource::refused::<Self>(error, &named))?;
                match changed {
                    Some(it) => Ok(it),
                    None => Err(crate::resource::absent_or_changed::<Self>(conn, owner, id).await),
                }
            }
        }
    }
}

fn delete(spec: &Spec) -> TokenStream {
    let (name, id, table) = (&spec.name, spec.id(), &spec.table);
    let mut statement = Statement::default();
    let owner = statement.owner(spec);
    let row = statement.bind(quote!(id.0));
    let unchanged = if spec.changes() {
        let etag = statement.bind(quote!(etag.map(|it| it.0)));
        format!(" and ({etag}::uuid is null or etag = {etag})")
    } else {
        String::new()
    };
    let condition = format!("{} and id = {row}{}{unchanged}", owner.condition(), alive(spec));
    let unused = (!spec.changes()).then(|| quote!(let _ = etag;));
    let change = if spec.soft_delete() {
        format!(
            "update {table} set deleted_at = now(), etag = gen_random_uuid() where {condition} returning id"
        )
    } else {
        format!("delete from {table} where {condition} returning id")
    };
    let sql = told(spec, &mut statement, &owner, &change, r#"count(*) as "count!""#);
    let arguments = statement.arguments;
    quote! {
        impl crate::resource::Delete for #name {
            async fn delete(
                conn: &mut ::sqlx::PgConnection,
                owner: <Self as crate::resource::Resource>::Owner,
                id: #id,
                etag: Option<::shared_db::ids::Etag>,
                trail: &crate::resource::Trail,
            ) -> ::shared_db::error::Result<()> {
                #unused
                let gone = ::sqlx::query_scalar!(#sql, #(#arguments),*).fetch_one(&mut *conn).await;
                match gone.map_err(|error| crate::resource::in_use::<Self>(error, id))? {
                    0 => Err(crate::resource::absent_or_changed::<Self>(conn, owner, id).await),
                    _ => Ok(()),
                }
            }
        }
    }
}

fn undelete(spec: &Spec) -> TokenStream {
    let (name, id, table) = (&spec.name, spec.id(), &spec.table);
    let sweep = format!(
        "delete from {table} where (org_id, id) in (\
         select org_id, id from {table} where deleted_at < now() - make_interval(secs => $1) \
         order by deleted_at limit $2 for update skip locked)"
    );
    let mut statement = Statement::default();
    let owner = statement.owner(spec);
    let row = statement.bind(quote!(id.0));
    let (whose, names) = (owner.condition(), names(spec));
    let change = format!(
        "update {table} set deleted_at = null, etag = gen_random_uuid() where {whose} and id = {row} and deleted_at is not null returning {names}"
    );
    let sql = told(spec, &mut statement, &owner, &change, &selected(spec));
    let arguments = statement.arguments;
    quote! {
        impl crate::resource::Undelete for #name {
            async fn undelete(
                conn: &mut ::sqlx::PgConnection,
                owner: <Self as crate::resource::Resource>::Owner,
                id: #id,
                trail: &crate::resource::Trail,
            ) -> ::shared_db::error::Result<Self> {
                let back = ::sqlx::query_as!(#name, #sql, #(#arguments),*).fetch_optional(&mut *conn).await;
                match back.map_err(|error| crate::resource::refused::<Self>(error, &[]))? {
                    Some(it) => Ok(it),
                    None => crate::resource::already_there::<Self>(conn, owner, id).await,
                }
            }

            async fn sweep(
                conn: &mut ::sqlx::PgConnection,
                age: ::std::time::Duration,
                limit: i64,
            ) -> ::shared_db::error::Result<u64> {
                let swept = ::sqlx::query!(#sweep, age.as_secs_f64(), limit).execute(conn).await?;
                Ok(swept.rows_affected())
            }
        }
    }
}
