// graphile-worker: a job is deleted when it is done.

import { Logger, makeWorkerUtils, run, runMigrations } from 'graphile-worker';
import * as common from './common.mjs';

const logger = new Logger(() => () => {});
const connectionString = common.databaseUrl;
const base = { connectionString, logger, noHandleSignals: true, crontab: '' };
const print = common.printer('graphile-worker', 'nothing');

const settings = [
  {
    name: 'default',
    how: 'concurrentJobs 10, all else unset',
    jobs: 5_000,
    worker: { concurrentJobs: 10 },
    enqueue: { how: 'pool of 10 (unset), batches one after another', pool: 10, batches: 1 },
  },
  {
    name: 'best',
    how: 'concurrentJobs 100, localQueue 2000, completeJobBatchDelay 0',
    jobs: 60_000,
    worker: { concurrentJobs: 100, localQueue: { size: 2000 }, completeJobBatchDelay: 0 },
    enqueue: { how: 'pool of 10, 4 batches under way', pool: 10, batches: 4 },
  },
];

const left = 'select count(*) from graphile_worker.jobs';
const specs = (count) => Array.from({ length: count }, (_, n) => ({ identifier: 'noop', payload: { n } }));

async function withUtils(pool, work) {
  const utils = await makeWorkerUtils({ connectionString, logger, maxPoolSize: pool });
  try {
    return await work(utils);
  } finally {
    await utils.release();
  }
}

async function noop({ name, how, jobs, worker }) {
  for (const { total, counts } of common.drains(jobs)) {
    await withUtils(4, (utils) => common.fill(total, (count) => utils.addJobs(specs(count))));
    const drain = new common.Drain(total);
    const runner = await run({ ...base, preset: { worker }, taskList: { noop: () => drain.start() } });
    const value = await drain.rate(async () => Number(await common.scalar(left)) === 0);
    await runner.stop();
    await common.verify(left, 0);
    if (counts) print(name, how, 'noop_per_second', value, 'jobs/s');
  }
}

async function enqueue({ name, enqueue: { how, pool, batches } }) {
  await withUtils(pool, async (utils) => {
    const one = await common.closed(common.inFlight, 1, () => utils.addJob('noop', {}));
    print(name, how, 'enqueue_single_per_second', one, 'jobs/s');
    const many = await common.closed(batches, common.batch, () => utils.addJobs(specs(common.batch)));
    print(name, how, 'enqueue_bulk_per_second', many, 'jobs/s');
  });
  await common.execute('truncate graphile_worker._private_jobs');
}

async function latency() {
  const how = 'LISTEN/NOTIFY (built in), concurrentJobs 10, no local queue, worker and caller in one process';
  const starts = new Map();
  const taskList = { noop: ({ n }) => starts.get(n)(n) };
  const runner = await run({ ...base, preset: { worker: { concurrentJobs: 10 } }, taskList });
  const { p50, p99 } = await common.latency((n, start) => {
    starts.set(n, start);
    return runner.addJob('noop', { n });
  });
  await runner.stop();
  print('best', how, 'latency_at_50_per_second_p50', p50, 'ms');
  print('best', how, 'latency_at_50_per_second_p99', p99, 'ms');
}

await runMigrations({ connectionString, logger });
for (const setting of settings) {
  await noop(setting);
  await enqueue(setting);
}
await latency();
await common.closePool();
