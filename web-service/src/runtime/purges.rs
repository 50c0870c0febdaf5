//! The runtime's part of purges.

use super::{Actor, Repeat, Runtime, replicas::Replicas};
use runtime_api::v1::{self as pb, purge_service_client::PurgeServiceClient};
use shared_db::{enums::PurgeSubject, error::Result, ids::PurgeId};

/// What a command to erase came to.
#[derive(Clone, Debug)]
pub struct Erased {
    pub finished: bool,
    /// Rows that it erased or changed.
    pub rows: i64,
    /// Tables that rows of web still refer to.
    pub blocked: Vec<String>,
}

impl Runtime {
    /// Stops what is done for an organization. Returns how much is still under way.
    pub async fn stop_organization(&self, actor: Actor, purge: PurgeId) -> Result<i64> {
        let message = pb::StopOrganizationRequest { purge_id: purge.to_string() };
        let answer = self
            .call(actor, Repeat::Freely, message, |channel, it| async move {
                purges(channel).stop_organization(it).await
            })
            .await?;
        Ok(answer.live)
    }

    /// Erases some of what is kept of an organization or a user. What a first try has erased is missing from the rows of a second; the
    /// receipt has it.
    pub async fn purge(
        &self,
        actor: Actor,
        subject: PurgeSubject,
        purge: PurgeId,
    ) -> Result<Erased> {
        let purge_id = purge.to_string();
        let erasure = match subject {
            PurgeSubject::Organization => {
                let message = pb::PurgeOrganizationRequest { purge_id };
                self.call(actor, Repeat::Freely, message, |channel, it| async move {
                    purges(channel).purge_organization(it).await
                })
                .await?
                .erasure
            }
            PurgeSubject::User => {
                let message = pb::PurgeUserRequest { purge_id };
                self.call(actor, Repeat::Freely, message, |channel, it| async move {
                    purges(channel).purge_user(it).await
                })
                .await?
                .erasure
            }
        };
        let pb::Erasure { finished, rows, blocked, .. } = erasure.unwrap_or_default();
        Ok(Erased { finished, rows, blocked })
    }
}

fn purges(channel: Replicas) -> PurgeServiceClient<Replicas> {
    PurgeServiceClient::new(channel)
}
