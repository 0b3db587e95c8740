// SPDX-License-Identifier: Apache-2.0
// Times a node host through the same minimal gateway, and prints one JSON object:
//   node bench/node-host/run.mjs --hostclaw PATH [--official] [--spawn-loop PATH] [--repeat N]
// With --official the official host is timed in the same minutes, in turns with hostclaw, and the ratios
// are printed. --spawn-loop defaults to the program of that name beside hostclaw.
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync, lstatSync } from 'node:fs';
import { cpus, loadavg, release, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ensurePackages, gatewayPackage, packagesDirectory, runtimeBinary } from '../../tests/e2e/lib/packages.mjs';

const { values: options } = parseArgs({
  options: { hostclaw: { type: 'string' }, official: { type: 'boolean' }, 'spawn-loop': { type: 'string' }, repeat: { type: 'string', default: '300' } },
});
if (!options.hostclaw || !existsSync(options.hostclaw)) {
  console.error('usage: node bench/node-host/run.mjs --hostclaw PATH [--official] [--spawn-loop PATH] [--repeat N]');
  process.exit(2);
}
ensurePackages({ versions: ['2026.9.6'], log: (line) => console.error(line) });
if (Number(process.versions.node.split('.')[0]) < 24) {
  const again = spawnSync(runtimeBinary('24'), [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
  process.exit(again.status ?? 1);
}

const { Child } = await import('../../tests/e2e/lib/process.mjs');
const { MinimalGateway } = await import('./minimal_gateway.mjs');
const { footprint, round } = await import('./processes.mjs');

const hostclaw = resolve(options.hostclaw);
const spawnLoop = options['spawn-loop'] ?? join(dirname(hostclaw), 'spawn_loop');
const repeat = Number(options.repeat);
const warmUp = 200;
const work = mkdtempSync(join(tmpdir(), 'hostclaw-bench-'));
const mebibyte = join(work, 'mebibyte');
writeFileSync(mebibyte, '0123456789abcde\n'.repeat(65536));

const percentile = (samples, part) => [...samples].sort((a, b) => a - b)[Math.min(samples.length - 1, Math.floor(samples.length * part))];

class Host {
  constructor(name) {
    this.name = name;
    this.official = name === 'official';
    this.directory = mkdtempSync(join(work, `${name}-`));
    this.samples = { start: [], which: [], true: [], listed: [], mebibyte: [], rate: [], listedRate: [] };
  }

  async launch(gateway) {
    const official = gatewayPackage('2026.9.6');
    const [command, args] = this.official ? [official.runtime, [official.entry]] : [hostclaw, []];
    const connected = gateway.nextNode();
    const started = performance.now();
    this.child = new Child(command, [...args, 'node', 'run', '--host', '127.0.0.1', '--port', String(gateway.port), '--display-name', this.name], {
      env: {
        PATH: '/usr/local/bin:/usr/bin:/bin', HOME: this.directory, LANG: 'C.UTF-8', OPENCLAW_GATEWAY_TOKEN: 'bench', OPENCLAW_NO_AUTO_UPDATE: '1',
        [this.official ? 'OPENCLAW_STATE_DIR' : 'HOSTCLAW_STATE_DIR']: this.directory,
      },
      cwd: this.directory, name: this.name,
    });
    const ended = this.child.done.then((status) => { throw new Error(`${this.name} ended: ${JSON.stringify(status)}\n${this.child.tail()}`); });
    ended.catch(() => {});
    this.node = await Promise.race([connected, ended]);
    this.samples.start.push(performance.now() - started);
  }

  stop() {
    return this.child.stop();
  }

  async time(key, count, call) {
    for (let i = 0; i < count; i += 1) {
      const started = performance.now();
      await call();
      this.samples[key].push(performance.now() - started);
    }
  }

  async atOnce(key, total) {
    const started = performance.now();
    let left = total;
    await Promise.all(Array.from({ length: 16 }, async () => {
      while (left-- > 0) await this.runTrue();
    }));
    this.samples[key].push(total / ((performance.now() - started) / 1000));
  }

  async runTrue() {
    const { exitCode } = await this.node.run(['/bin/true']);
    if (exitCode !== 0) throw new Error(`${this.name}: /bin/true gave ${exitCode}`);
  }

  async runMebibyte() {
    const { stdout } = await this.node.run(['/bin/cat', mebibyte]);
    this.mebibyteKept = stdout.length;
  }

  async round(share) {
    const count = Math.ceil(repeat * share);
    await this.node.setApprovals({ defaults: { security: 'full', ask: 'off' } });
    // The gateway's own code is compiled while it runs: the first two hundred calls take a tenth longer, whoever
    // answers them.
    for (let i = 0; i < warmUp; i += 1) await this.runTrue();
    await this.time('which', count, () => this.node.invoke('system.which', { bins: ['true'] }));
    await this.time('true', count, () => this.runTrue());
    await this.atOnce('rate', count * (this.official ? 2 : 5));
    for (let i = 0; i < 20; i += 1) await this.runMebibyte();
    await this.time('mebibyte', Math.ceil(60 * share), () => this.runMebibyte());
    await this.node.setApprovals({ defaults: { security: 'allowlist', ask: 'on-miss' }, agents: { '*': { allowlist: [{ pattern: '/usr/bin/true' }, { pattern: '/bin/true' }] } } });
    await this.time('listed', count, () => this.runTrue());
    await this.atOnce('listedRate', count * (this.official ? 2 : 5));
  }

  result() {
    const { samples } = this;
    const spread = (key) => ({ p50_ms: round(percentile(samples[key], 0.5), 3), p99_ms: round(percentile(samples[key], 0.99), 3), samples: samples[key].length });
    return {
      start_to_connected_ms: round(percentile(samples.start, 0.5), 1),
      idle: this.idle,
      which: spread('which'),
      true_full: { ...spread('true'), per_second_16_at_once: round(Math.max(...samples.rate), 0) },
      true_allowlist: { ...spread('listed'), per_second_16_at_once: round(Math.max(...samples.listedRate), 0) },
      mebibyte_of_output: { ...spread('mebibyte'), kept_characters: this.mebibyteKept },
      disk_mib: this.disk,
    };
  }
}

function sizeOf(path) {
  const status = lstatSync(path);
  if (!status.isDirectory()) return status.size;
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0);
}

function strippedSize() {
  const copy = join(work, 'stripped');
  copyFileSync(hostclaw, copy);
  try {
    execFileSync('strip', [copy]);
  } catch {
    return statSync(hostclaw).size;
  }
  return statSync(copy).size;
}

const hosts = [new Host('hostclaw'), ...(options.official ? [new Host('official')] : [])];
const gateway = await MinimalGateway.start();
const output = {
  machine: { cpus: cpus().length, model: cpus()[0]?.model, kernel: release(), load_before: loadavg().map((value) => round(value)) },
};
try {
  if (!existsSync(spawnLoop)) console.error(`no spawn_loop at ${spawnLoop}: the figure against a bare spawn is left out (--spawn-loop PATH)`);
  if (existsSync(spawnLoop)) output.spawn_loop = JSON.parse(execFileSync(spawnLoop, ['--count', String(repeat)], { encoding: 'utf8' }));

  // Start to connected, several times; the first start of each creates its state and is not counted.
  for (const host of hosts) {
    for (let i = 0; i < (host.official ? 4 : 11); i += 1) {
      await host.launch(gateway);
      await host.stop();
    }
    host.samples.start.shift();
  }
  for (const host of hosts) await host.launch(gateway);
  await pause(5_000);
  for (const host of hosts) host.idle = footprint(host.child.pid);

  // In turns, so that a busy moment of the machine does not fall on one of them alone.
  const rounds = 3;
  for (let i = 0; i < rounds; i += 1) for (const host of hosts) await host.round(1 / rounds);
  for (const host of hosts) host.after = footprint(host.child.pid);
} finally {
  for (const host of hosts) await host.stop?.().catch(() => {});
  await gateway.stop();
}

hosts[0].disk = { stripped: round(strippedSize() / 2 ** 20), as_given: round(statSync(hostclaw).size / 2 ** 20) };
if (hosts[1]) {
  const packages = sizeOf(join(packagesDirectory, '2026.9.6', 'node_modules')) / 2 ** 20;
  const runtime = sizeOf(runtimeBinary('24')) / 2 ** 20;
  hosts[1].disk = { packages: round(packages, 0), runtime: round(runtime, 0) };
}
for (const host of hosts) output[host.name] = { ...host.result(), after_load: host.after };

const { hostclaw: ours, official } = output;
const spawn = output.spawn_loop && output.spawn_loop.sequential.p50_us / 1000;
output.ratios = {
  ...(spawn !== undefined && { true_p50_over_spawn_plus_which: round(ours.true_full.p50_ms / (spawn + ours.which.p50_ms)) }),
  ...(official && {
    true_p50_times_faster: round(official.true_full.p50_ms / ours.true_full.p50_ms, 1),
    rate_16_at_once_times: round(ours.true_full.per_second_16_at_once / official.true_full.per_second_16_at_once, 1),
    mebibyte_times_faster: round(official.mebibyte_of_output.p50_ms / ours.mebibyte_of_output.p50_ms, 1),
    start_times_faster: round(official.start_to_connected_ms / ours.start_to_connected_ms, 1),
    idle_memory_times_smaller: round(official.idle.rss_mib / ours.idle.rss_mib, 1),
  }),
};
const { ratios } = output;
const meets = (value, holds) => (value === undefined ? undefined : holds(value));
output.targets = {
  'true p50 <= 1.5 x (bare spawn + which)': meets(ratios.true_p50_over_spawn_plus_which, (value) => value <= 1.5),
  'true p50 >= 10 x faster than the official host': meets(ratios.true_p50_times_faster, (value) => value >= 10),
  '16 at once >= 12 x the official rate': meets(ratios.rate_16_at_once_times, (value) => value >= 12),
  '1 MiB of output >= 5 x faster': meets(ratios.mebibyte_times_faster, (value) => value >= 5),
  'start to connected >= 50 x faster': meets(ratios.start_times_faster, (value) => value >= 50),
  'idle RSS <= 15 MiB': ours.idle.rss_mib <= 15,
  'threads <= 4': ours.idle.threads <= 4,
  'stripped executable <= 10 MiB': ours.disk_mib.stripped <= 10,
};
output.machine.load_after = loadavg().map((value) => round(value));
console.log(JSON.stringify(output, null, 2));
rmSync(work, { recursive: true, force: true });
