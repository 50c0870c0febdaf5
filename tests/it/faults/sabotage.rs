//! Each protection taken away from the binaries that run, by a superuser and behind their backs: the check that looks for what it protects
//! from must find it. What [`super::doctored`] writes into a history afterwards has happened here.

use super::short::{Short, play};
use freehold_tests::{
    chaos::{
        checks,
        fault::{Fault, Victim},
        load::Kind,
        schedule::Act,
    },
    remote::Mood,
};

/// Where what takes protections away stands.
const SCHEMA: &str = "create schema chaos";

/// No token is ever raised: whoever has held an execution writes for it as if they still did.
const NO_FENCING: &str = "
    create function chaos.keep_token() returns trigger language plpgsql as $$
    begin
        new.lease_token := old.lease_token;
        return new;
    end $$;
    create trigger keep_token before update on runtime.execution_queue
        for each row execute function chaos.keep_token()";

/// For some seconds leases end for everybody else while their holder knows nothing of it, as if its clock were slow: it has no other way to
/// find out than that it may not write.
const HASTE: &str = "
    create table chaos.haste as select clock_timestamp() + interval '8 seconds' as ends_at;
    create function chaos.end_early() returns trigger language plpgsql security definer as $$
    begin
        if clock_timestamp() < (select ends_at from chaos.haste) then
            new.lease_until := clock_timestamp() + interval '200 milliseconds';
        end if;
        return new;
    end $$;
    create trigger end_early before insert or update on runtime.workers
        for each row execute function chaos.end_early()";

/// Leases end when nobody waits for it any more.
const NO_EXPIRY: &str = "
    create function chaos.live_long() returns trigger language plpgsql as $$
    begin
        new.lease_until := clock_timestamp() + interval '6 seconds';
        return new;
    end $$;
    create trigger live_long before insert or update on runtime.workers
        for each row execute function chaos.live_long()";

/// What must not be repeated is written down as if it might.
const NO_CARE: &str = "
    create function chaos.forget_effect() returns trigger language plpgsql as $$
    begin
        if new.side_effect = 'at_most_once' then
            new.side_effect := 'idempotent';
        end if;
        return new;
    end $$;
    create trigger forget_effect before insert on runtime.execution_steps
        for each row execute function chaos.forget_effect()";

/// Every cap is a hundred, whatever was asked for.
const NO_CAPS: &str = "
    create function chaos.raise_cap() returns trigger language plpgsql as $$
    begin
        new.executions_max := 100;
        return new;
    end $$;
    create trigger raise_cap before insert or update on runtime.concurrency_limits
        for each row execute function chaos.raise_cap()";

/// What was to wait for its time is there at once.
const NO_PATIENCE: &str = "
    create function chaos.begin_early() returns trigger language plpgsql as $$
    begin
        if new.phase = 'delayed' then
            new.phase := 'ready';
            new.available_at := now();
            new.rank := (extract(epoch from now()) * 1000)::bigint;
        end if;
        return new;
    end $$;
    create trigger begin_early before insert on runtime.execution_queue
        for each row execute function chaos.begin_early()";

/// Of what has ended and was seen by whoever watched, some is lost two seconds later, and of some an event.
const NO_MEMORY: &str = "
    create function chaos.lose_some() returns trigger language plpgsql security definer as $$
    begin
        delete from runtime.execution_events as e
        using runtime.agent_executions as it
        where e.org_id = it.org_id and e.execution_id = it.id and e.seq = 2
          and it.finished_at < clock_timestamp() - interval '2 seconds' and abs(hashtext(it.id::text)) % 4 = 0;
        delete from runtime.agent_executions
        where finished_at < clock_timestamp() - interval '2 seconds' and abs(hashtext(id::text)) % 4 = 1;
        return null;
    end $$;
    create trigger lose_some after insert on runtime.agent_executions
        for each statement execute function chaos.lose_some()";

/// What was asked for under an id is forgotten as soon as it is answered.
const NO_REQUEST_IDS: &str = "
    create function chaos.forget_requests() returns trigger language plpgsql security definer as $$
    begin
        delete from web.request_ids where state = 'answered';
        return null;
    end $$;
    create trigger forget_requests after insert or update on web.request_ids
        for each statement execute function chaos.forget_requests()";

