// SPDX-License-Identifier: Apache-2.0
// Setup codes and join URLs: one pasted text pairs a machine.
import assert from 'node:assert/strict';

export default function setupCodes(context, scenario) {
  const issue = (options = {}) =>
    context.gateway.request('device.pair.setupCode', { bootstrapProfile: 'node', publicUrl: context.gateway.url, ...options });
  const newest = { protocol: 4 };

  async function usable(node) {
    await node.connected();
    assert.ok((await node.entry()).commands.includes('system.run'), 'the surface is approved with the code');
    await node.invoke('system.which', { bins: ['sh'] });
  }

  scenario('node run --pair CODE pairs and approves at once, and the node needs no code afterwards', async () => {
    const { setupCode } = await issue();
    const node = context.node();
    node.start({ auth: false, target: false, args: ['--pair', setupCode] });
    await usable(node);
    await node.stop();
    node.start({ auth: false, target: false });
    await usable(node);
  }, newest);

  scenario('a code with the oc-pair prefix is accepted', async () => {
    const { setupCode } = await issue();
    const node = context.node();
    node.start({ auth: false, target: false, args: ['--pair', setupCode.startsWith('oc-pair://') ? setupCode : `oc-pair://${setupCode}`] });
    await usable(node);
  }, newest);

  scenario('a remote machine is let in by its code without any approval', async () => {
    const tap = await context.tap({ remoteAddress: '192.0.2.41' });
    const { setupCode } = await issue({ publicUrl: `ws://127.0.0.1:${tap.port}` });
    const node = context.node();
    node.start({ auth: false, target: false, args: ['--pair', setupCode] });
    await usable(node);
    const [connect] = tap.connects();
    assert.deepEqual(Object.keys(connect.auth), ['bootstrapToken']);
  }, newest);

  scenario('connect CODE pairs in the foreground', async () => {
    const { setupCode } = await issue();
    const node = context.node();
    node.start({ auth: false, target: false, verb: ['connect', setupCode] });
    await usable(node);
  }, newest);

  scenario('connect JOIN-URL fetches the code once and pairs', async () => {
    const { joinUrl } = await issue({ joinUrl: true });
    assert.ok(joinUrl, 'the gateway gives a join URL');
    const node = context.node();
    node.start({ auth: false, target: false, verb: ['connect', joinUrl.replace(/^https?:\/\/[^/]+/, `http://127.0.0.1:${context.gateway.port}`)] });
    await usable(node);
  }, newest);

  scenario('a used code is refused and ends the node with status 1', async () => {
    const { setupCode } = await issue();
    const first = context.node();
    first.start({ auth: false, target: false, args: ['--pair', setupCode] });
    await usable(first);
    const second = context.node();
    second.start({ auth: false, target: false, args: ['--pair', setupCode] });
    const status = await second.child.done;
    assert.equal(status.code, 1, second.child.tail());
  }, newest);

  scenario('an expired code and a text that is no code are told apart from network trouble', async () => {
    const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const expired = encode({ url: context.gateway.url, bootstrapToken: 'A'.repeat(43), expiresAtMs: Date.now() - 1000 });
    for (const [code, says] of [[expired, /expired/i], ['%%%', /code|target/i]]) {
      const node = context.node();
      node.start({ auth: false, target: false, args: ['--pair', code] });
      const status = await node.child.done;
      assert.notEqual(status.code, 0);
      assert.match(node.child.lines.join('\n'), says);
    }
  }, newest);
}
