//! What was deleted and may come back does not keep what it lies in from going: it leaves that behind.

/// Takes the deleted rows of a table out of what a column says that they lie in: `leave(conn, org, id)`. Those that are there stay, and
/// keep it from being deleted.
macro_rules! leave {
    ($table:literal, $column:literal, $id:ty) => {
        async fn leave(
            conn: &mut ::sqlx::PgConnection,
            org: ::shared_db::ids::OrganizationId,
            id: $id,
        ) -> ::shared_db::error::Result<()> {
            ::sqlx::query!(
                "update "
                    + $table
                    + " set "
                    + $column
                    + " = null, etag = gen_random_uuid()
                 where org_id = $1 and "
                    + $column
                    + " = $2 and deleted_at is not null",
                org.0,
                id.0,
            )
            .execute(conn)
            .await?;
            Ok(())
        }
    };
}
pub(crate) use leave;
