//! Members: only owners make and unmake owners, and the last one stays.

use super::{
    App,
    change::{Change, Subject},
    must_reach,
};
use crate::{
    resource::{Mine, Owner},
    store::identity::{
        members::{self, Member, MemberPatch},
        purges, users,
    },
};
use shared_db::{
    enums::MemberRole,
    error::{Error, Reason, Result},
    ids::{Etag, OrganizationId, UserId},
    service::{Caller, auth::is_permission, caller::Role, methods::Methods},
};
use sqlx::PgConnection;
use std::sync::LazyLock;

/// A person to be added.
#[derive(Clone, Debug)]
pub struct NewMember {
    pub email: String,
    /// For a person not known yet.
    pub name: String,
    pub role: MemberRole,
    pub permissions: Vec<String>,
}

/// Adds the person with this address, whether known to the platform or not: the answer does not tell which.
pub async fn add(app: &App, caller: &Caller, new: NewMember) -> Result<Member> {
    let org = caller.org()?;
    check_permissions("permissions", &new.permissions)?;
    may_permit(caller, &new.permissions)?;
    must_rank(caller, new.role)?;
    // The user's id is known only when it was found: the change is written down by its own hand.
    let mut tx = app.db.begin(shared_db::scope::Scope::Platform).await?;
    let user = users::find_or_create(&mut tx, &new.email, &new.name).await?;
    let member = members::add(&mut tx, org, user, new.role, &new.permissions).await?;
    must_stay(&mut tx, user, new.role).await?;
    Change::new(caller, "AddMember", Subject::member(user)).append(&mut tx).await?;
    tx.commit().await?;
    Ok(member)
}

pub async fn update(
    app: &App,
    caller: &Caller,
    user: UserId,
    etag: Option<Etag>,
    patch: MemberPatch,
    fields: Vec<String>,
) -> Result<Member> {
    let org = caller.org()?;
    let permissions = patch.permissions.as_deref().unwrap_or_default();
    check_permissions("member.permissions", permissions)?;
    may_permit(caller, permissions)?;
    let member = Change::new(caller, "UpdateMember", Subject::member(user))
        .fields(fields)
        .apply(&app.db, async |tx| {
            let fate = patch.role.map_or(Fate::Stays, Fate::Becomes);
            may_change(tx, caller, org, user, fate).await?;
            let member = members::update(tx, org, user, etag, patch).await?;
            must_stay(tx, user, member.role).await?;
            Ok(member)
        })
        .await?;
    app.callers.forget();
    Ok(member)
}

/// Removes a member, and with it the keys that act for it here.
pub async fn remove(app: &App, caller: &Caller, user: UserId) -> Result<()> {
    let org = caller.org()?;
    Change::new(caller, "RemoveMember", Subject::member(user))
        .apply(&app.db, async |tx| {
            may_change(tx, caller, org, user, Fate::Goes).await?;
            members::remove(tx, org, user).await
        })
        .await?;
    app.callers.forget();
    Ok(())
}

/// Removes the caller's own user, as [`remove`] does.
pub async fn leave(app: &App, caller: &Caller) -> Result<()> {
    let Mine { org, user } = Mine::of(caller)?;
    Change::new(caller, "LeaveOrganization", Subject::member(user))
        .apply(&app.db, async |tx| {
            let member = members::get(tx, org, user).await?;
            let problem = "the key may do less than its member, who leaves by one of the same role";
            must_reach(caller, member.role, problem)?;
            may_change(tx, caller, org, user, Fate::Goes).await?;
            members::remove(tx, org, user).await
        })
        .await?;
    app.callers.forget();
    Ok(())
}

/// Nobody who is being purged becomes an owner. Asked after the change: its lock has waited for a purge that was about to begin.
async fn must_stay(conn: &mut PgConnection, user: UserId, role: MemberRole) -> Result<()> {
    if role == MemberRole::Owner && purges::is_under_way(conn, user.0).await? {
        return Err(Error::not_found("user", user));
    }
    Ok(())
}

/// What is to become of a member.
enum Fate {
    Stays,
    Becomes(MemberRole),
    Goes,
}

/// Whether `caller` may have that become of a member.
async fn may_change(
    conn: &mut PgConnection,
    caller: &Caller,
    org: OrganizationId,
    user: UserId,
    fate: Fate,
) -> Result<()> {
    let owners = members::lock_owners(conn, org).await?;
    let now = members::role(conn, org, user).await?;
    must_rank(caller, now.ok_or_else(|| Error::not_found("member", user))?)?;
    let stays_owner = match fate {
        Fate::Stays => true,
        Fate::Goes => false,
        Fate::Becomes(role) => {
            must_rank(caller, role)?;
            role == MemberRole::Owner
        }
    };
    if !stays_owner && owners.end_with(user) {
        let problem = "the last owner who is active can neither leave nor step down; make someone else owner first";
        return Err(Error::precondition(Reason::LastOwner, format!("member/{user}"), problem));
    }
    Ok(())
}

/// Refuses what permits nothing: a misspelt permission would be missed when it is needed.
fn check_permissions(field: &str, permissions: &[String]) -> Result<()> {
    static METHODS: LazyLock<Methods> = LazyLock::new(|| {
        Methods::of(web_api::DESCRIPTOR).expect("the service would not have started")
    });
    match permissions.iter().position(|it| !is_permission(&METHODS, it)) {
        Some(at) => {
            let problem = format!(
                "{:?} is no method that a permission can open; write NoteService/CreateNote or NoteService/*",
                permissions[at]
            );
            Err(Error::invalid(format!("{field}[{at}]"), problem))
        }
        None => Ok(()),
    }
}

/// Nobody makes or unmakes a member of a higher role than their own, whatever they are permitted to call.
fn must_rank(caller: &Caller, role: MemberRole) -> Result<()> {
    let problem = match role {
        MemberRole::Owner => "only owners make and unmake owners",
        MemberRole::Viewer | MemberRole::Developer | MemberRole::Admin => {
            "nobody makes or unmakes members of a higher role than their own"
        }
    };
    must_reach(caller, role, problem)
}

/// Permissions reach as far as an admin does, so nobody else gives them: not even who is permitted to change members.
fn may_permit(caller: &Caller, permissions: &[String]) -> Result<()> {
    if permissions.is_empty() {
        return Ok(());
    }
    must_reach(caller, Role::Admin, "only admins and owners give permissions")
}
