//! Trees of folders: a row names the row above it. What is written keeps them free of cycles and not too deep.

use shared_db::error::{Error, Reason};

/// Folders from the top to the bottom of a tree.
pub const DEPTH_MAX: i32 = 16;

/// What stands in the way of a folder's place.
pub struct Place {
    /// The folder would lie in itself.
    pub cycle: bool,
    /// Folders above the place, and at most below the folder, itself included.
    pub depth: i32,
}

impl Place {
    /// Whether `folder`, such as `note_folder/<id>`, may lie there.
    pub fn check(&self, folder: String) -> Result<(), Error> {
        if self.cycle {
            let problem = "a folder can not lie in itself or in a folder below it";
            return Err(Error::precondition(Reason::TreeCycle, folder, problem));
        }
        if DEPTH_MAX < self.depth {
            let problem =
                format!("folders lie at most {DEPTH_MAX} deep, and this one would {}", self.depth);
            return Err(Error::precondition(Reason::TreeTooDeep, folder, problem));
        }
        Ok(())
    }
}

/// The rules of folders that lie in a table as a tree, and that rows of another lie in, deleted ones too: `place(conn, org, id, parent)`
/// fails when the folder `id` may not lie in `parent`. Trees of one organization and table change one after the other, under an advisory
/// lock (not that of a row, as migration 0018 has it), since two moves that are right by themselves can make a cycle together.
macro_rules! tree {
    ($folder:ident, $id:ty, $kind:literal, $table:literal, of $held:literal) => {
        crate::store::deleted::leave!($held, "folder_id", $id);

        impl crate::resource::Rules for $folder {
            async fn creating(
                conn: &mut ::sqlx::PgConnection,
                org: ::shared_db::ids::OrganizationId,
                new: &mut Self::New,
            ) -> ::shared_db::error::Result<()> {
                place(conn, org, None, new.parent_id).await
            }

            async fn updating(
                conn: &mut ::sqlx::PgConnection,
                org: ::shared_db::ids::OrganizationId,
                id: $id,
                patch: &mut Self::Patch,
            ) -> ::shared_db::error::Result<()> {
                place(conn, org, Some(id), patch.parent_id.flatten()).await
            }

            async fn deleting(
                conn: &mut ::sqlx::PgConnection,
                org: ::shared_db::ids::OrganizationId,
                id: $id,
            ) -> ::shared_db::error::Result<()> {
                leave(conn, org, id).await
            }
        }

        async fn place(
            conn: &mut ::sqlx::PgConnection,
            org: ::shared_db::ids::OrganizationId,
            id: Option<$id>,
            parent: Option<$id>,
        ) -> ::shared_db::error::Result<()> {
            let Some(parent) = parent else { return Ok(()) };
            ::sqlx::query!(
                "select pg_advisory_xact_lock(hashtextextended($2 || ' ' || $1::uuid::text, 0))",
                org.0,
                $table,
            )
            .execute(&mut *conn)
            .await?;
            let place = ::sqlx::query_as!(
                crate::store::tree::Place,
                "with recursive above as (
                     select f.id, f.parent_id, 1 as depth
                     from " + $table + " as f
                     where f.org_id = $1 and f.id = $2
                     union all
                     select f.id, f.parent_id, above.depth + 1
                     from above
                     join " + $table + " as f on f.org_id = $1 and f.id = above.parent_id
                     where above.depth <= $4
                 ),
                 below as (
                     select f.id, 1 as depth
                     from " + $table + " as f
                     where f.org_id = $1 and f.id = $3
                     union all
                     select f.id, below.depth + 1
                     from below
                     join " + $table + r#" as f on f.org_id = $1 and f.parent_id = below.id
                     where below.depth <= $4
                 )
                 select coalesce(bool_or(above.id = $3), false) as "cycle!",
                     coalesce(max(above.depth), 0) + greatest((select coalesce(max(depth), 0) from below), 1) as "depth!"
                 from above"#,
                org.0,
                parent.0,
                id.map(|it| it.0),
                crate::store::tree::DEPTH_MAX,
            )
            .fetch_one(conn)
            .await?;
            place.check(id.map_or_else(|| $kind.to_owned(), |it| format!("{}/{it}", $kind)))
        }
    };
}
pub(crate) use tree;
