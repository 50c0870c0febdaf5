//! Statements as text with numbered parameters, and the conditions and column lists that they share.

use crate::{
    columns::Column,
    spec::{Scope, Spec},
};
use proc_macro2::TokenStream;
use quote::quote;

/// A statement that is being written, and its arguments so far.
#[derive(Default)]
pub(crate) struct Statement {
    pub(crate) arguments: Vec<TokenStream>,
}

impl Statement {
    /// Takes one more argument, and returns the parameter that stands for it.
    pub(crate) fn bind(&mut self, argument: TokenStream) -> String {
        self.arguments.push(argument);
        format!("${}", self.arguments.len())
    }

    /// Binds whose rows are meant.
    pub(crate) fn owner(&mut self, spec: &Spec) -> Owner {
        match spec.scope {
            Scope::Tenant => Owner { org: Some(self.bind(quote!(owner.0))), user: None },
            Scope::Private => Owner {
                org: Some(self.bind(quote!(owner.org.0))),
                user: Some(self.bind(quote!(owner.user.0))),
            },
            Scope::Global => Owner { org: None, user: None },
        }
    }
}

/// The parameters that say whose rows are meant.
pub(crate) struct Owner {
    pub(crate) org: Option<String>,
    pub(crate) user: Option<String>,
}

impl Owner {
    /// Columns of the owner, each with its parameter.
    pub(crate) fn columns(&self) -> Vec<(&'static str, String)> {
        let org = self.org.iter().map(|it| ("org_id", it.clone()));
        org.chain(self.user.iter().map(|it| ("user_id", it.clone()))).collect()
    }

    /// The beginning of every condition: the organization, and the user where rows are a user's own.
    pub(crate) fn condition(&self) -> String {
        let all: Vec<_> =
            self.columns().iter().map(|(name, it)| format!("{name} = {it}")).collect();
        if all.is_empty() { "true".to_owned() } else { all.join(" and ") }
    }
}

/// A column that every row of this kind has, with the type that reads it.
pub(crate) struct Common {
    pub(crate) name: &'static str,
    pub(crate) ty: TokenStream,
    nullable: bool,
}

/// What stands around the columns of the description: before them, and after them.
pub(crate) fn common(spec: &Spec) -> (Vec<Common>, Vec<Common>) {
    let id = spec.id();
    let column = |name, ty| Common { name, ty, nullable: false };
    let mut before = Vec::new();
    if spec.scope != Scope::Global {
        before.push(column("org_id", quote!(::shared_db::ids::OrganizationId)));
    }
    if spec.scope == Scope::Private {
        before.push(column("user_id", quote!(::shared_db::ids::UserId)));
    }
    before.push(column("id", quote!(#id)));
    let time = quote!(::chrono::DateTime<::chrono::Utc>);
    let mut after = Vec::new();
    if spec.soft_delete() {
        after.push(Common { name: "deleted_at", ty: time.clone(), nullable: true });
    }
    if spec.changes() {
        after.push(column("etag", quote!(::shared_db::ids::Etag)));
    }
    after.push(column("created_at", time.clone()));
    if spec.changes() {
        after.push(column("updated_at", time));
    }
    (before, after)
}

impl Common {
    pub(crate) fn field_type(&self) -> TokenStream {
        let ty = &self.ty;
        if self.nullable { quote!(Option<#ty>) } else { quote!(#ty) }
    }

    fn selected(&self) -> String {
        let mark = if self.nullable { "?" } else { "!" };
        format!(r#"{name} as "{name}{mark}: {ty}""#, name = self.name, ty = self.ty)
    }
}

/// The columns of a row as it is read, each with its type.
pub(crate) fn selected(spec: &Spec) -> String {
    let (before, after) = common(spec);
    let before = before.iter().map(Common::selected);
    let own = spec.columns.iter().map(Column::selected);
    before.chain(own).chain(after.iter().map(Common::selected)).collect::<Vec<_>>().join(", ")
}

/// The columns of a row, by name.
pub(crate) fn names(spec: &Spec) -> String {
    let (before, after) = common(spec);
    let before = before.iter().map(|it| it.name.to_owned());
    let own = spec.columns.iter().map(|it| it.name.to_string());
    before
        .chain(own)
        .chain(after.iter().map(|it| it.name.to_owned()))
        .collect::<Vec<_>>()
        .join(", ")
}

/// A statement that changes rows, and in the same breath tells the audit trail of those that it has changed. What belongs to
/// no organization has no trail; `Change` puts it in the log.
pub(crate) fn told(
    spec: &Spec,
    statement: &mut Statement,
    owner: &Owner,
    change: &str,
    read: &str,
) -> String {
    let Some(org) = &owner.org else {
        return format!("with changed as ({change}) select {read} from changed");
    };
    let id = statement.bind(quote!(trail.id.0));
    let user = statement.bind(quote!(trail.user.map(|it| it.0)));
    let key = statement.bind(quote!(trail.api_key.map(|it| it.0)));
    let action = statement.bind(quote!(trail.action.as_str()));
    let kind = crate::columns::snake(&spec.name.to_string());
    let fields = statement.bind(quote!(trail.fields.as_slice()));
    let trace = statement.bind(quote!(trail.trace_id.as_deref()));
    format!(
        "with changed as ({change}), told as (\
         insert into web.activities (org_id, id, actor_user_id, actor_api_key_id, action, resource_type, resource_id, fields, trace_id) \
         select {org}::uuid, {id}::uuid, {user}::uuid, {key}::uuid, {action}::text, '{kind}', id, {fields}::text[], {trace}::text \
         from changed) \
         select {read} from changed"
    )
}
