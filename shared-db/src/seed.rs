//! What a new installation is shown with: one organization, its owner, and a key; and [`offers`]. Run again it changes nothing,
//! but makes a key if it is given none.

mod offers;

use crate::ids::{ApiKeyId, OrganizationId, UserId};
use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use offers::Offers;
use rand::{Rng, RngCore, distr::Alphanumeric};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use sqlx::{Connection, PgConnection};

const ORGANIZATION_SLUG: &str = "demo";
const ORGANIZATION_NAME: &str = "Demo";
const USER_EMAIL: &str = "owner@demo.example";
const USER_NAME: &str = "Demo Owner";
const KEY_NAME: &str = "Demo key";

const PREFIX_CHARS: usize = 12;
const SECRET_BYTES: usize = 32;
const SECRET_CHARS: usize = 43;

/// What there is after seeding.
#[derive(Debug)]
pub struct Seeded {
    pub organization: OrganizationId,
    pub user: UserId,
    /// The key, if it was made here. It is not shown again.
    pub new_key: Option<SecretString>,
}

/// Makes what is missing. `key` is the one to accept; without it a new one is made.
pub async fn run(conn: &mut PgConnection, key: Option<&SecretString>) -> Result<Seeded> {
    let made = if key.is_none() { Some(new_key()) } else { None };
    let text = key.or(made.as_ref()).context("a key is given or made")?;
    let (prefix, secret) = parts(text.expose_secret())?;
    let mut tx = conn.begin().await?;
    // Row-level security is forced on the owner as well; a superuser takes the same way.
    sqlx::raw_sql("set local role web_app_platform").execute(&mut *tx).await?;
    let user = user(&mut tx).await?;
    let organization = organization(&mut tx, user).await?;
    sqlx::query!(
        "insert into web.organization_members (org_id, user_id, role)
         values ($1, $2, 'owner')
         on conflict do nothing",
        organization.0,
        user.0,
    )
    .execute(&mut *tx)
    .await?;
    accept_key(&mut tx, organization, user, prefix, secret).await?;
    Offers::read()?.apply(&mut tx, organization).await?;
    tx.commit().await?;
    Ok(Seeded { organization, user, new_key: made })
}

async fn user(conn: &mut PgConnection) -> Result<UserId> {
    let there = sqlx::query_scalar!(
        "select id
         from web.users
         where lower(email) = $1",
        USER_EMAIL,
    )
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(id) = there {
        return Ok(id);
    }
    let id = UserId::generate();
    sqlx::query!(
        "insert into web.users (id, email, name)
         values ($1, $2, $3)",
        id.0,
        USER_EMAIL,
        USER_NAME,
    )
    .execute(conn)
    .await?;
    Ok(id)
}

async fn organization(conn: &mut PgConnection, creator: UserId) -> Result<OrganizationId> {
    let there = sqlx::query_scalar!(
        "select id
         from web.organizations
         where slug = $1",
        ORGANIZATION_SLUG,
    )
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(id) = there {
        return Ok(id);
    }
    let id = OrganizationId::generate();
    sqlx::query!(
        "insert into web.organizations (id, slug, name, created_by)
         values ($1, $2, $3, $4)",
        id.0,
        ORGANIZATION_SLUG,
        ORGANIZATION_NAME,
        creator.0,
    )
    .execute(conn)
    .await?;
    Ok(id)
}

async fn accept_key(
    conn: &mut PgConnection,
    org: OrganizationId,
    user: UserId,
    prefix: &str,
    secret: &str,
) -> Result<()> {
    let hash = Sha256::digest(secret).to_vec();
    sqlx::query!(
        "insert into web.api_keys (org_id, id, name, prefix, key_hash, role, user_id, created_by)
         values ($1, $2, $3, $4, $5, 'owner', $6, $6)
         on conflict (prefix) do nothing",
        org.0,
        ApiKeyId::generate().0,
        KEY_NAME,
        prefix,
        &hash,
        user.0,
    )
    .execute(&mut *conn)
    .await?;
    let stored = sqlx::query!(
        "select org_id, key_hash, revoked_at
         from web.api_keys
         where prefix = $1",
        prefix,
    )
    .fetch_one(conn)
    .await?;
    let same = stored.org_id == org && stored.key_hash == hash && stored.revoked_at.is_none();
    ensure!(
        same,
        "another key, or a revoked one, has the prefix {prefix}; give another key, or none"
    );
    Ok(())
}

/// `fh_<prefix>_<secret>`, as web-service makes them.
fn new_key() -> SecretString {
    let mut rng = rand::rng();
    let prefix: String =
        (&mut rng).sample_iter(Alphanumeric).take(PREFIX_CHARS).map(char::from).collect();
    let mut secret = [0; SECRET_BYTES];
    rng.fill_bytes(&mut secret);
    format!("fh_{prefix}_{}", URL_SAFE_NO_PAD.encode(secret)).into()
}

fn parts(key: &str) -> Result<(&str, &str)> {
    let parts = || {
        let (prefix, secret) = key.strip_prefix("fh_")?.split_once('_')?;
        let good = prefix.len() == PREFIX_CHARS
            && prefix.bytes().all(|it| it.is_ascii_alphanumeric())
            && secret.len() == SECRET_CHARS
            && secret.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_".contains(&it));
        good.then_some((prefix, secret))
    };
    parts().context("the key is not fh_<12 letters or digits>_<43 characters of base64url>; give none to have one made")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_key_has_the_form_that_is_accepted() {
        let key = new_key();
        let (prefix, secret) = parts(key.expose_secret()).unwrap();
        assert_eq!(key.expose_secret(), format!("fh_{prefix}_{secret}"));
        for bad in ["", "fh_short_x", &key.expose_secret().replace("fh_", "xx_")] {
            assert!(parts(bad).is_err());
        }
    }
}
