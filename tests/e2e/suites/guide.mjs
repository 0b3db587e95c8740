// SPDX-License-Identifier: Apache-2.0
// docs/guide.md as a newcomer follows it: every command of its ```sh blocks is run as written, in order, against a
// real gateway behind TLS. A line must end with the exit status that its comment names ("# exit 1: ..."), else with 0.
//   GATEWAY   the gateway's name; its port stands in for the usual one
//   CODE      of a join URL
//   ID        of the newest run
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { temporaryDirectory } from '../lib/gateway.mjs';
import { NodeHost } from '../lib/node.mjs';
import { before, newest } from '../lib/packages.mjs';
import { Child, run } from '../lib/process.mjs';

// The commands below each heading.
export function sectionsOf(document) {
  const sections = new Map();
  let commands;
  let inside = false;
  for (const line of document.split('\n')) {
    if (line.startsWith('## ')) sections.set(line.slice(3), commands = []);
    else if (line.startsWith('```')) inside = line === '```sh';
    else if (inside && line.trim()) commands.push(line);
  }
  return sections;
}

export default function guide(context, scenario) {
  if (context.version !== newest) return;
  const sections = sectionsOf(readFileSync(fileURLToPath(new URL('../../../docs/guide.md', import.meta.url)), 'utf8'));
  const unplayed = new Set(sections.keys());
  let secured;

  // The gateway under a certificate of a CA that NODE_EXTRA_CA_CERTS names.
  const secure = async () => {
    if (secured) return secured;
    const directory = temporaryDirectory('guide');
    const certificate = join(directory, 'certificate.pem');
    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost',
      '-addext', 'subjectAltName=DNS:localhost', '-keyout', join(directory, 'key.pem'), '-out', certificate], { stdio: 'ignore' });
    const server = createServer({ key: readFileSync(join(directory, 'key.pem')), cert: readFileSync(certificate) }, (inner) => {
      const outer = connect(context.gateway.port, '127.0.0.1');
      inner.pipe(outer).pipe(inner);
      for (const socket of [inner, outer]) socket.on('error', () => { inner.destroy(); outer.destroy(); });
    });
    const sockets = new Set();
    server.on('connection', (socket) => { sockets.add(socket); socket.on('close', () => sockets.delete(socket)); });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    context.disposables.push(async () => { for (const socket of sockets) socket.destroy(); server.close(); });
    const bin = join(directory, 'bin');
    mkdirSync(bin);
    symlinkSync(context.host, join(bin, 'hostclaw'));
    return (secured = { port: String(server.address().port), certificate, bin });
  };

  const environment = async (node) => {
    const { certificate, bin } = await secure();
    return { ...node.environment, NODE_EXTRA_CA_CERTS: certificate, PATH: `${bin}:/usr/local/bin:/usr/bin:/bin` };
  };
  const filled = async (command, values = {}) => {
    const { port } = await secure();
    let text = command.replaceAll('https://GATEWAY', `https://localhost:${port}`).replaceAll('GATEWAY', 'localhost').replace('18789', port);
    for (const [word, value] of Object.entries(values)) text = text.replace(new RegExp(`\\b${word}\\b`), value);
    return text;
  };
  const take = (title) => {
    assert.ok(sections.has(title), `docs/guide.md has no section "${title}"`);
    unplayed.delete(title);
    return sections.get(title);
  };
  // A command that ends by itself.
  const type = async (node, command, { values, env = {} } = {}) => {
    const done = await run('/bin/sh', ['-c', await filled(command, values)], { env: { ...await environment(node), ...env }, cwd: node.directory });
    const expected = Number(/# exit (\d+)/.exec(command)?.[1] ?? 0);
    assert.equal(done.code, expected, `${command}\n${done.text}`);
    return done;
  };
  // A command that stays in the foreground: a node that comes to be connected.
  const stay = async (node, command, { values, env = {} } = {}) => {
    node.startedAt = Date.now();
    node.child = new Child('/bin/sh', ['-c', `exec ${await filled(command, values)}`], {
      env: { ...await environment(node), ...env }, cwd: node.directory, name: node.name,
    });
    await node.connected();
  };

  let node;  // what the second way of pairing leaves running
  scenario('the guide: a machine is paired by a join code, by the token, and from the official host', async () => {
    const [byCode, exportLine, byToken, imported, ...others] = take('Pair a machine');
    assert.deepEqual(others, []);
    const { port } = await secure();
    const { joinUrl } = await context.gateway.request('device.pair.setupCode', { bootstrapProfile: 'node', publicUrl: `wss://localhost:${port}`, joinUrl: true });
    const first = context.node({ name: 'build-box' });
    await stay(first, byCode, { values: { CODE: joinUrl.split('/').at(-1) } });
    assert.ok((await first.entry()).commands.includes('system.run'), 'nothing is left to approve');
    await first.stop();

    assert.equal(exportLine, 'export OPENCLAW_GATEWAY_TOKEN=...');
    node = context.node({ name: hostname() });
    await stay(node, byToken, { env: { OPENCLAW_GATEWAY_TOKEN: context.gateway.token } });
    await node.approveSurface();

    const official = new NodeHost({ host: `official:${newest}`, gateway: context.gateway });
    context.disposables.push(() => official.dispose());
    official.start();
    await official.connected({ timeoutMs: 60_000 });
    await official.approveSurface();
    await official.stop();
    const taken = context.node({ name: official.name });
    await type(taken, imported, { env: { HOME: official.directory } });
    taken.start({ auth: false });
    await taken.connected();
    assert.equal(taken.id, official.id, 'the same device');
  });

  scenario('the guide: what may run is said, tried out and looked up', async () => {
    mkdirSync(join(node.directory, 'app'));
    for (const command of take('Say what may run')) await type(node, command);
    await node.allow('/usr/bin/git');
    const turn = await context.agentTurn({ node, command: 'git --version' });
    assert.match(turn.outputs[0], /git version/, JSON.stringify(turn.raw));
    for (const command of take('Ask before you trust')) await type(node, command);
    const { runs } = JSON.parse((await node.verb(['runs', '--json'])).stdout);
    const newestRun = runs.find((item) => item.exitCode === 0).runId;
    for (const command of take('See what happened')) await type(node, command, { values: { ID: newestRun } });
  });

  scenario('the guide: every block of commands was run', async () => {
    const left = [...unplayed].filter((title) => sections.get(title).length);
    assert.deepEqual(left, []);
  });
}
