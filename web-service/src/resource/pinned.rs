//! What an organization has pinned of an offer that is the same for all.

use super::{Everyone, Get, Hold, Resource};
use shared_db::{error::Result, ids::OrganizationId};
use sqlx::PgConnection;

/// A row that keeps version, schema and price of an offer as they were, until it is upgraded. `app::upgrades` says what that would change, and
/// does it. Whoever upgrades or configures one holds it: its configuration and its schema are each checked against the other.
pub trait Pinned: Get + Hold + Resource<Owner = OrganizationId> {
    type Offer: Get + Resource<Owner = Everyone>;

    /// The method that upgrades one.
    const UPGRADE: &'static str;

    /// What it was pinned of.
    fn offer(&self) -> <Self::Offer as Resource>::Id;

    fn version_of(offer: &Self::Offer) -> i32;

    /// Why what is configured does not fit what is offered, one sentence for each place.
    fn problems(
        &self,
        conn: &mut PgConnection,
        offer: &Self::Offer,
    ) -> impl Future<Output = Result<Vec<String>>> + Send;

    /// Pins what is offered now.
    fn pin(
        conn: &mut PgConnection,
        org: OrganizationId,
        id: Self::Id,
        offer: &Self::Offer,
    ) -> impl Future<Output = Result<Self>> + Send;
}
