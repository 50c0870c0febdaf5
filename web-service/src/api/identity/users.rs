//! `UserService`.

use crate::{
    api::request::{self, list_id},
    app::{self, App, change::Change},
    resource::{Column, Condition},
    store::{
        enums::SystemRole,
        identity::users::{self, NewUser, User, UserPatch},
    },
};
use shared_db::{
    error::Error,
    ids::{Etag, UserId},
    service::{Caller, Mask, accept},
    wire::timestamp,
};
use tonic::{Request, Response, Result};
use web_api::v1::{self as pb, user_service_server};

pub struct UserService {
    pub app: App,
}

#[tonic::async_trait]
impl user_service_server::UserService for UserService {
    async fn get_user(&self, request: Request<pb::GetUserRequest>) -> Result<Response<pb::User>> {
        let (caller, request) = accept(request)?;
        let id = request::id("id", &request.id)?;
        let (scope, org) = app::view(&caller)?;
        let user = users::get(&mut *self.app.db.begin(scope).await?, org, id).await?;
        Ok(Response::new(seen_by(&caller, user)))
    }

    async fn list_users(
        &self,
        request: Request<pb::ListUsersRequest>,
    ) -> Result<Response<pb::ListUsersResponse>> {
        let (caller, request) = accept(request)?;
        let list = list_id(&caller, "users", &[]);
        let page = self.app.page_tokens.open(request.page_size, &request.page_token, &list)?;
        let (scope, org) = app::view(&caller)?;
        let mut tx = self.app.db.begin_search(scope).await?;
        let page = users::list(&mut tx, org, &page, |it| Ok(seen_by(&caller, it))).await?;
        Ok(Response::new(pb::ListUsersResponse {
            users: page.items,
            next_page_token: self.app.page_tokens.seal(page.next, &list),
        }))
    }

    async fn create_user(
        &self,
        request: Request<pb::CreateUserRequest>,
    ) -> Result<Response<pb::User>> {
        let (caller, request) = accept(request)?;
        let user = request::required("user", request.user)?;
        if user.current_organization_id.is_some() {
            let problem = "a new user is a member of none; set it when the user is";
            return Err(Error::invalid("user.current_organization_id", problem).into());
        }
        let subject = user.subject.filter(|it| !it.is_empty());
        let system_role = SystemRole::from_wire("user.system_role", user.system_role)?;
        let new = NewUser { email: user.email, name: user.name, subject, system_role };
        let id = UserId::generate();
        let user = Change::new(&caller, "CreateUser", id)
            .across_organizations()
            .apply(&self.app.db, async |tx| users::create(tx, id, new).await)
            .await?;
        Ok(Response::new(seen_by(&caller, user)))
    }

    async fn update_user(
        &self,
        request: Request<pb::UpdateUserRequest>,
    ) -> Result<Response<pb::User>> {
        let (caller, request) = accept(request)?;
        let user = request::required("user", request.user)?;
        let id = request::id("user.id", &user.id)?;
        let mask = Mask::new::<pb::User>(request.update_mask)?;
        let etag = Etag::expected(&user.etag);
        let system_role = <SystemRole as Condition>::read("user.system_role", &user.system_role)?;
        let current_org = user
            .current_organization_id
            .map(|it| request::id("user.current_organization_id", &it))
            .transpose()?;
        let patch = UserPatch {
            name: mask.pick("name", user.name),
            current_org: mask.pick("current_organization_id", current_org),
            system_role: mask.pick("system_role", system_role).flatten(),
        };
        let user = app::users::update(&self.app, &caller, id, etag, patch, mask.fields()).await?;
        Ok(Response::new(seen_by(&caller, user)))
    }

    async fn deactivate_user(
        &self,
        request: Request<pb::DeactivateUserRequest>,
    ) -> Result<Response<pb::User>> {
        let (caller, request) = accept(request)?;
        let id = request::id("id", &request.id)?;
        let user = app::users::set_active(&self.app, &caller, id, false).await?;
        Ok(Response::new(seen_by(&caller, user)))
    }

    async fn reactivate_user(
        &self,
        request: Request<pb::ReactivateUserRequest>,
    ) -> Result<Response<pb::User>> {
        let (caller, request) = accept(request)?;
        let id = request::id("id", &request.id)?;
        let user = app::users::set_active(&self.app, &caller, id, true).await?;
        Ok(Response::new(seen_by(&caller, user)))
    }

    async fn purge_user(
        &self,
        request: Request<pb::PurgeUserRequest>,
    ) -> Result<Response<pb::Purge>> {
        let (caller, request) = accept(request)?;
        let id = request::id("id", &request.id)?;
        let purge = app::purges::user(&self.app, &caller, id).await?;
        Ok(Response::new(purge.into()))
    }
}

/// A user as the caller may see it. What tells of its life in other organizations is for itself and the platform.
fn seen_by(caller: &Caller, it: User) -> pb::User {
    let whole = caller.is_platform() || caller.user == Some(it.id);
    pb::User {
        id: it.id.to_string(),
        email: it.email,
        name: it.name,
        active: it.active,
        system_role: it.system_role.into_wire(),
        current_organization_id: it.current_org_id.filter(|_| whole).map(|it| it.to_string()),
        last_login_time: it.last_login_at.filter(|_| whole).map(timestamp),
        subject: it.subject.filter(|_| whole),
        create_time: Some(timestamp(it.created_at)),
        update_time: Some(timestamp(it.updated_at)),
        etag: it.etag.to_string(),
    }
}
