// SPDX-License-Identifier: Apache-2.0
// A machine that the official host has paired is taken over and stays paired.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { NodeHost } from '../lib/node.mjs';

// Everything below a directory with size and time of change: what a read-only import must not alter.
function inventory(directory) {
  return readdirSync(directory, { recursive: true }).sort()
    .filter((name) => !/-(wal|shm)$/.test(name))
    .map((name) => [name, statSync(join(directory, name))])
    .filter(([, status]) => status.isFile())
    .map(([name, status]) => `${name} ${status.size} ${status.mtimeMs}`);
}

export default function importing(context, scenario) {
  for (const release of ['2026.9.6', '2026.4.20']) {
    scenario(`the state of the official host ${release} is taken over; the machine stays paired`, async () => {
      const official = new NodeHost({ host: `official:${release}`, gateway: context.gateway });
      context.disposables.push(() => official.dispose());
      official.start();
      await official.connected({ timeoutMs: 60_000 });
      await official.approveSurface();
      await official.allow('/usr/bin/uname');
      await official.stop();
      const node = new NodeHost({ host: context.host, gateway: context.gateway, name: official.name });
      context.disposables.push(() => node.dispose());
      const before = inventory(official.stateDirectory);
      const imported = await node.verb(['import', '--from', official.stateDirectory, '--json']);
      assert.equal(imported.code, 0, imported.text);
      assert.deepEqual(inventory(official.stateDirectory), before, 'the source is only read');
      node.start({ auth: false });
      await node.connected();
      assert.equal(node.id, official.id, 'the same device');
      assert.ok((await node.entry()).commands.includes('system.run'), 'no approval is needed');
      const snapshot = await node.approvals();
      assert.ok(JSON.stringify(snapshot.file).includes('/usr/bin/uname'), 'the allowlist came along');
      const { payload } = await node.invoke('system.run', { command: ['/usr/bin/uname', '-s'], agentId: 'main' });
      assert.equal(payload.stdout.trim(), 'Linux');
    }, { hostclaw: true });
  }

  scenario('importing from a directory that holds nothing says so', async () => {
    const node = context.node();
    const result = await node.verb(['import', '--from', join(node.directory, 'nothing-here')]);
    assert.notEqual(result.code, 0);
    assert.equal(existsSync(join(node.directory, 'nothing-here')), false);
  }, { hostclaw: true });
}
