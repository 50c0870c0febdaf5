//! What processes take of the machine, as the kernel counts it.

use anyhow::{Context, Result};
use sqlx::PgConnection;
use std::{fs, time::Duration};

/// The kernel tells CPU in hundredths of a second, on every Linux that Rust's standard library knows.
const TICK: Duration = Duration::from_millis(10);

/// CPU that a process has taken since it began.
pub fn cpu(process: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name of the program may have blanks in it; what follows has none. User and system time are fields 14 and 15.
    let (_, fields) = stat.rsplit_once(") ").context("no name of a program")?;
    let mut fields = fields.split(' ').skip(11);
    let mut ticks = || -> Result<u32> { Ok(fields.next().context("no time")?.parse()?) };
    Ok(TICK * (ticks()? + ticks()?))
}

/// CPU that the connections of a role to the database of `conn` have taken since they were made. Ask while they are there, on the
/// server's machine.
pub async fn backends_cpu(conn: &mut PgConnection, role: &str) -> Result<Duration> {
    let sql =
        "select pid from pg_stat_activity where datname = current_database() and usename = $1";
    let pids: Vec<i32> = sqlx::query_scalar(sql).bind(role).fetch_all(conn).await?;
    // One may have ended since.
    Ok(pids.iter().filter_map(|it| cpu(it.unsigned_abs()).ok()).sum())
}

/// Bytes of memory that a process has in use.
pub fn memory(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:"));
    let kib = line.and_then(|it| it.split_whitespace().next()).context("no VmRSS")?;
    Ok(kib.parse::<u64>()? * 1024)
}
