//! The plain verbs, the same for every resource: parse, one call, wrap. `service!` writes the methods that come here.

use crate::{
    api::request::{self, list_id},
    app::{
        App,
        change::{Change, Subject},
    },
    resource::{
        BatchGet, Create, Delete, Get, List, ListRequest, Owner, Resource, Undelete, Update,
    },
};
use prost_types::FieldMask;
use shared_db::{
    error::{Error, Result},
    ids::Etag,
    service::{Caller, Mask},
};
use std::collections::HashMap;

pub async fn get<R: Get>(app: &App, caller: &Caller, id: &str) -> Result<R::Wire> {
    let id = request::id("id", id)?;
    let owner = R::Owner::of(caller)?;
    let mut tx = app.db.begin(R::Owner::reads(caller)?).await?;
    R::get(&mut tx, owner, id).await?.into_wire()
}

/// All of `ids`, in their order, or an error when one is not there.
pub async fn batch_get<R: BatchGet>(
    app: &App,
    caller: &Caller,
    ids: &[String],
) -> Result<Vec<R::Wire>> {
    let ids = request::ids(ids)?;
    let owner = R::Owner::of(caller)?;
    let mut tx = app.db.begin(R::Owner::reads(caller)?).await?;
    let rows = R::batch_get(&mut tx, owner, &ids).await?;
    drop(tx);
    in_order::<R>(&ids, rows)
}

/// The rows in the order of `ids`; an error names the first that is not there.
pub fn in_order<R: Resource>(ids: &[R::Id], rows: Vec<R>) -> Result<Vec<R::Wire>> {
    let mut found = HashMap::new();
    for row in rows {
        let wire = row.into_wire()?;
        found.insert(R::id_of(&wire).to_owned(), wire);
    }
    let one = |id: &R::Id| {
        let wire = found.get(&id.to_string()).cloned();
        wire.ok_or_else(|| Error::not_found(R::KIND, id))
    };
    ids.iter().map(one).collect()
}

/// A page of the list that `request` asks for, and the token of the next.
pub async fn list<Q: ListRequest>(
    app: &App,
    caller: &Caller,
    request: &Q,
) -> Result<(Vec<<Q::Resource as Resource>::Wire>, String)>
where
    <Q::Resource as Resource>::Filter: std::fmt::Debug + Default + PartialEq,
{
    type Owned<Q> = <<Q as ListRequest>::Resource as Resource>::Owner;
    let filter = request.filter()?;
    let order = request::order(Q::Resource::ORDERS, request.order_by())?;
    let owner = Owned::<Q>::of(caller)?;
    let conditions = format!("{filter:?}");
    let list = list_id(caller, Q::Resource::TABLE, &[Q::Resource::ORDERS[order], &conditions]);
    let (size, token) = request.page();
    let page = app.page_tokens.open(size, token, &list)?;
    let scope = Owned::<Q>::reads(caller)?;
    // With conditions it depends on their values which index is the right one.
    let mut tx = if filter == Default::default() {
        app.db.begin_ordered(scope).await?
    } else {
        app.db.begin_search(scope).await?
    };
    let page = Q::Resource::list(&mut tx, owner, &filter, order, &page).await?;
    Ok((page.items, app.page_tokens.seal(page.next, &list)))
}

pub async fn create<R: Create>(app: &App, caller: &Caller, wire: R::Wire) -> Result<R::Wire> {
    let mut new = R::new_from(wire)?;
    let (owner, id) = (R::Owner::of(caller)?, R::new_id());
    let change = change::<R>(caller, "Create", id);
    let mut tx = app.db.begin(R::Owner::changes(caller)?).await?;
    R::creating(&mut tx, owner, &mut new).await?;
    let made = R::create(&mut tx, owner, id, new, &change.trail()).await;
    change.finish(tx, made, R::Owner::HAS_TRAIL).await?.into_wire()
}

pub async fn update<R: Update>(
    app: &App,
    caller: &Caller,
    wire: R::Wire,
    mask: Option<FieldMask>,
) -> Result<R::Wire> {
    let id = wire_id::<R>(&wire)?;
    let mask = Mask::new::<R::Wire>(mask)?;
    let etag = R::etag_of(&wire).and_then(Etag::expected);
    let mut patch = R::patch_from(wire, &mask)?;
    let owner = R::Owner::of(caller)?;
    let change = change::<R>(caller, "Update", id).fields(mask.fields());
    let mut tx = app.db.begin(R::Owner::changes(caller)?).await?;
    R::updating(&mut tx, owner, id, &mut patch).await?;
    let changed = R::update(&mut tx, owner, id, etag, patch, &change.trail()).await;
    change.finish(tx, changed, R::Owner::HAS_TRAIL).await?.into_wire()
}

fn wire_id<R: Resource>(wire: &R::Wire) -> Result<R::Id> {
    let invalid = || Error::invalid(format!("{}.id", R::KIND), "must be a UUID");
    R::id_of(wire).parse().map_err(|_| invalid())
}

pub async fn delete<R: Delete>(app: &App, caller: &Caller, id: &str, etag: &str) -> Result<()> {
    let id: R::Id = request::id("id", id)?;
    let owner = R::Owner::of(caller)?;
    let change = change::<R>(caller, "Delete", id);
    let mut tx = app.db.begin(R::Owner::changes(caller)?).await?;
    R::deleting(&mut tx, owner, id).await?;
    let gone = R::delete(&mut tx, owner, id, Etag::expected(etag), &change.trail()).await;
    change.finish(tx, gone, R::Owner::HAS_TRAIL).await
}

pub async fn undelete<R: Undelete>(app: &App, caller: &Caller, id: &str) -> Result<R::Wire> {
    let id: R::Id = request::id("id", id)?;
    let owner = R::Owner::of(caller)?;
    let change = change::<R>(caller, "Undelete", id);
    let mut tx = app.db.begin(R::Owner::changes(caller)?).await?;
    let back = R::undelete(&mut tx, owner, id, &change.trail()).await;
    change.finish(tx, back, R::Owner::HAS_TRAIL).await?.into_wire()
}

/// A change of one, as the trail tells of it.
fn change<'a, R: Resource>(caller: &'a Caller, verb: &str, id: R::Id) -> Change<'a> {
    let subject = Subject { kind: R::KIND, id: R::uuid(id) };
    Change::new(caller, format!("{verb}{}", R::NAME), subject)
}
