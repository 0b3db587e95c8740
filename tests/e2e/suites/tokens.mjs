// SPDX-License-Identifier: Apache-2.0
// Device tokens: kept, rotated, revoked, removed.
import assert from 'node:assert/strict';
import { eventually } from '../lib/process.mjs';

const lastConnect = (tap) => tap.connects().filter(({ role }) => role === 'node').at(-1);

export default function tokens(context, scenario) {
  const request = (method, params) => context.gateway.request(method, params);

  async function tappedNode(options = {}) {
    const tap = await context.tap(options);
    const node = await context.pairedNode({}, { port: tap.port });
    return { tap, node };
  }

  const helloAfter = (tap, from) => tap.waitFor(
    (entry) => entry.from === 'gateway' && entry.frame.ok && entry.frame.payload?.type === 'hello-ok' && tap.isNodes(entry.connection), { from, timeoutMs: 60_000 });

  // Waits for the close that the gateway sends, then for the next hello.
  async function reconnected(tap, from) {
    const close = await tap.waitFor((entry) => entry.from === 'gateway' && entry.frame.control === 'close' && tap.isNodes(entry.connection), { from });
    const hello = await helloAfter(tap, from);
    return { close: close.frame, hello: hello.frame.payload };
  }

  scenario('the device token is kept: a restarted node needs no shared token', async () => {
    const { tap, node } = await tappedNode();
    await node.stop();
    const from = tap.mark();
    node.start({ port: tap.port, auth: false });
    // The gateway may still show the old connection: the new hello is what counts.
    await helloAfter(tap, from);
    await node.connected();
    const { auth } = lastConnect(tap);
    assert.ok(auth.deviceToken, 'it logs in with the device token');
    await node.invoke('system.which', { bins: ['sh'] });
  });

  scenario('after a rotation the node comes back with the shared token and keeps the new device token', async () => {
    const { tap, node } = await tappedNode();
    const from = tap.mark();
    await request('device.token.rotate', { deviceId: node.id, role: 'node' });
    const { close, hello } = await reconnected(tap, from);
    assert.equal(close.code, 4001);
    assert.ok(hello.auth.deviceToken);
    await node.connected();
    await node.stop();
    const restart = tap.mark();
    node.start({ port: tap.port, auth: false });
    await helloAfter(tap, restart);
    await node.connected();
    assert.equal(lastConnect(tap).auth.deviceToken, hello.auth.deviceToken, 'the rotated token is the one that was stored');
    assert.equal(node.child.exited, false);
  });

  scenario('after a rotation a node with nothing but its old token says so and does not hammer the gateway', async () => {
    const { tap, node } = await tappedNode();
    await node.stop();
    node.start({ port: tap.port, auth: false });
    await node.connected();
    const from = tap.mark();
    const lines = node.child.lines.length;
    await request('device.token.rotate', { deviceId: node.id, role: 'node' });
    await tap.waitFor((entry) => entry.frame.error?.details?.code === 'AUTH_DEVICE_TOKEN_MISMATCH', { from, timeoutMs: 30_000 });
    await node.child.waitForLine(/token/i, { from: lines, timeoutMs: 10_000 });
    assert.ok(tap.since(from, (entry) => entry.frame.method === 'connect').length <= 2);
  }, { hostclaw: true });

  scenario('after a revocation the node waits for the operator and comes back without a restart', async () => {
    const { tap, node } = await tappedNode();
    const from = tap.mark();
    await request('device.token.revoke', { deviceId: node.id, role: 'node' });
    const close = await tap.waitFor((entry) => entry.from === 'gateway' && entry.frame.control === 'close' && tap.isNodes(entry.connection), { from });
    assert.equal(close.frame.code, 4001);
    const refusedOrBack = await tap.waitFor((entry) => entry.from === 'gateway' && entry.frame.type === 'res' && (entry.frame.error || entry.frame.payload?.type === 'hello-ok'), { from, timeoutMs: 60_000 });
    if (refusedOrBack.frame.error) {
      assert.equal(refusedOrBack.frame.error.details?.reason, 'role-upgrade');
      const pending = await eventually(async () => (await request('device.pair.list', {})).pending?.find((item) => item.deviceId === node.id), { what: 'a pending device' });
      await request('device.pair.approve', { requestId: pending.requestId });
    }
    await node.connected({ timeoutMs: 60_000 });
    await eventually(async () => (await node.entry())?.commands?.includes('system.run') || (await node.approveSurface().catch(() => undefined)), { what: 'usable commands' });
    await node.invoke('system.which', { bins: ['sh'] });
    assert.equal(node.child.exited, false);
  }, { hostclaw: true });

  scenario('after the removal of the device the node pairs afresh without a restart', async () => {
    const { tap, node } = await tappedNode();
    const from = tap.mark();
    await request('device.pair.remove', { deviceId: node.id });
    const { close } = await reconnected(tap, from);
    assert.equal(close.code, 4001);
    await node.connected();
    if (context.protocol >= 4) await node.approveSurface();
    await node.invoke('system.which', { bins: ['sh'] });
    assert.equal(node.child.exited, false);
  });

  scenario('after the removal of the node its surface is pending again, and approving it is enough', async () => {
    const { tap, node } = await tappedNode();
    const from = tap.mark();
    await request('node.pair.remove', { nodeId: node.id });
    const { close } = await reconnected(tap, from);
    assert.equal(close.code, 4001);
    await node.connected();
    await node.approveSurface();
    await node.invoke('system.which', { bins: ['sh'] });
    assert.equal(node.child.exited, false);
  }, { protocol: 4 });

  scenario('a wrong shared token ends the node with status 1 or is reported, never retried in a loop', async () => {
    const tap = await context.tap();
    const node = context.node().start({ port: tap.port, env: { OPENCLAW_GATEWAY_TOKEN: 'not-the-token' } });
    await tap.waitFor((entry) => entry.frame.error?.details?.code === 'AUTH_TOKEN_MISMATCH');
    const status = await node.child.done;
    assert.equal(status.code, 1);
    assert.equal(tap.connects().length, 1);
    assert.ok(!node.child.lines.join('\n').includes('not-the-token'), 'the token is not logged');
  });
}
