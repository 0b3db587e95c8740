// SPDX-License-Identifier: Apache-2.0
// Sends the same generated commands to the real official node host and to hostclaw's decision with
// `--strictness official`, and fails when hostclaw allows what the official host refuses.
//   node tests/differential/run.mjs --hostclaw PATH [--count N] [--seed N] [--list]
// The official host really runs what it allows; the generator therefore knows harmless programs only.
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ensurePackages, gatewayPackage, runtimeBinary } from '../e2e/lib/packages.mjs';

const { values: options } = parseArgs({
  options: {
    hostclaw: { type: 'string' }, count: { type: 'string', default: '10000' }, seed: { type: 'string' }, list: { type: 'boolean' },
  },
});
if (!options.hostclaw || !existsSync(options.hostclaw)) {
  console.error('usage: node tests/differential/run.mjs --hostclaw PATH [--count N] [--seed N] [--list]');
  process.exit(2);
}
ensurePackages({ versions: ['2026.9.6'], log: (line) => console.error(line) });
if (Number(process.versions.node.split('.')[0]) < 24) {
  const again = spawnSync(runtimeBinary('24'), [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
  process.exit(again.status ?? 1);
}

const { Child } = await import('../e2e/lib/process.mjs');
const { MinimalGateway } = await import('../../bench/node-host/minimal_gateway.mjs');
const { documents, fixedRows, generator, randomSource, stubNames } = await import('./generator.mjs');

const count = Number(options.count);
const seed = options.seed === undefined ? Date.now() % 2 ** 31 : Number(options.seed);
const root = realpathSync(mkdtempSync(join(tmpdir(), 'hostclaw-differential-')));
const bin = join(root, 'bin');
const work = join(root, 'work');
for (const directory of [bin, work, join(root, 'home'), join(root, 'state')]) mkdirSync(directory, { mode: 0o700 });
for (const name of stubNames) {
  copyFileSync('/bin/true', join(bin, name));
  chmodSync(join(bin, name), 0o755);
}
symlinkSync(join(bin, 'hcdalpha'), join(bin, 'hcdlink'));
copyFileSync('/bin/true', join(work, 'hcdx'));

// The official host looks into the system's directories before PATH. With these first, both look in one order.
const environment = { PATH: `/usr/local/bin:/usr/bin:/bin:${bin}`, HOME: join(root, 'home'), LANG: 'C.UTF-8' };

function askHostclaw(rows) {
  const answer = spawnSync(resolve(options.hostclaw), ['policy', 'check', '--batch', '--strictness', 'official'], {
    env: { ...environment, HOSTCLAW_STATE_DIR: join(root, 'state') }, cwd: work, encoding: 'utf8', maxBuffer: 1 << 30,
    input: rows.map(({ id, params, document }) => `${JSON.stringify({ id, params, document })}\n`).join(''),
  });
  if (answer.status !== 0) throw new Error(`policy check --batch ended with ${answer.status}: ${answer.stderr}`);
  return answer.stdout.trimEnd().split('\n').map((line) => JSON.parse(line));
}

const gateway = await MinimalGateway.start();
const official = gatewayPackage('2026.9.6');
const connected = gateway.nextNode();
const child = new Child(official.runtime, [official.entry, 'node', 'run', '--host', '127.0.0.1', '--port', String(gateway.port), '--display-name', 'official'], {
  env: { ...environment, OPENCLAW_STATE_DIR: join(root, 'home'), OPENCLAW_GATEWAY_TOKEN: 'differential', OPENCLAW_NO_AUTO_UPDATE: '1' },
  cwd: work, name: 'official',
});
const ended = child.done.then((status) => { throw new Error(`the official host ended: ${JSON.stringify(status)}\n${child.tail()}`); });
ended.catch(() => {});

let node;
async function askOfficial({ params }) {
  const once = { ...params, runId: crypto.randomUUID(), timeoutMs: 5_000 };
  try {
    await Promise.race([node.invoke('system.run', once, 20_000), ended]);
    return { verdict: 'allow' };
  } catch (error) {
    return { verdict: 'refuse', why: error.message.split('\n')[0] };
  }
}

async function inTurns(rows, width, ask) {
  let next = 0;
  await Promise.all(Array.from({ length: width }, async () => {
    while (next < rows.length) await ask(rows[next++]);
  }));
}

const totals = { 'both allow': 0, 'both refuse': 0, 'stricter here': 0, 'looser here': 0 };
const looser = [];
const stricter = new Map();
const refusals = new Map();
try {
  node = await Promise.race([connected, ended]);
  const random = randomSource(seed);
  const next = generator({ random, bin, work });
  const fixed = fixedRows({ work }).map((row, i) => ({ id: `fixed-${i}`, ...row }));
  const lists = [...documents(bin), fixed[0].document];
  const byDocument = [...lists.slice(0, -1).map(() => []), fixed];
  for (let id = 0; id < count; id += 1) {
    const place = random.below(lists.length - 1);
    byDocument[place].push({ id, params: next(lists[place]), document: lists[place] });
  }
  for (const [place, rows] of byDocument.entries()) {
    if (rows.length === 0) continue;
    await node.setApprovals(lists[place]);
    const ours = askHostclaw(rows);
    await inTurns(rows, 8, async (row) => { row.official = await askOfficial(row); });
    for (const [i, row] of rows.entries()) {
      row.ours = ours[i];
      const allowed = row.ours.verdict === 'allow';
      // The official host misses an entry now and then when several commands record their use at once.
      for (let again = 0; allowed && row.official.verdict !== 'allow' && again < 3; again += 1) row.official = await askOfficial(row);
      if (row.official.why) refusals.set(row.official.why, (refusals.get(row.official.why) ?? 0) + 1);
      if (allowed === (row.official.verdict === 'allow')) {
        totals[allowed ? 'both allow' : 'both refuse'] += 1;
      } else if (allowed) {
        totals['looser here'] += 1;
        looser.push(row);
      } else {
        totals['stricter here'] += 1;
        if (!stricter.has(row.ours.code)) stricter.set(row.ours.code, []);
        stricter.get(row.ours.code).push(row);
      }
    }
  }
} finally {
  await child.stop().catch(() => {});
  await gateway.stop();
  rmSync(root, { recursive: true, force: true });
}

const shown = ({ params, official: theirs, ours, document }) => JSON.stringify({ params, official: theirs.why ?? theirs.verdict, hostclaw: `${ours.code} ${ours.reason}`, argv: ours.argv, document });
console.log(`seed ${seed}: ${count} commands`);
for (const [name, number] of Object.entries(totals)) console.log(`${name.padEnd(16)} ${number}`);
for (const [code, rows] of [...stricter].sort((a, b) => b[1].length - a[1].length)) {
  console.log(`  stricter by ${code}: ${rows.length}`);
  if (options.list) for (const row of rows.slice(0, 20)) console.log(`    ${shown(row)}`);
}
if (options.list) for (const [why, number] of [...refusals].sort((a, b) => b[1] - a[1]).slice(0, 25)) console.log(`  official: ${number} × ${why}`);
for (const row of looser) console.log(`LOOSER ${shown(row)}`);
process.exit(looser.length === 0 ? 0 : 1);
