//! `MemberService`.

use crate::{
    api::request::{self, list_id},
    app::{self, App, members::NewMember},
    store::identity::members::{self, Member, MemberPatch},
};
use shared_db::{
    enums::MemberRole,
    error::Error,
    ids::Etag,
    service::{Mask, accept},
    wire::timestamp,
};
use tonic::{Request, Response, Result};
use web_api::v1::{self as pb, member_service_server};

pub struct MemberService {
    pub app: App,
}

#[tonic::async_trait]
impl member_service_server::MemberService for MemberService {
    async fn get_member(
        &self,
        request: Request<pb::GetMemberRequest>,
    ) -> Result<Response<pb::Member>> {
        let (caller, request) = accept(request)?;
        let user = request::id("user_id", &request.user_id)?;
        let mut tx = self.app.db.begin(caller.scope()?).await?;
        let member = members::get(&mut tx, caller.org()?, user).await?;
        Ok(Response::new(member.into()))
    }

    async fn list_members(
        &self,
        request: Request<pb::ListMembersRequest>,
    ) -> Result<Response<pb::ListMembersResponse>> {
        let (caller, request) = accept(request)?;
        let role = role_if_any(request.role());
        let list = list_id(&caller, "members", &[request.role().as_str_name()]);
        let page = self.app.page_tokens.open(request.page_size, &request.page_token, &list)?;
        let mut tx = self.app.db.begin_search(caller.scope()?).await?;
        let page = members::list(&mut tx, caller.org()?, role, &page, |it| Ok(it.into())).await?;
        Ok(Response::new(pb::ListMembersResponse {
            members: page.items,
            next_page_token: self.app.page_tokens.seal(page.next, &list),
        }))
    }

    async fn add_member(
        &self,
        request: Request<pb::AddMemberRequest>,
    ) -> Result<Response<pb::Member>> {
        let (caller, request) = accept(request)?;
        let role = role("role", request.role())?;
        let name = match request.name.as_str() {
            "" => request.email.split('@').next().unwrap_or_default().to_owned(),
            _ => request.name,
        };
        let new = NewMember { email: request.email, name, role, permissions: request.permissions };
        let member = app::members::add(&self.app, &caller, new).await?;
        Ok(Response::new(member.into()))
    }

    async fn update_member(
        &self,
        request: Request<pb::UpdateMemberRequest>,
    ) -> Result<Response<pb::Member>> {
        let (caller, request) = accept(request)?;
        let member = request::required("member", request.member)?;
        let user = request::id("member.user_id", &member.user_id)?;
        let mask = Mask::new::<pb::Member>(request.update_mask)?;
        let etag = Etag::expected(&member.etag);
        let new_role = mask.pick("role", member.role());
        let patch = MemberPatch {
            role: new_role.map(|it| role("member.role", it)).transpose()?,
            permissions: mask.pick("permissions", member.permissions),
        };
        let member =
            app::members::update(&self.app, &caller, user, etag, patch, mask.fields()).await?;
        Ok(Response::new(member.into()))
    }

    async fn remove_member(
        &self,
        request: Request<pb::RemoveMemberRequest>,
    ) -> Result<Response<()>> {
        let (caller, request) = accept(request)?;
        let user = request::id("user_id", &request.user_id)?;
        app::members::remove(&self.app, &caller, user).await?;
        Ok(Response::new(()))
    }

    async fn leave_organization(
        &self,
        request: Request<pb::LeaveOrganizationRequest>,
    ) -> Result<Response<()>> {
        let (caller, _) = accept(request)?;
        app::members::leave(&self.app, &caller).await?;
        Ok(Response::new(()))
    }
}

pub(super) fn role(field: &'static str, it: pb::MemberRole) -> Result<MemberRole, Error> {
    role_if_any(it).ok_or_else(|| Error::invalid(field, "is required"))
}

fn role_if_any(it: pb::MemberRole) -> Option<MemberRole> {
    match it {
        pb::MemberRole::Unspecified => None,
        pb::MemberRole::Viewer => Some(MemberRole::Viewer),
        pb::MemberRole::Developer => Some(MemberRole::Developer),
        pb::MemberRole::Admin => Some(MemberRole::Admin),
        pb::MemberRole::Owner => Some(MemberRole::Owner),
    }
}

pub(super) fn to_wire(it: MemberRole) -> pb::MemberRole {
    match it {
        MemberRole::Viewer => pb::MemberRole::Viewer,
        MemberRole::Developer => pb::MemberRole::Developer,
        MemberRole::Admin => pb::MemberRole::Admin,
        MemberRole::Owner => pb::MemberRole::Owner,
    }
}

impl From<Member> for pb::Member {
    fn from(it: Member) -> Self {
        Self {
            organization_id: it.org_id.to_string(),
            user_id: it.user_id.to_string(),
            role: to_wire(it.role).into(),
            permissions: it.permissions,
            email: it.email,
            name: it.name,
            create_time: Some(timestamp(it.created_at)),
            update_time: Some(timestamp(it.updated_at)),
            etag: it.etag.to_string(),
        }
    }
}