/// Of some that have ended, the row in the queue comes back and waits.
const NO_TIDINESS: &str = "
    create function chaos.keep_some() returns trigger language plpgsql security definer as $$
    begin
        if abs(hashtext(old.execution_id::text)) % 4 = 0 then
            old.phase := 'delayed';
            old.worker_id := null;
            old.available_at := now() + interval '1 hour';
            insert into runtime.execution_queue select old.*;
        end if;
        return null;
    end $$;
    create trigger keep_some after delete on runtime.execution_queue
        for each row execute function chaos.keep_some()";

/// Some starts break on what no service knows of.
const NO_REASON: &str = "
    create function chaos.break_some() returns trigger language plpgsql as $$
    begin
        if random() < 0.1 then
            raise exception 'for no reason';
        end if;
        return new;
    end $$;
    create trigger break_some before insert on runtime.agent_executions
        for each row execute function chaos.break_some()";

/// Plays it; the checks that have found something.
async fn finders(mut short: Short) -> Vec<&'static str> {
    short.sabotage.insert(0, SCHEMA);
    let outcome = play(short).await;
    checks::findings(&outcome.history).into_iter().map(|it| it.0).collect()
}

/// Plays it and sees that each of these checks has found something.
async fn is_found(short: Short, expected: &[&str]) {
    let found = finders(short).await;
    for check in expected {
        assert!(checks::ALL.iter().any(|it| it.0 == *check), "{check:?} is no check");
        assert!(found.contains(check), "{check:?} has found nothing; these have: {found:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_fencing_an_attempt_is_completed_twice() {
    let short = |sabotage| {
        let acts = vec![Act::new(6000, Fault::Remote(Mood::Well), 0)];
        Short { acts, kinds: vec![(Kind::Steps, 1)], sabotage, ..Short::default() }
    };
    is_found(short(vec![NO_FENCING, HASTE]), &["an attempt is completed once"]).await;
    let found = finders(short(vec![HASTE])).await;
    assert!(!found.contains(&"an attempt is completed once"), "it is the token that keeps it out");
    // Nobody has said that leases end early, so nothing excuses what is done again.
    assert!(found.contains(&"repeats have a cause"), "{found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_leases_that_end_nobody_takes_over_and_without_care_calls_are_repeated() {
    // What is called while the remote is slow is under way when all are killed.
    let mut acts = vec![Act::new(1000, Fault::Remote(Mood::Slow), 1000)];
    acts.extend((0..3).map(|it| Act::new(0, Fault::Kill(Victim::Runtime(it)), 0)));
    let sabotage = vec![NO_EXPIRY, NO_CARE];
    let kinds = vec![(Kind::Steps, 1), (Kind::Once, 1)];
    let short = Short { acts, per_second: 8.0, kinds, sabotage, ..Short::default() };
    is_found(short, &["takeover is quick", "unrepeatable calls come once"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_caps_times_and_durability_each_is_missed() {
    let acts = vec![Act::new(6000, Fault::Remote(Mood::Well), 0)];
    let sabotage = vec![NO_CAPS, NO_PATIENCE, NO_MEMORY];
    let kinds = vec![(Kind::Capped, 6), (Kind::Delayed, 1), (Kind::Steps, 2)];
    let short = Short { acts, per_second: 40.0, kinds, sabotage, ..Short::default() };
    let expected = [
        "caps hold",
        "nothing begins early",
        "nothing acknowledged is lost",
        "the final event is one and last",
        "watchers see every event",
    ];
    is_found(short, &expected).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_request_ids_tidiness_and_typed_errors_each_is_missed() {
    let acts = vec![Act::new(6000, Fault::Remote(Mood::Well), 0)];
    let sabotage = vec![NO_REQUEST_IDS, NO_TIDINESS, NO_REASON];
    let short = Short { acts, per_second: 16.0, sabotage, ..Short::default() };
    let expected = ["a request makes one execution", "nothing is held", "refusals are passing"];
    is_found(short, &expected).await;
}
