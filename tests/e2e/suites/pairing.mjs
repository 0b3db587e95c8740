// SPDX-License-Identifier: Apache-2.0
// Both stages of pairing, followed to the end without restarting the node.
import assert from 'node:assert/strict';
import { eventually } from '../lib/process.mjs';

const pendingDevice = (context, node) => eventually(async () => {
  const { pending } = await context.gateway.request('device.pair.list', {});
  return (pending ?? []).find((item) => item.displayName === node.name);
}, { what: `a pending device of ${node.name}` });

export default function pairing(context, scenario) {
  scenario('a loopback node pairs silently, waits for its surface, and works after the approval without a restart', async () => {
    const node = context.node().start();
    await node.connected();
    if (context.protocol >= 4) {
      await assert.rejects(node.invoke('system.which', { bins: ['sh'] }), 'nothing is dispatched before the approval');
    }
    const request = await node.approveSurface();
    assert.ok(request.commands.includes('system.run') && request.commands.includes('system.which'), 'the surface names the commands');
    const { payload } = await node.invoke('system.which', { bins: ['sh', 'no-such-program'] });
    assert.match(payload.bins.sh, /\/sh$/);
    assert.equal(payload.bins['no-such-program'], undefined);
    assert.equal(node.child.exited, false, 'still the same process');
  });

  scenario('the id of the identity verb is the id that the gateway knows', async () => {
    const node = context.node().start();
    await node.connected();
    const { stdout, code } = await node.verb(['node', 'identity', '--json']);
    assert.equal(code, 0);
    assert.equal(stdout.trim().split('\n').length, 1, 'one line');
    const identity = JSON.parse(stdout);
    assert.deepEqual(Object.keys(identity).sort(), ['deviceId', 'publicKey']);
    assert.equal(identity.deviceId, node.id);
  });

  scenario('the identity verb fails where there is no identity yet', async () => {
    const node = context.node();
    const { code, stdout } = await node.verb(['node', 'identity', '--json']);
    assert.equal(code, 1);
    assert.equal(stdout.trim(), '');
  });

  scenario('a remote node says what to approve, and connects after device and surface approval without a restart', async () => {
    const tap = await context.tap({ remoteAddress: '192.0.2.21' });
    const node = context.node().start({ port: tap.port });
    const device = await pendingDevice(context, node);
    const said = await node.child.waitForLine(device.requestId, { timeoutMs: 10_000 });
    assert.match(said.line, /openclaw devices approve/, 'the line holds the command that the operator must type');
    await context.gateway.request('device.pair.approve', { requestId: device.requestId });
    await node.connected({ timeoutMs: 60_000 });
    if (context.protocol >= 4) {
      const request = await node.pendingSurface();
      const second = await node.child.waitForLine(request.requestId, { timeoutMs: 10_000 });
      assert.match(second.line, /openclaw nodes approve/, 'the second stage is announced in the same way');
    }
    await node.approveSurface();
    const { payload } = await node.invoke('system.which', { bins: ['sh'] });
    assert.ok(payload.bins.sh);
    assert.equal(node.child.exited, false);
  }, { hostclaw: true });

  scenario('the official command line approves both stages of a remote node', async () => {
    const tap = await context.tap({ remoteAddress: '192.0.2.22' });
    const node = context.node().start({ port: tap.port });
    const device = await pendingDevice(context, node);
    const devices = await context.gateway.cli(['devices', 'list', '--json']);
    assert.equal(devices.code, 0, devices.text);
    assert.ok(devices.stdout.includes(device.requestId), 'openclaw devices list shows the request');
    const approved = await context.gateway.cli(['devices', 'approve', device.requestId]);
    assert.equal(approved.code, 0, approved.text);
    if (context.official) {
      // The official host waits for ever; its users restart it.
      await node.stop();
      node.start({ port: tap.port });
    }
    await node.connected({ timeoutMs: 60_000 });
    const pending = await context.gateway.cli(['nodes', 'pending', '--json']);
    assert.equal(pending.code, 0, pending.text);
    const request = await eventually(async () => {
      const list = await context.gateway.request('node.pair.list', {});
      return list.pending.find((item) => item.nodeId === node.id);
    }, { what: 'a pending surface' });
    assert.ok(pending.stdout.includes(request.requestId), 'openclaw nodes pending shows the request');
    const surface = await context.gateway.cli(['nodes', 'approve', request.requestId]);
    assert.equal(surface.code, 0, surface.text);
    const { payload } = await node.invoke('system.which', { bins: ['sh'] });
    assert.ok(payload.bins.sh);
  });

  scenario('a rejected device stays out and can be approved at its next request', async () => {
    const tap = await context.tap({ remoteAddress: '192.0.2.23' });
    const node = context.node().start({ port: tap.port });
    const first = await pendingDevice(context, node);
    await context.gateway.request('device.pair.reject', { requestId: first.requestId });
    const second = await eventually(async () => {
      const { pending } = await context.gateway.request('device.pair.list', {});
      return (pending ?? []).find((item) => item.displayName === node.name && item.requestId !== first.requestId);
    }, { timeoutMs: 60_000, what: 'another request' });
    await context.gateway.request('device.pair.approve', { requestId: second.requestId });
    await node.connected({ timeoutMs: 60_000 });
  }, { hostclaw: true });

  scenario('pending requests keep their id while the node retries gently', async () => {
    const tap = await context.tap({ remoteAddress: '192.0.2.24' });
    const node = context.node().start({ port: tap.port });
    const first = await pendingDevice(context, node);
    const attempts = tap.connects().length;
    await tap.waitFor((entry) => entry.from === 'node' && entry.frame.method === 'connect', { from: tap.mark(), timeoutMs: 40_000 });
    const again = await pendingDevice(context, node);
    assert.equal(again.requestId, first.requestId);
    assert.ok(tap.connects().length - attempts <= 2, 'no tight loop');
  }, { hostclaw: true });

  scenario('one connect form: nothing that the closed schema of either gateway refuses', async () => {
    const tap = await context.tap();
    const node = context.node().start({ port: tap.port });
    await node.connected();
    // As an operator it may ask besides what the gateway holds.
    const connects = tap.connects().filter(({ role }) => role === 'node');
    const [connect] = connects;
    assert.equal(connects.length, 1, 'accepted at the first try');
    assert.deepEqual([connect.minProtocol, connect.maxProtocol], [3, 4]);
    assert.deepEqual([connect.client.id, connect.client.mode, connect.role], ['node-host', 'node', 'node']);
    assert.equal(connect.client.platform, 'linux');
    assert.equal(connect.client.deviceFamily, 'Linux');
    assert.equal(connect.client.modelIdentifier, undefined);
    const empty = (value) => value === null || value === '' || (typeof value === 'object' && Object.values(value).some(empty));
    assert.equal(empty(connect), false, 'no null and no empty string');
    const [upgrade] = tap.upgrades;
    for (const name of ['origin', 'authorization', 'cookie', 'forwarded', 'x-forwarded-for', 'x-real-ip']) {
      assert.equal(upgrade.headers[name], undefined, `no ${name} header`);
    }
  }, { hostclaw: true });
}
