// pg-boss: the job's row stays when it is done, until its queue's retention ends (by default after days).

import { PgBoss } from 'pg-boss';
import * as common from './common.mjs';

const print = common.printer('pg-boss', 'the job row');
const queue = 'bench';

// `work()` left at its defaults takes one job in two seconds. The default here is what a plain loop of its calls does.
const settings = [
  {
    name: 'default',
    how: 'fetch() and complete() of one job at a time on 10 loops, pool of 10 (unset)',
    jobs: 5_000,
    pool: 10,
    loops: 10,
    take: 1,
    enqueue: 'pool of 10 (unset), batches one after another',
    batches: 1,
  },
  {
    name: 'best',
    how: 'fetch() and complete() of 1000 jobs at a time on 4 loops, pool of 10',
    jobs: 60_000,
    pool: 10,
    loops: 4,
    take: 1_000,
    enqueue: 'pool of 10, 4 batches under way',
    batches: 4,
  },
];

async function withBoss(options, work) {
  const boss = new PgBoss({ connectionString: common.databaseUrl, ...options });
  boss.on('error', (error) => console.error(error));
  await boss.start();
  try {
    return await work(boss);
  } finally {
    await boss.stop({ graceful: false });
  }
}

const jobs = (count) => Array.from({ length: count }, (_, n) => ({ data: { n } }));
const ended = `select count(*) from pgboss.job where name = '${queue}' and state = 'completed'`;

async function noop(boss, { name, how, jobs: most, loops, take }) {
  for (const { total, counts } of common.drains(most)) {
    await boss.createQueue(queue);
    await common.fill(total, (count) => boss.insert(queue, jobs(count)));
    const drain = new common.Drain(total);
    const working = common.loops(loops, () => work(boss, take, drain));
    const value = await drain.rate(() => working.then(() => true));
    await common.verify(ended, total);
    await boss.deleteAllJobs(queue);
    await boss.deleteQueue(queue);
    if (counts) print(name, how, 'noop_per_second', value, 'jobs/s');
  }
}

/// Takes and completes jobs until there are none.
async function work(boss, take, drain) {
  for (;;) {
    const taken = await boss.fetch(queue, { batchSize: take });
    if (taken.length === 0) return;
    taken.forEach(() => drain.start());
    await boss.complete(queue, taken.map((it) => it.id));
  }
}

async function enqueue(boss, { name, enqueue: how, batches }) {
  await boss.createQueue(queue);
  const one = await common.closed(common.inFlight, 1, () => boss.send(queue, { n: 0 }));
  print(name, how, 'enqueue_single_per_second', one, 'jobs/s');
  const many = await common.closed(batches, common.batch, () => boss.insert(queue, jobs(common.batch)));
  print(name, how, 'enqueue_bulk_per_second', many, 'jobs/s');
  await boss.deleteAllJobs(queue);
  await boss.deleteQueue(queue);
}

async function latency(boss) {
  const how = 'work() with useListenNotify, batchSize 10, worker and caller in one process';
  const starts = new Map();
  await boss.createQueue(queue, { notify: true });
  await boss.work(queue, { batchSize: 10, burstWhenBatchFull: true }, async (taken) => {
    for (const { data } of taken) starts.get(data.n)(data.n);
  });
  const { p50, p99 } = await common.latency((n, start) => {
    starts.set(n, start);
    return boss.send(queue, { n });
  });
  print('best', how, 'latency_at_50_per_second_p50', p50, 'ms');
  print('best', how, 'latency_at_50_per_second_p99', p99, 'ms');
}

for (const setting of settings) {
  await withBoss({ max: setting.pool }, async (boss) => {
    await noop(boss, setting);
    await enqueue(boss, setting);
  });
}
await withBoss({ useListenNotify: true }, latency);
await common.closePool();
