// SPDX-License-Identifier: Apache-2.0
// Where the npm packages of the real gateways live, and how to get them there.
// tests/e2e/.packages/<name>/ holds one npm project per runtime and per gateway release, so that
// releases with different Node requirements never see each other's dependencies.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const e2eDirectory = dirname(dirname(fileURLToPath(import.meta.url)));
export const packagesDirectory = join(e2eDirectory, '.packages');

// A newer linkedom of the same minor release needs a package that is no longer published.
const linkedom = { linkedom: '0.18.13' };
// leanPlugins: see selfContainedPlugins().
export const gatewayReleases = {
  '2026.9.6': { runtime: '24', protocol: 4 },
  '2026.9.1': { runtime: '24', protocol: 4 },
  '2026.8.2': { runtime: '24', protocol: 4 },
  '2026.7.35': { runtime: '24', protocol: 4 },
  '2026.7.1': { runtime: '24', protocol: 4 },
  '2026.6.35': { runtime: '24', protocol: 4 },
  '2026.6.11': { runtime: '24', protocol: 4 },
  '2026.5.28': { runtime: '22', protocol: 4 },
  '2026.5.7': { runtime: '22', protocol: 3, overrides: linkedom, leanPlugins: true },
  // Wants npm beside its Node before its first turn, and then minutes: `./run-tests --releases` alone plays it.
  '2026.4.29': { runtime: '22', protocol: 3, leanPlugins: true, takesNoTurn: true },
  '2026.4.20': { runtime: '22', protocol: 3, overrides: linkedom, leanPlugins: true },
};
// What every run of the suites plays; the others are the matrix's.
export const oldest = '2026.4.20';
export const newest = '2026.9.6';

// Clients that are played against the relay of agents: one npm project each.
const relayClients = {
  'a2a-sdk': { '@a2a-js/sdk': '1.3.0' },
  'a2a-sdk-0.3': { '@a2a-js/sdk': '0.3.14' },
};
export const relayClientDirectory = (name) => join(packagesDirectory, name);

// The release whose turn it is, of those between the newest and the oldest.
export function turnOf(date) {
  const others = Object.keys(gatewayReleases).filter((version) => version !== newest && version !== oldest && !gatewayReleases[version].takesNoTurn);
  return others[Math.floor(date.getTime() / 86_400_000) % others.length];
}

// Whether a release came before another one, or before a month: `2026.8`.
export function before(version, other) {
  const parts = (text) => text.split('.').map(Number);
  const [left, right] = [parts(version), parts(other)];
  const at = right.findIndex((part, index) => part !== left[index]);
  return at >= 0 && left[at] < right[at];
}

export const runtimeBinary = (major) =>
  join(packagesDirectory, `node-${major}`, 'node_modules', 'node', 'bin', 'node');

export function gatewayPackage(version) {
  const release = gatewayReleases[version];
  if (!release) throw new Error(`unknown gateway release ${version}`);
  const root = join(packagesDirectory, version, 'node_modules', 'openclaw');
  return {
    version, protocol: release.protocol, root, entry: join(root, 'openclaw.mjs'), runtime: runtimeBinary(release.runtime),
    plugins: release.leanPlugins ? leanPluginsDirectory(root) : undefined,
  };
}

// Beside the original folder, because the plugins import files of the program by relative path.
const leanPluginsDirectory = (root) => join(root, 'dist', 'extensions-self-contained');

// The older gateway installs packages for bundled plugins when it starts and in its first agent turn, one
// npm run after the other, and answers nothing for minutes meanwhile. None of them matters to a node, so
// the tests point it at a copy of the plugins that need nothing from outside.
function selfContainedPlugins(root) {
  const from = join(root, 'dist', 'extensions');
  const to = leanPluginsDirectory(root);
  if (existsSync(to)) return;
  for (const name of readdirSync(from)) {
    let manifest;
    try {
      manifest = JSON.parse(readFileSync(join(from, name, 'package.json'), 'utf8'));
    } catch {
      manifest = {};
    }
    if (!Object.keys(manifest.dependencies ?? {}).length) cpSync(join(from, name), join(`${to}.new`, name), { recursive: true });
  }
  renameSync(`${to}.new`, to);
}

function installedVersion(directory, name) {
  try {
    return JSON.parse(readFileSync(join(directory, 'node_modules', name, 'package.json'), 'utf8')).version;
  } catch {
    return undefined;
  }
}

function npmInstall(directory, manifest, path, log) {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  log(`installing ${Object.entries(manifest.dependencies).map(([name, version]) => `${name}@${version}`).join(', ')}`);
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--loglevel', 'error'], {
    cwd: directory,
    env: { ...process.env, PATH: path, OPENCLAW_NO_AUTO_UPDATE: '1' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

// Idempotent: returns at once when everything is there.
export function ensurePackages({ versions = Object.keys(gatewayReleases), log = () => {} } = {}) {
  const majors = new Set(['24', ...versions.map((version) => gatewayReleases[version].runtime)]);
  for (const major of majors) {
    const directory = join(packagesDirectory, `node-${major}`);
    if (existsSync(runtimeBinary(major))) continue;
    npmInstall(directory, { name: `hostclaw-e2e-node-${major}`, private: true, dependencies: { node: major } }, process.env.PATH, log);
    if (!existsSync(runtimeBinary(major))) {
      // npm may refuse to run the install script that fetches the runtime for this machine.
      const architecture = { x64: 'x64', arm64: 'arm64' }[process.arch];
      throw new Error(`npm installed node@${major} without its runtime for linux-${architecture ?? process.arch}; allow the install script of the package "node" and run again`);
    }
  }
  for (const version of versions) {
    const directory = join(packagesDirectory, version);
    const release = gatewayReleases[version];
    const root = join(directory, 'node_modules', 'openclaw');
    if (installedVersion(directory, 'openclaw') === version && existsSync(join(directory, 'node_modules', 'ws'))) {
      if (release.leanPlugins) selfContainedPlugins(root);
      continue;
    }
    const manifest = { name: `hostclaw-e2e-gateway`, private: true, dependencies: { openclaw: version } };
    if (release.overrides) manifest.overrides = release.overrides;
    npmInstall(directory, manifest, `${dirname(runtimeBinary(release.runtime))}:${process.env.PATH}`, log);
    if (release.leanPlugins) selfContainedPlugins(root);
  }
  for (const [name, dependencies] of Object.entries(relayClients)) {
    const directory = relayClientDirectory(name);
    if (Object.entries(dependencies).every(([dependency, version]) => installedVersion(directory, dependency) === version)) continue;
    npmInstall(directory, { name: `hostclaw-e2e-${name}`, private: true, dependencies }, `${dirname(runtimeBinary('24'))}:${process.env.PATH}`, log);
  }
}
