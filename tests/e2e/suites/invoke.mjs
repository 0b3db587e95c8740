// SPDX-License-Identifier: Apache-2.0
// The commands of a node, called by an operator, and its approvals document, edited from afar.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const patternsOf = (snapshot) => Object.values(snapshot.file.agents ?? {}).flatMap((agent) => agent.allowlist ?? []).map((entry) => entry.pattern);

export default function invoke(context, scenario) {
  let node;
  const shared = async () => (node ??= await context.pairedNode());

  scenario('system.which finds what is on the path and leaves out the rest', async () => {
    const { payload } = await (await shared()).invoke('system.which', { bins: ['sh', 'env', 'no-such-program'] });
    assert.match(payload.bins.sh, /^\/.*\/sh$/);
    assert.match(payload.bins.env, /^\/.*\/env$/);
    assert.ok(!('no-such-program' in payload.bins));
  });

  scenario('system.run of a listed command gives output, exit code and nothing else', async () => {
    const target = await shared();
    await target.allow('/usr/bin/printf', '/usr/bin/false');
    const { payload } = await target.invoke('system.run', { command: ['/usr/bin/printf', 'a b\\n'], agentId: 'main' });
    assert.equal(payload.stdout, 'a b\n');
    assert.equal(payload.stderr, '');
    assert.equal(payload.exitCode, 0);
    assert.equal(payload.success, true);
    assert.equal(payload.timedOut, false);
    const failed = await target.invoke('system.run', { command: ['/usr/bin/false'], agentId: 'main' });
    assert.equal(failed.payload.exitCode, 1);
    assert.equal(failed.payload.success, false);
  });

  scenario('system.run of an unlisted command is refused with SYSTEM_RUN_DENIED and does not run', async () => {
    const target = await shared();
    await target.allow('/usr/bin/printf');
    const proof = join(target.directory, `proof-${randomUUID()}`);
    const error = await target.invoke('system.run', { command: ['/usr/bin/touch', proof], agentId: 'main' }).then(() => assert.fail('it ran'), (reason) => reason);
    assert.match(error.message, /SYSTEM_RUN_DENIED/);
    const { payload } = await target.invoke('system.which', { bins: ['touch'] });
    assert.ok(payload.bins.touch, 'the node is still there');
    await assert.rejects(async () => realpathSync(proof), 'nothing was created');
  });

  scenario('a denial names its reason', async () => {
    const target = await shared();
    await target.setApprovals({ defaults: { security: 'deny' } });
    const error = await target.invoke('system.run', { command: ['/usr/bin/true'], agentId: 'main' }).then(() => assert.fail('it ran'), (reason) => reason);
    assert.match(error.message, /SYSTEM_RUN_(DISABLED|DENIED)/);
  });

  scenario('system.run honours cwd', async () => {
    const target = await shared();
    await target.allow('/usr/bin/pwd');
    const directory = mkdtempSync(join(realpathSync(target.directory), 'cwd-'));
    const { payload } = await target.invoke('system.run', { command: ['/usr/bin/pwd'], cwd: directory, agentId: 'main' });
    assert.equal(payload.stdout, `${directory}\n`);
  });

  scenario('system.run ends a command at its timeout, with everything that it started', async () => {
    const target = await shared();
    const script = join(target.directory, 'sleeper');
    const marker = `37${Date.now() % 100000}`;
    writeFileSync(script, `#!/bin/sh\nsetsid sleep ${marker} &\nsleep ${marker}\n`, { mode: 0o755 });
    await target.setApprovals({ defaults: { security: 'full', ask: 'off' } });
    const { payload } = await target.invoke('system.run', { command: [script], timeoutMs: 700, agentId: 'main' });
    assert.equal(payload.timedOut, true);
    assert.equal(payload.success, false);
    if (!context.official) {
      const { processesWith } = await import('../lib/process.mjs');
      assert.deepEqual(processesWith(`sleep ${marker}`), [], 'also what called setsid');
    }
  });

  scenario('output that is not UTF-8 arrives as replacement characters', async () => {
    const target = await shared();
    await target.allow('/usr/bin/printf');
    const { payload } = await target.invoke('system.run', { command: ['/usr/bin/printf', 'a\\377b'], agentId: 'main' });
    assert.equal(payload.stdout, 'a\uFFFDb');
  });

  scenario('system.run.prepare answers with a plan that resolves the command', async () => {
    const target = await shared();
    await target.allow('/usr/bin/uname');
    const { payload } = await target.invoke('system.run.prepare', {
      command: ['/bin/sh', '-lc', 'uname -s'], rawCommand: 'uname -s', agentId: 'main', sessionKey: 'agent:main:x',
      ...(context.protocol >= 4 && { security: 'full', ask: 'off' }),
    });
    assert.ok(payload.plan.argv.length >= 1);
    assert.equal(typeof payload.plan.commandText, 'string');
    assert.ok(['deny', 'allowlist', 'full'].includes(payload.execPolicy.security));
    if (!context.official) {
      assert.match(payload.plan.argv[0], /^\/.*\/uname$/);
      assert.deepEqual(payload.execPolicy, { security: 'full', ask: 'off' });
    }
  });

  scenario('the approvals document is read and replaced, with its hash as the condition', async () => {
    const target = await shared();
    const before = await target.approvals();
    assert.ok(before.hash && before.file && before.exists !== undefined);
    assert.equal(before.file.socket?.token, undefined, 'no secret leaves the node');
    await target.allow('/usr/bin/uname');
    const after = await target.approvals();
    assert.notEqual(after.hash, before.hash);
    assert.deepEqual(patternsOf(after), ['/usr/bin/uname']);
    await assert.rejects(context.gateway.request('exec.approvals.node.set', { nodeId: target.id, file: { version: 1 }, baseHash: before.hash }), /changed|hash/);
  });

  scenario('the fresh default is allowlist, on-miss, deny', async () => {
    const fresh = await context.pairedNode();
    const snapshot = await fresh.approvals();
    assert.equal(snapshot.resolvedDefaults?.security ?? snapshot.file.defaults?.security, 'allowlist');
    assert.equal(snapshot.resolvedDefaults?.ask ?? snapshot.file.defaults?.ask, 'on-miss');
    assert.equal(snapshot.resolvedDefaults?.askFallback ?? snapshot.file.defaults?.askFallback, 'deny');
  }, { hostclaw: true });

  scenario('openclaw approvals get, set and allowlist add and remove work unchanged', async () => {
    const target = await shared();
    await target.allow('/usr/bin/uname');
    const cli = async (...args) => {
      const result = await context.gateway.cli(['approvals', ...args, '--node', target.name]);
      assert.equal(result.code, 0, `openclaw approvals ${args.join(' ')}\n${result.text}`);
      return result;
    };
    assert.ok((await cli('get', '--json')).stdout.includes('/usr/bin/uname'));
    await cli('allowlist', 'add', '/usr/bin/git');
    assert.deepEqual(patternsOf(await target.approvals()).sort(), ['/usr/bin/git', '/usr/bin/uname']);
    await cli('allowlist', 'remove', '/usr/bin/git');
    assert.deepEqual(patternsOf(await target.approvals()), ['/usr/bin/uname']);
    mkdirSync(context.gateway.home, { recursive: true });
    const file = join(context.gateway.home, 'approvals.json');
    writeFileSync(file, JSON.stringify({ version: 1, defaults: { security: 'allowlist', ask: 'off' }, agents: { main: { allowlist: [{ pattern: '/usr/bin/id' }] } } }));
    await cli('set', '--file', file);
    assert.deepEqual(patternsOf(await target.approvals()), ['/usr/bin/id']);
  });

  scenario('twenty megabytes of output do not upset the connection', async () => {
    const target = await shared();
    await target.setApprovals({ defaults: { security: 'full', ask: 'off' } });
    const { payload } = await target.invoke('system.run', { command: ['/usr/bin/head', '-c', '20000000', '/dev/zero'], agentId: 'main' });
    assert.equal(payload.exitCode, 0);
    assert.match(payload.stdout + payload.stderr, /truncated|dropped/i, 'what is missing is said');
    await target.invoke('system.which', { bins: ['sh'] });
  });

  scenario('pings are answered while fifty commands run', async () => {
    const tap = await context.tap();
    const target = await context.pairedNode({}, { port: tap.port });
    await target.setApprovals({ defaults: { security: 'full', ask: 'off' } });
    const from = tap.mark();
    const runs = Array.from({ length: 50 }, () => target.invoke('system.run', { command: ['/usr/bin/sleep', '2'], agentId: 'main' }, { timeoutMs: 60_000 }));
    const ping = Promise.resolve().then(() => tap.ping());
    await ping;
    await tap.waitFor((entry) => entry.from === 'node' && entry.frame.control === 'pong', { from, timeoutMs: 5_000 });
    for (const { payload } of await Promise.all(runs)) assert.equal(payload.exitCode, 0);
  });

  scenario('every finished run is announced before its result, and no answer holds an unknown member', async () => {
    const tap = await context.tap();
    const target = await context.pairedNode({}, { port: tap.port });
    await target.allow('/usr/bin/printf');
    const from = tap.mark();
    await target.invoke('system.run', { command: ['/usr/bin/printf', 'x'], agentId: 'main', sessionKey: 'agent:main:order', runId: 'run-order-1' });
    const sent = tap.since(from, (entry) => entry.from === 'node').map((entry) => entry.frame);
    const finished = sent.findIndex((frame) => frame.method === 'node.event' && frame.params.event === 'exec.finished');
    const result = sent.findIndex((frame) => frame.method === 'node.invoke.result');
    assert.ok(finished >= 0 && finished < result, 'exec.finished comes first');
    const event = JSON.parse(sent[finished].params.payloadJSON);
    assert.equal(event.sessionKey, 'agent:main:order');
    assert.ok(event.runId);
    for (const frame of sent.filter((item) => item.method === 'node.invoke.result')) {
      assert.deepEqual(Object.keys(frame.params).filter((key) => !['id', 'nodeId', 'ok', 'payload', 'payloadJSON', 'error'].includes(key)), []);
    }
    const refused = tap.since(0, (entry) => entry.from === 'gateway' && entry.frame.error?.code === 'INVALID_REQUEST').map((entry) => entry.frame.error.message);
    assert.deepEqual(context.official ? [] : refused, [], 'the gateway refused nothing');
  });
}
