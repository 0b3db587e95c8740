// SPDX-License-Identifier: Apache-2.0
// Runs the end-to-end suites against real gateways:
//   node tests/e2e/run.mjs --hostclaw PATH (of Windows, under Wine, when it ends in .exe) | --official [--gateway RELEASE]... [--only TEXT]
//   ... --suite clawlink: one suite; the relay's needs no gateway and is played once
//   ... --suite releases [--gateway all] [--table FILE]: one suite, on any of the releases of lib/packages.mjs; its
//   outcomes as a table between the two marks of a Markdown file
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ensurePackages, gatewayReleases, newest, oldest, runtimeBinary } from './lib/packages.mjs';

const { values } = parseArgs({
  options: {
    hostclaw: { type: 'string' },
    official: { type: 'boolean' },
    gateway: { type: 'string', multiple: true },
    only: { type: 'string' },
    suite: { type: 'string' },
    table: { type: 'string' },
  },
});
if (!values.hostclaw === !values.official) {
  console.error('usage: node tests/e2e/run.mjs --hostclaw PATH | --official [--gateway RELEASE]... [--only TEXT]');
  process.exit(2);
}
if (values.hostclaw && !existsSync(values.hostclaw)) {
  console.error(`there is no executable at ${values.hostclaw}`);
  process.exit(2);
}
// The suites of the relay of agents start a gateway themselves if they want one, and there is no official relay.
const withoutGateway = ['clawlink', 'clawlink-openclaw'];
const versions = withoutGateway.includes(values.suite) ? [] : values.gateway?.includes('all') ? Object.keys(gatewayReleases) : values.gateway ?? [newest, oldest];
ensurePackages({ versions: [...new Set([...versions, newest])], log: (line) => console.error(line) });

// The suites need a recent runtime; the one that a distribution ships may be older.
if (Number(process.versions.node.split('.')[0]) < 24) {
  const again = spawnSync(runtimeBinary('24'), [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
  process.exit(again.status ?? 1);
}

const { after, before, describe } = await import('node:test');
const { Context } = await import('./lib/context.mjs');
const { isWindowsProgram, keepSession } = await import('./lib/wine.mjs');
const { writeTable } = await import('./lib/table.mjs');
const onWindows = Boolean(values.hostclaw) && isWindowsProgram(values.hostclaw);
const played = values.suite ? [values.suite]
  : onWindows ? ['windows', 'hostops']
  : ['pairing', 'tokens', 'setup-codes', 'tls', 'invoke', 'turns', 'asking', 'hostops', 'guide', 'resilience', 'import', ...withoutGateway];
const suites = played.filter((name) => !withoutGateway.includes(name));
if (onWindows) {
  // Wine does not hand the access list of a folder down to what is made in it; the umask stands in for that.
  process.umask(0o077);
  after(keepSession(resolve(values.hostclaw)));
}

const contexts = [];
if (values.table) after(() => writeTable(values.table, onWindows ? 'windows' : 'linux', contexts));
const load = async (name) => (await import(new URL(`./suites/${name}.mjs`, import.meta.url).href)).default;
const alone = values.official ? [] : played.filter((name) => withoutGateway.includes(name));
if (alone.length) {
  const context = new Context({ host: resolve(values.hostclaw), only: values.only, timeoutMs: 60_000 });
  const loaded = await Promise.all(alone.map(async (name) => [name, await load(name)]));
  describe('relay', () => {
    after(() => context.stop(), { timeout: 60_000 });
    for (const [name, define] of loaded) context.suite(name, (scenario) => define(context, scenario));
  });
}
for (const version of versions) {
  const context = new Context({ version, host: values.hostclaw ? resolve(values.hostclaw) : 'official', only: values.only });
  contexts.push(context);
  const loaded = await Promise.all(suites.map(async (name) => [name, await load(name)]));
  describe(`gateway ${version}`, () => {
    before(() => context.start(), { timeout: 600_000 });
    after(() => context.stop(), { timeout: 60_000 });
    for (const [name, define] of loaded) context.suite(name, (scenario) => define(context, scenario));
  });
}
