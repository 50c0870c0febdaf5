//! The right to write for one execution, and what becomes of a write without it.

use shared_db::{
    error::Error,
    ids::{ExecutionId, OrganizationId},
};

/// What a worker holds while it works: good for as long as no other token has been given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    pub org: OrganizationId,
    pub execution: ExecutionId,
    pub token: i64,
}

/// Why a worker's write did not happen.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Somebody else holds the work now, or it has ended. Not an error of anybody: the work stops quietly.
    #[error("the lease is gone")]
    Fenced,
    #[error(transparent)]
    Store(#[from] Error),
}

impl WriteError {
    /// Of a write under the token of a row that this transaction has locked: that it is fenced is a defect.
    pub fn under_lock(self) -> Error {
        match self {
            Self::Fenced => {
                Error::internal(anyhow::anyhow!("the row is locked, so its token holds"))
            }
            Self::Store(error) => error,
        }
    }
}

impl From<sqlx::Error> for WriteError {
    fn from(source: sqlx::Error) -> Self {
        Self::Store(source.into())
    }
}

pub type WriteResult<T = ()> = Result<T, WriteError>;

/// Zero rows under a lease mean that it is gone.
pub(crate) fn held<T>(row: Option<T>) -> WriteResult<T> {
    row.ok_or(WriteError::Fenced)
}
