// SPDX-License-Identifier: Apache-2.0
// The gateway goes away and comes back; the node stays.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, processesWith } from '../lib/process.mjs';

export default function resilience(context, scenario) {
  // A command that runs until the test lets it go, and leaves a trace when it has ended.
  function latch(node, name) {
    const gate = join(node.directory, `${name}.gate`);
    const trace = join(node.directory, `${name}.trace`);
    const script = join(node.directory, name);
    writeFileSync(gate, '');
    writeFileSync(script, `#!/bin/sh\necho started >> ${trace}\nwhile [ -e ${gate} ]; do sleep 0.1; done\necho ended >> ${trace}\necho output-of-${name}\n`, { mode: 0o755 });
    const lines = () => (existsSync(trace) ? readFileSync(trace, 'utf8').trim().split('\n') : []);
    return {
      script,
      started: () => eventually(() => lines().includes('started'), { what: `${name} to start` }),
      release: () => import('node:fs').then(({ rmSync }) => rmSync(gate, { force: true })),
      ended: () => eventually(() => lines().includes('ended'), { what: `${name} to end` }),
      lines,
    };
  }

  const recorded = async (node, script) => {
    const { stdout } = await node.verb(['runs', '--json', '--limit', '50']);
    return JSON.parse(stdout).runs.find((run) => run.command.includes(script));
  };

  scenario('a cut connection is made again, and the node works', async () => {
    const tap = await context.tap();
    const node = await context.pairedNode({}, { port: tap.port });
    const before = tap.connects().length;
    tap.cut();
    await tap.waitFor((entry) => entry.from === 'gateway' && entry.frame.payload?.type === 'hello-ok' && tap.connects().length > before, { from: tap.mark(), timeoutMs: 20_000 });
    await node.connected();
    await eventually(() => node.invoke('system.which', { bins: ['sh'] }).catch(() => undefined), { what: 'an answer' });
    assert.equal(node.child.exited, false);
  });

  scenario('a run that outlives its connection is finished, recorded and not repeated', async () => {
    const tap = await context.tap();
    const node = await context.pairedNode({}, { port: tap.port });
    await node.setApprovals({ defaults: { security: 'full', ask: 'off' } });
    const job = latch(node, 'outlives');
    const call = node.invoke('system.run', { command: [job.script], agentId: 'main' }, { timeoutMs: 60_000 });
    call.catch(() => {});
    await job.started();
    const before = tap.connects().length;
    tap.cut();
    await assert.rejects(call);
    await eventually(() => tap.connects().length > before, { what: 'another connect' });
    await node.connected();
    await job.release();
    await job.ended();
    const run = await eventually(async () => {
      const found = await recorded(node, job.script);
      return found?.exitCode === 0 ? found : undefined;
    }, { what: 'the run to be on record' });
    assert.equal(run.delivered, false, 'the record says that nobody got the result');
    assert.deepEqual(job.lines(), ['started', 'ended'], 'it ran once');
  }, { hostclaw: true });

  scenario('the gateway restarts in the middle of a run of an agent', async () => {
    const node = await context.pairedNode();
    const job = latch(node, 'restart');
    if (context.official) await node.setApprovals({ defaults: { security: 'full', ask: 'off' } });
    else await node.allow(job.script, 'uname');
    if (context.official && context.protocol < 4) {
      // That pair prepares no plan for a script.
      node.invoke('system.run', { command: [job.script], agentId: 'main' }, { timeoutMs: 120_000 }).catch(() => {});
    } else {
      context.agentTurn({ node, command: job.script }).catch(() => {});
    }
    await job.started();
    await context.gateway.restart({ between: () => job.release() });
    await node.connected({ timeoutMs: 90_000 });
    assert.equal(node.child.exited, false, 'the same process is back');
    await eventually(() => node.invoke('system.which', { bins: ['sh'] }).catch(() => undefined), { timeoutMs: 30_000, what: 'an answer after the restart' });
    if (!context.official) {
      await job.ended();
      assert.deepEqual(job.lines(), ['started', 'ended']);
      const run = await eventually(async () => {
        const found = await recorded(node, job.script);
        return found?.exitCode === 0 ? found : undefined;
      }, { what: 'the run to be on record' });
      assert.equal(run.exitCode, 0);
    }
    const turn = await context.agentTurn({ node, command: 'uname -s' });
    assert.equal(turn.outputs[0]?.trim(), 'Linux', JSON.stringify(turn));
  });

  scenario('a node that starts before its gateway connects when the gateway is there', async () => {
    const tap = await context.tap();
    tap.cut({ block: true });
    const node = context.node().start({ port: tap.port });
    await node.child.waitForLine(/closed|refused|failed|retry/i);
    tap.unblock();
    await node.connected({ timeoutMs: 60_000 });
  });

  scenario('an invoke that runs out of time ends the whole process tree and gets no late result', async () => {
    const tap = await context.tap();
    const node = await context.pairedNode({}, { port: tap.port });
    await node.setApprovals({ defaults: { security: 'full', ask: 'off' } });
    const nap = `43${Date.now() % 100_000}`;
    const script = join(node.directory, 'tree');
    writeFileSync(script, `#!/bin/sh\nsetsid sleep ${nap} &\nsleep ${nap}\n`, { mode: 0o755 });
    const from = tap.mark();
    await assert.rejects(node.invoke('system.run', { command: [script], agentId: 'main' }, { timeoutMs: 3_000 }), /TIMEOUT|timed? ?out/i);
    await tap.waitFor((entry) => entry.frame.event === 'node.invoke.cancel', { from });
    await eventually(() => processesWith(`sleep ${nap}`).length === 0, { what: 'the whole tree to end' });
    await node.invoke('system.which', { bins: ['sh'] });
    const results = tap.since(from, (entry) => entry.frame.method === 'node.invoke.result');
    const finished = tap.since(from, (entry) => entry.frame.method === 'node.event' && entry.frame.params.event === 'exec.finished');
    assert.equal(results.length, 1, 'only the answer of system.which');
    assert.equal(finished.length, 0);
  }, { protocol: 4, hostclaw: true });

  scenario('SIGTERM ends the node with status 143 and SIGINT with 130, and both close the connection', async () => {
    for (const [signal, code] of [['SIGTERM', 143], ['SIGINT', 130]]) {
      const tap = await context.tap();
      const node = context.node().start({ port: tap.port });
      await node.connected();
      const from = tap.mark();
      const status = await node.stop({ signal });
      assert.equal(status.code ?? 128 + { SIGTERM: 15, SIGINT: 2 }[status.signal], code);
      await tap.waitFor((entry) => entry.frame.control === 'close', { from });
    }
  });

  scenario('no secret is in the log or in the arguments of the node', async () => {
    const tap = await context.tap();
    const node = await context.pairedNode({}, { port: tap.port, args: context.official ? [] : ['--verbose'] });
    const hello = tap.frames.find((entry) => entry.frame.payload?.type === 'hello-ok').frame.payload;
    const log = node.child.lines.join('\n');
    const argv = readFileSync(`/proc/${node.child.pid}/cmdline`, 'latin1');
    for (const secret of [context.gateway.token, hello.auth.deviceToken]) {
      assert.ok(secret && !log.includes(secret) && !argv.includes(secret));
    }
  });
}
