//! The template's schema: made the way an operator makes it.

use shared_db::{migrate, roles::Passwords};
use sqlx::PgConnection;

pub(super) async fn apply(connection: &mut PgConnection) -> anyhow::Result<()> {
    let password = |role| Some(super::cluster::password(role).into());
    let passwords = Passwords {
        owner: password("freehold_owner"),
        web_app: password("web_app"),
        agent_runtime: password("agent_runtime"),
        maintenance: password("freehold_maintenance"),
    };
    migrate::run(connection, &migrate::Options { passwords, repair: false }).await?;
    Ok(())
}
