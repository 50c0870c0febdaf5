//! Agents as commands change them: what is checked, written and kept as a revision in one transaction.

mod check;

use crate::store::agents::{self, NewAgent};
use common_api::types as pb;
use prost_types::FieldMask;
use serde_json::{Value, json};
use shared_db::{
    enums::AgentType,
    error::{Error, Result},
    ids::{AgentId, Etag, OrganizationId},
    json, read,
    scope::{Db, Scope, Tx},
    service::{caller::Caller, mask::Mask},
};

/// What an agent's author did not say.
const VERSION_DEFAULT: &str = "1.0.0";

/// Creates an agent under the id that web chose. The same id again returns what is there.
pub async fn create(db: &Db, caller: &Caller, id: AgentId, agent: pb::Agent) -> Result<pb::Agent> {
    check::definition(&agent)?;
    let org = caller.org()?;
    let mut tx = db.begin(caller.scope()?).await?;
    match agents::create(&mut tx, org, id, (&agent).try_into()?).await {
        Ok(Some(row)) => {
            check::actions(&mut tx, org, &agent).await?;
            keep(tx, caller, row).await
        }
        Ok(None) => read::agents::get(&mut tx, org, id).await,
        // Two commands under one id at the same moment: PostgreSQL may notice the slug before the id.
        Err(taken @ Error::AlreadyExists { .. }) => {
            drop(tx);
            let mut tx = db.begin(caller.scope()?).await?;
            read::agents::find(&mut tx, org, id).await?.ok_or(taken)
        }
        Err(error) => Err(error),
    }
}

/// Sets what the mask names. An agent that has changed since its etag was read is left alone.
pub async fn update(
    db: &Db,
    caller: &Caller,
    id: AgentId,
    agent: pb::Agent,
    mask: Option<FieldMask>,
) -> Result<pb::Agent> {
    let mask = Mask::new::<pb::Agent>(mask)?;
    let org = caller.org()?;
    let mut tx = db.begin(caller.scope()?).await?;
    let mut merged: pb::Agent = agents::lock(&mut tx, org, id).await?.try_into()?;
    if !agent.etag.is_empty() && agent.etag != merged.etag {
        return Err(Error::etag_mismatch("agent", id));
    }
    merge(&mut merged, agent, &mask);
    check::definition(&merged)?;
    check::actions(&mut tx, org, &merged).await?;
    let row = agents::update(&mut tx, org, id, (&merged).try_into()?).await?;
    keep(tx, caller, row).await
}

pub async fn delete(db: &Db, caller: &Caller, id: AgentId, etag: &str) -> Result<()> {
    let etag = match etag {
        "" => None,
        // What is not of the form of an etag was never one of this agent.
        it => Some(uuid::Uuid::try_parse(it).map_err(|_| Error::etag_mismatch("agent", id))?),
    };
    let mut tx = db.begin(caller.scope()?).await?;
    agents::delete(&mut tx, caller.org()?, id, etag.map(Etag)).await?;
    tx.commit().await
}

/// Lets another organization use an agent. web has made sure that the caller may speak for it.
pub async fn share(db: &Db, caller: &Caller, id: AgentId, with: OrganizationId) -> Result<()> {
    let org = caller.org()?;
    let mut tx = owned(db, org, id).await?;
    agents::share(&mut tx, org, id, with, caller.user).await?;
    tx.commit().await
}

pub async fn unshare(db: &Db, caller: &Caller, id: AgentId, with: OrganizationId) -> Result<()> {
    let org = caller.org()?;
    let mut tx = owned(db, org, id).await?;
    agents::unshare(&mut tx, org, id, with).await?;
    tx.commit().await
}

/// A transaction of the platform, for the rows of the organization that an agent is shared with, once the agent is known to
/// belong to `org`.
async fn owned(db: &Db, org: OrganizationId, id: AgentId) -> Result<Tx> {
    let mut tx = db.begin(Scope::Platform).await?;
    read::agents::get(&mut tx, org, id).await?;
    Ok(tx)
}

/// Keeps the definition as a revision and answers with it.
async fn keep(mut tx: Tx, caller: &Caller, row: read::agents::Agent) -> Result<pb::Agent> {
    let (org, id, revision) = (row.org_id, row.id, row.revision);
    let agent: pb::Agent = row.try_into()?;
    let definition = json::from_message(&agent)?;
    agents::append_version(&mut tx, org, id, revision, definition, caller.user).await?;
    tx.commit().await?;
    Ok(agent)
}

fn merge(into: &mut pb::Agent, from: pb::Agent, mask: &Mask) {
    macro_rules! set {
        ($($field:ident)*) => {$(
            if mask.has(stringify!($field)) {
                into.$field = from.$field;
            }
        )*};
    }
    set!(name description version department tags io_schema capabilities context endpoint llm_config metadata);
}

impl TryFrom<&pb::Agent> for NewAgent {
    type Error = Error;

    fn try_from(it: &pb::Agent) -> Result<Self> {
        let agent_type = AgentType::from_wire(it.r#type())
            .ok_or_else(|| Error::invalid("agent.type", "is required"))?;
        let version = if it.version.is_empty() { VERSION_DEFAULT } else { &it.version };
        let object = |value: Option<Value>| value.unwrap_or_else(|| json!({}));
        Ok(Self {
            slug: it.slug.clone(),
            name: it.name.clone(),
            description: it.description.clone(),
            version: version.to_owned(),
            agent_type,
            department: it.department.clone(),
            tags: it.tags.clone(),
            io_schema: object(it.io_schema.as_ref().map(json::from_message).transpose()?),
            capabilities: it.capabilities.clone(),
            context: it.context.clone(),
            endpoint: it.endpoint.as_ref().map(json::from_message).transpose()?,
            llm_config: it.llm_config.as_ref().map(json::from_message).transpose()?,
            metadata: object(it.metadata.clone().map(json::from_struct)),
        })
    }
}
