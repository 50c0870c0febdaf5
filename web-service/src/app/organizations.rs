//! Organizations: making one with its first owner, and taking one away.

use super::{App, change::Change};
use crate::store::identity::{
    members,
    organizations::{self, NewOrganization, Organization},
    purges,
};
use shared_db::{
    enums::MemberRole,
    error::{Error, Result},
    ids::{Etag, OrganizationId, UserId},
    scope::Scope,
    service::Caller,
};

/// Makes an organization, with its first owner if one is named.
pub async fn create(
    app: &App,
    caller: &Caller,
    new: NewOrganization,
    owner: Option<UserId>,
) -> Result<Organization> {
    let org = OrganizationId::generate();
    Change::new(caller, "CreateOrganization", org)
        .across_organizations()
        .in_trail_of(org)
        .apply(&app.db, async |tx| {
            let made = organizations::create(tx, org, new).await?;
            if let Some(owner) = owner {
                // Whoever is on its way out owns nothing new.
                if purges::is_under_way(tx, owner.0).await? {
                    return Err(Error::not_found("user", owner));
                }
                members::add(tx, org, owner, MemberRole::Owner, &[]).await?;
            }
            Ok(made)
        })
        .await
}

/// Takes an organization away, with its members, keys, actions and trail.
pub async fn delete(
    app: &App,
    caller: &Caller,
    org: OrganizationId,
    etag: Option<Etag>,
) -> Result<()> {
    let mut tx = app.db.begin(Scope::Tenant(org, caller.user)).await?;
    organizations::must_be_unused(&mut tx, org).await?;
    organizations::delete(&mut tx, org, etag).await?;
    tx.commit().await?;
    app.callers.forget();
    // Its own trail went with it.
    Change::new(caller, "DeleteOrganization", org).log();
    Ok(())
}
