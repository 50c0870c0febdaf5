// What all peers share: the sizes of a run, the loops that give load, and the line that each figure is printed as.
//
// Throughput is counted from the first start of a job to the moment when the end of the last one is durable, so that neither
// the start of a worker nor its first poll counts against a peer.

import pg from 'pg';

export const databaseUrl = process.env.DATABASE_URL ?? '';
if (!databaseUrl) throw new Error('DATABASE_URL is not set');

const number = (name, otherwise) => Number(process.env[name] ?? otherwise);

/// How long the loops of single calls and of batches run, and the phase at a steady rate.
const seconds = { load: number('PEERS_SECONDS', 3), latency: number('PEERS_LATENCY_SECONDS', 10) };

export const inFlight = 64;
export const batch = 1000;
const perSecond = 50;

/// The sizes of the drains of a setting: the first warms the process up and is not counted.
export const drains = (count) => [
  { total: batch, counts: false },
  { total: count, counts: true },
];

/// A printer of figures for one peer: `how` says what the setting is, `keeps` what is in the database when a job is done.
export function printer(peer, keeps) {
  return (setting, how, name, value, unit) =>
    console.log(JSON.stringify({ peer, setting, case: name, value: Number(value.toPrecision(5)), unit, keeps, how }));
}

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/// Runs `work` on so many loops until each has come to its end.
export const loops = (count, work) => Promise.all(Array.from({ length: count }, (_, at) => work(at)));

/// A closed loop for some seconds: calls a second times `each`, the number of jobs that one call makes.
export async function closed(count, each, call) {
  let done = 0;
  const begin = performance.now();
  const end = begin + seconds.load * 1000;
  await loops(count, async () => {
    while (performance.now() < end) {
      await call();
      done += each;
    }
  });
  return (done * 1000) / (performance.now() - begin);
}

/// Fills a queue with `total` jobs in batches.
export async function fill(total, insert) {
  for (let left = total; left > 0; left -= batch) await insert(Math.min(batch, left));
}

/// Counts jobs as they start; `rate` waits until `finished` says that all of them have ended durably.
export class Drain {
  #begin = 0;
  #started = 0;
  #all;

  constructor(total) {
    this.total = total;
    this.started = new Promise((all) => (this.#all = all));
  }

  start() {
    this.#begin ||= performance.now();
    this.#started += 1;
    if (this.#started === this.total) this.#all();
  }

  async rate(finished) {
    await within(300, this.started, 'not every job has started');
    while (!(await finished())) await sleep(2);
    return (this.total * 1000) / (performance.now() - this.#begin);
  }
}

/// Sends at a steady rate and takes the time from the call that enqueues to the start of its job. On a server that has nothing to catch up
/// with: what autovacuum and the next checkpoint would do meanwhile is done before.
export async function latency(send) {
  await pool.query('vacuum (analyze)');
  await pool.query('checkpoint');
  const total = seconds.latency * perSecond;
  const warm = perSecond;
  const took = [];
  const sent = new Map();
  let all, fail;
  const started = new Promise((...ends) => ([all, fail] = ends));
  const start = (n) => {
    const at = sent.get(n);
    if (at === undefined) return fail(new Error(`job ${n} has started twice, or was never sent`));
    sent.delete(n);
    // The first second warms up.
    if (n >= warm) took.push(performance.now() - at);
    if (took.length === total) all();
  };
  const begin = performance.now();
  const calls = [];
  for (let n = 0; n < warm + total; n += 1) {
    await sleep(Math.max(0, begin + (n * 1000) / perSecond - performance.now()));
    sent.set(n, performance.now());
    calls.push(send(n, start));
  }
  await Promise.all(calls);
  await within(60, started, 'not every job of the steady rate has started');
  took.sort((a, b) => a - b);
  const percentile = (share) => took[Math.floor(((took.length - 1) * share) / 100)];
  return { p50: percentile(50), p99: percentile(99) };
}

async function within(limit, promise, message) {
  let timer;
  const late = new Promise((_, fail) => (timer = setTimeout(() => fail(new Error(`${message} after ${limit} s`)), limit * 1000)));
  await Promise.race([promise, late]);
  clearTimeout(timer);
}

const pool = new pg.Pool({ connectionString: databaseUrl, max: 1 });

/// The single value of a query, on a connection of our own.
export async function scalar(sql) {
  const { rows } = await pool.query({ text: sql, rowMode: 'array' });
  return rows[0][0];
}

export const execute = (sql) => pool.query(sql);

/// Holds a peer to what is claimed to remain in the database.
export async function verify(sql, expected) {
  const found = Number(await scalar(sql));
  if (found !== expected) throw new Error(`${sql}: ${found}, and not ${expected}`);
}

export const closePool = () => pool.end();
