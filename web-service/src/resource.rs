//! What a plain resource is, whatever it is called. `resource!` writes the statements and the way to the wire from one description
//! (`store/`), `service!` the methods (`api/`); both meet in the traits of this module, and `api::plain` does the rest.
//!
//! - [`owner`]: whose rows are meant: an organization's, a user's own, or nobody's;
//! - [`column`]: what is kept in a column, and how the wire says it;
//! - [`pinned`]: what is kept of an offer as it was, until it is upgraded;
//! - [`refusal`]: what the schema's refusals mean to a caller.

mod column;
mod owner;
mod pinned;
mod refusal;

pub use column::{Column, Condition, Decimal, Flag, Object, far_future, far_past};
pub(crate) use column::{id_column, wire_enums};
pub use owner::{Everyone, Mine, Owner};
pub use pinned::Pinned;
pub use refusal::{Named, absent_or_changed, already_there, in_use, not_found, refused};
pub use resource_macros::{resource, service};

use prost::{Message, Name};
use shared_db::{
    error::Result,
    ids::{ActivityId, ApiKeyId, Etag, UserId},
    page::{Page, PageRequest},
    service::Mask,
};
use sqlx::PgConnection;
use std::{fmt::Display, str::FromStr, time::Duration};
use uuid::Uuid;

/// A kind of row with an id, which callers name, read and mostly change.
pub trait Resource: Sized + Send + 'static {
    /// `NoteFolder`, as methods and messages call it.
    const NAME: &'static str;
    /// `note_folder`, as errors and the audit trail call it.
    const KIND: &'static str;
    /// `note_folders`
    const TABLE: &'static str;
    /// The columns that are its own, each with its name on the wire.
    const COLUMNS: &'static [(&'static str, &'static str)];
    type Id: Copy + Display + FromStr + Send + Sync;
    type Owner: Owner;
    type Wire: Message + Name + Default + Clone;
    type New: Send;
    type Patch: Send;
    type Filter: Send + Sync;

    fn new_id() -> Self::Id;
    fn uuid(id: Self::Id) -> Uuid;
    fn into_wire(self) -> Result<Self::Wire>;
    fn id_of(wire: &Self::Wire) -> &str;

    /// What of a message makes a new one.
    fn new_from(_wire: Self::Wire) -> Result<Self::New> {
        unreachable!("a resource that is created says of what")
    }

    /// What of a message changes one.
    fn patch_from(_wire: Self::Wire, _mask: &Mask) -> Result<Self::Patch> {
        unreachable!("a resource that is changed says by what")
    }

    fn etag_of(_wire: &Self::Wire) -> Option<&str> {
        None
    }
}

/// What a resource asks of its rows beyond what its columns can say. Each is asked in the transaction of the change, before it.
pub trait Rules: Resource {
    fn creating(
        _conn: &mut PgConnection,
        _owner: Self::Owner,
        _new: &mut Self::New,
    ) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    fn updating(
        _conn: &mut PgConnection,
        _owner: Self::Owner,
        _id: Self::Id,
        _patch: &mut Self::Patch,
    ) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    fn deleting(
        _conn: &mut PgConnection,
        _owner: Self::Owner,
        _id: Self::Id,
    ) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }
}

pub trait Get: Resource {
    fn get(
        conn: &mut PgConnection,
        owner: Self::Owner,
        id: Self::Id,
    ) -> impl Future<Output = Result<Self>> + Send;
}

/// One that nobody else holds or changes until the end of the transaction.
pub trait Hold: Resource {
    fn hold(
        conn: &mut PgConnection,
        owner: Self::Owner,
        id: Self::Id,
    ) -> impl Future<Output = Result<Self>> + Send;
}

/// Those of `ids` that are there, in no order.
pub trait BatchGet: Resource {
    fn batch_get(
        conn: &mut PgConnection,
        owner: Self::Owner,
        ids: &[Self::Id],
    ) -> impl Future<Output = Result<Vec<Self>>> + Send;
}

pub trait List: Resource {
    /// The first is the one that a list has when it is not asked for another.
    const ORDERS: &'static [&'static str];

    fn list(
        conn: &mut PgConnection,
        owner: Self::Owner,
        filter: &Self::Filter,
        order: usize,
        page: &PageRequest,
    ) -> impl Future<Output = Result<Page<Self::Wire>>> + Send;
}

pub trait Create: Rules {
    fn create(
        conn: &mut PgConnection,
        owner: Self::Owner,
        id: Self::Id,
        new: Self::New,
        trail: &Trail,
    ) -> impl Future<Output = Result<Self>> + Send;
}

pub trait Update: Rules {
    fn update(
        conn: &mut PgConnection,
        owner: Self::Owner,
        id: Self::Id,
        etag: Option<Etag>,
        patch: Self::Patch,
        trail: &Trail,
    ) -> impl Future<Output = Result<Self>> + Send;
}

pub trait Delete: Rules {
    fn delete(
        conn: &mut PgConnection,
        owner: Self::Owner,
        id: Self::Id,
        etag: Option<Etag>,
        trail: &Trail,
    ) -> impl Future<Output = Result<()>> + Send;
}

pub trait Undelete: Rules {
    fn undelete(
        conn: &mut PgConnection,
        owner: Self::Owner,
        id: Self::Id,
        trail: &Trail,
    ) -> impl Future<Output = Result<Self>> + Send;

    /// Removes those of all organizations that were deleted longer than `age` ago, `limit` at most, and says how many. For a transaction of
    /// the platform.
    fn sweep(
        conn: &mut PgConnection,
        age: Duration,
        limit: i64,
    ) -> impl Future<Output = Result<u64>> + Send;
}

/// The request for a page of a list.
pub trait ListRequest {
    type Resource: List;
    fn filter(&self) -> Result<<Self::Resource as Resource>::Filter>;
    fn order_by(&self) -> &str;
    /// `page_size` and `page_token`.
    fn page(&self) -> (i32, &str);
}

/// What the audit trail says of a change: the statement that makes it writes this down too, in the same round trip.
#[derive(Clone, Debug)]
pub struct Trail {
    pub id: ActivityId,
    pub user: Option<UserId>,
    pub api_key: Option<ApiKeyId>,
    /// The method.
    pub action: String,
    pub fields: Vec<String>,
    pub trace_id: Option<String>,
}
