// DBOS: the workflow's row and one for each of its steps stay when it is done.

import { DBOS, DBOSClient } from '@dbos-inc/dbos-sdk';
import pg from 'pg';
import * as common from './common.mjs';

const print = common.printer('dbos', 'the workflow and its steps');
const name = 'freehold-bench';
const version = 'bench';
const systemDatabaseUrl = common.databaseUrl;
const quiet = { info() {}, debug() {}, warn() {}, error: (...it) => console.error(...it) };

const settings = [
  {
    name: 'default',
    how: 'a queue as registerQueue makes it (no limit, polled each second), pool of 10 (unset)',
    jobs: 4_000,
    config: {},
    queue: {},
    enqueue: 'pool of 10 (unset), transactions of 1000 one after another',
    batches: 1,
  },
  {
    name: 'best',
    how: 'a queue polled each 100 ms (limits on its concurrency made it slower), pool of 40',
    jobs: 4_000,
    config: { systemDatabasePoolSize: 40 },
    queue: { minPollingIntervalMs: 100 },
    enqueue: 'pool of 10, 4 transactions of 1000 under way',
    batches: 4,
  },
];

// What the step does when it runs; each measurement sets it.
let started = () => {};
const workflow = DBOS.registerWorkflow(
  async (n) => {
    await DBOS.runStep(async () => started(n), { name: 'noop' });
  },
  { name: 'noop' },
);

const done = "select count(*) from dbos.workflow_status where status = 'SUCCESS'";
const steps = "select count(*) from dbos.operation_outputs where function_name = 'noop'";

async function launch(config) {
  DBOS.setConfig({ name, systemDatabaseUrl, applicationVersion: version, logger: quiet, runAdminServer: false, ...config });
  await DBOS.launch();
}

const target = { queueName: 'bench', workflowName: 'noop', appVersion: version };

/// A batch is a transaction of the caller's: the public interface has no bulk enqueue.
async function enqueueBatch(client, pool, many) {
  const conn = await pool.connect();
  try {
    await conn.query('begin');
    for (let n = 0; n < many; n += 1) await client.enqueueInTransaction(conn, target, n);
    await conn.query('commit');
  } finally {
    conn.release();
  }
}

async function withClient(work) {
  const client = await DBOSClient.create({ systemDatabaseUrl, logger: quiet, applicationName: name });
  const pool = new pg.Pool({ connectionString: systemDatabaseUrl, max: 4 });
  try {
    return await work(client, pool);
  } finally {
    await pool.end();
    await client.destroy();
  }
}

async function noop({ name: setting, how, jobs, config, queue }) {
  for (const { total, counts } of common.drains(jobs)) {
    await withClient((client, pool) => common.fill(total, (many) => enqueueBatch(client, pool, many)));
    const drain = new common.Drain(total);
    started = () => drain.start();
    await launch(config);
    await DBOS.registerQueue('bench', { ...queue, onConflict: 'always_update' });
    const value = await drain.rate(async () => Number(await common.scalar(done)) === total);
    await common.verify(steps, total);
    await DBOS.shutdown();
    await clear();
    if (counts) print(setting, how, 'noop_per_second', value, 'jobs/s');
  }
}

async function enqueue({ name: setting, enqueue: how, batches }) {
  await withClient(async (client, pool) => {
    const one = await common.closed(common.inFlight, 1, () => client.enqueue(target, 0));
    print(setting, how, 'enqueue_single_per_second', one, 'jobs/s');
    const many = await common.closed(batches, common.batch, () => enqueueBatch(client, pool, common.batch));
    print(setting, how, 'enqueue_bulk_per_second', many, 'jobs/s');
  });
  await clear();
}

const clear = () => common.execute('truncate dbos.workflow_status, dbos.operation_outputs cascade');

async function latency(setting, how, params) {
  const starts = new Map();
  started = (n) => starts.get(n)(n);
  await launch({ listenQueues: ['latency'] });
  await DBOS.registerQueue('latency', { minPollingIntervalMs: 2 });
  // DBOS looks for new queues once a second.
  await common.sleep(2_000);
  const { p50, p99 } = await common.latency((n, start) => {
    starts.set(n, start);
    return DBOS.startWorkflow(workflow, params)(n);
  });
  await DBOS.shutdown();
  print(setting, how, 'latency_at_50_per_second_p50', p50, 'ms');
  print(setting, how, 'latency_at_50_per_second_p99', p99, 'ms');
}

await launch({});
await DBOS.shutdown();
for (const setting of settings) {
  await noop(setting);
  await enqueue(setting);
}
await latency('best', 'a queue polled every 2 ms, worker and caller in one process', { queueName: 'latency' });
await clear();
await latency('direct', 'startWorkflow without a queue: the caller does the work', {});
await common.closePool();
