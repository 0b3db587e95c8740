// SPDX-License-Identifier: Apache-2.0
// Real agent turns: a scripted model makes the agent call exec with host=node.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before } from '../lib/packages.mjs';
import { endProcessesWith, eventually, processesWith } from '../lib/process.mjs';

const callers = { main: 'caller full/off', ask: 'caller allowlist/on-miss' };

export default function turns(context, scenario) {
  let node;
  const shared = async () => (node ??= await context.pairedNode());

  for (const [agent, caller] of Object.entries(callers)) {
    for (const [how, patterns] of [['by name', ['uname', 'git', 'cat']], ['by path', ['/usr/bin/uname', '/usr/bin/git', '/usr/bin/cat']]]) {
      scenario(`${caller}: commands listed ${how} run unprompted`, async () => {
        const target = await shared();
        await target.allow(...patterns);
        const repository = join(realpathSync(target.directory), 'repository');
        execFileSync('git', ['init', '-q', '-b', 'trunk', repository]);
        const steps = [
          { command: 'uname -s' },
          { command: 'git status', workdir: repository },
          { command: 'uname -s && uname -m' },
          { command: 'uname -s | cat' },
        ];
        const turn = await context.agentTurn({ node: target, agent, steps });
        assert.equal(turn.questions.length, 0, `asked about: ${turn.questions.map((question) => question.request.command)}`);
        assert.equal(turn.outputs.length, 4, JSON.stringify(turn.raw));
        assert.equal(turn.outputs[0].trim(), 'Linux');
        assert.match(turn.outputs[1], /On branch trunk/);
        assert.equal(turn.outputs[2].trim(), `Linux\n${process.arch === 'x64' ? 'x86_64' : 'aarch64'}`);
        assert.equal(turn.outputs[3].trim(), 'Linux');
      }, { hostclaw: true });
    }

    scenario(`${caller}: the headless form of a turn runs a listed command too`, async () => {
      const target = await shared();
      await target.allow('uname');
      const turn = await context.agentTurn({ node: target, agent, command: 'uname -s', via: 'agent' });
      assert.equal(turn.outputs[0]?.trim(), 'Linux', JSON.stringify(turn));
      assert.equal(turn.questions.length, 0);
    }, { hostclaw: true });
  }

  // A gateway with a profile of tools shows others only where it is told to (tools.alsoAllow in lib/gateway.mjs).
  scenario('an agent reads its own runs through the tool that the node publishes', async () => {
    if (before(context.version, '2026.8.2')) return;
    const target = await shared();
    await target.allow('uname');
    const elsewhere = await context.agentTurn({ node: target, steps: [{ command: 'uname -m' }] });
    assert.equal(elsewhere.outputs.length, 1);
    const turn = await context.agentTurn({ node: target, steps: [{ command: 'uname -s' }, { tool: 'tool_call', arguments: { id: 'hostclaw_runs', args: {} } }] });
    assert.match(turn.outputs[1], /uname -s/);
    assert.doesNotMatch(turn.outputs[1], /uname -m/, 'another session is not its own');
  }, { hostclaw: true, protocol: 4 });

  // The older gateway asks on its own only for a caller with allowlist/on-miss; for a full/off caller it
  // leaves everything to the node.
  for (const agent of context.protocol >= 4 ? ['main', 'ask'] : ['ask']) {
    scenario(`${callers[agent]}: an unlisted command is asked about exactly once and then runs once`, async () => {
      const target = await shared();
      await target.allow('uname');
      const other = join(target.directory, `touched-${agent}`);
      const first = await context.agentTurn({ node: target, agent, command: `touch ${other}`, decide: 'allow-once' });
      assert.equal(first.questions.length, 1, JSON.stringify(first.raw));
      await eventually(() => existsSync(other), { what: 'the approved command to have run' });
      const second = await context.agentTurn({ node: target, agent, command: `touch ${other}.again`, decide: 'deny' });
      assert.equal(second.questions.length, 1, 'allow-once does not cover the next command');
      assert.equal(existsSync(`${other}.again`), false);
    });
  }

  scenario('caller full/off on the older gateway: an unlisted command is refused by the node itself', async () => {
    if (context.protocol >= 4) return;
    const target = await shared();
    await target.allow('uname');
    const proof = join(target.directory, 'unlisted');
    const turn = await context.agentTurn({ node: target, command: `touch ${proof}` });
    assert.match(turn.outputs[0], /SYSTEM_RUN_DENIED/);
    assert.equal(existsSync(proof), false);
  });

  for (const [agent, caller] of Object.entries(callers)) {
    scenario(`${caller}: a denied command does not run and the agent learns why`, async () => {
      const target = await shared();
      await target.setApprovals({ defaults: { security: 'deny' } });
      const proof = join(target.directory, `denied-${agent}`);
      const turn = await context.agentTurn({ node: target, agent, command: `touch ${proof}`, decide: 'allow-once' });
      assert.equal(existsSync(proof), false);
      if (context.protocol >= 4) {
        assert.equal(turn.questions.length, 0, 'a question would be pointless');
        assert.match(turn.outputs[0], /denied/i);
      }
    });
  }

  scenario('a non-zero exit reaches the agent with its output', async () => {
    const target = await shared();
    await target.setApprovals({ defaults: { security: 'full', ask: 'off' } });
    const turn = await context.agentTurn({ node: target, command: 'ls /no-such-directory' });
    assert.match(turn.raw[0], /no-such-directory/);
    // The older gateway hands on the output alone.
    if (context.protocol >= 4) assert.match(turn.raw[0], /exit(ed)?( with)?( code)? 2|\(exit 2\)|code 2/i, turn.raw[0]);
  });

  scenario('one mebibyte of output reaches the agent as far as the limits allow, and says what is missing', async () => {
    const target = await shared();
    await target.setApprovals({ defaults: { security: 'full', ask: 'off' } });
    const file = join(realpathSync(target.directory), 'mebibyte');
    writeFileSync(file, '0123456789abcde\n'.repeat(65_536));
    const turn = await context.agentTurn({ node: target, command: `cat ${file}` });
    assert.ok(turn.raw[0].length > 10_000, `${turn.raw[0].length} characters`);
    assert.match(turn.raw[0], /truncated|dropped|omitted/i);
  });

  scenario('a timeout ends the command and is reported', async () => {
    const target = await shared();
    await target.setApprovals({ defaults: { security: 'full', ask: 'off' } });
    const nap = `41${Date.now() % 100_000}`;
    const turn = await context.agentTurn({ node: target, command: `sleep ${nap}`, extra: context.protocol >= 4 ? { timeoutSeconds: 2 } : { timeout: 2 } });
    // The older gateway hands on the output alone, of which there is none.
    if (context.protocol >= 4) assert.match(turn.raw[0], /time(d)?[ -]?out/i);
    assert.equal(turn.raw.length, 1, 'the agent goes on');
    assert.deepEqual(processesWith(`sleep ${nap}`), []);
  });

  scenario('a cancelled turn ends its command', async () => {
    const target = await shared();
    await target.setApprovals({ defaults: { security: 'full', ask: 'off' } });
    const nap = `42${Date.now() % 100_000}`;
    const turn = context.agentTurn({ node: target, command: `sleep ${nap}` });
    turn.catch(() => {});
    await eventually(() => processesWith(`sleep ${nap}`).length > 0, { what: 'the command to start' });
    const { sessionKey, runId } = context.lastRun;
    await context.gateway.request('chat.abort', { sessionKey, runId });
    if (context.protocol >= 4) await eventually(() => processesWith(`sleep ${nap}`).length === 0, { what: 'the command to end' });
    endProcessesWith(`sleep ${nap}`);
    await turn.catch(() => {});
  });

  scenario('openclaw agent runs a listed command from the command line', async () => {
    const target = await shared();
    await target.allow('uname');
    const message = context.model.script(`cli-${context.version}`, [{ command: 'uname -s', node: target.id }]);
    const result = await context.gateway.cli(['agent', '--agent', 'main', '--message', message, '--json'], { timeoutMs: 120_000 });
    assert.equal(result.code, 0, result.text);
    assert.match(context.model.results(`cli-${context.version}`)[0], /Linux/);
  }, { hostclaw: true });

  scenario('openclaw agent cannot wait for a human: an unlisted command does not run', async () => {
    const target = await shared();
    await target.allow('uname');
    const proof = join(target.directory, 'headless');
    const id = `cli-unlisted-${context.version}`;
    const message = context.model.script(id, [{ command: `touch ${proof}`, node: target.id }]);
    await context.gateway.operator.close();
    await context.gateway.cli(['agent', '--agent', 'ask', '--message', message, '--json'], { timeoutMs: 120_000 });
    await context.gateway.reconnectOperator();
    assert.equal(existsSync(proof), false);
    assert.ok(context.model.results(id).length <= 1);
  });

  scenario('the markers that the gateway needs for a chain are never stored, not even when they are written back', async () => {
    // A 2026.4 gateway refuses every document that holds `source`, so nothing can be written back there.
    if (context.version.startsWith('2026.4')) return;
    const target = await shared();
    await target.allow('/usr/bin/uname');
    const turn = await context.agentTurn({ node: target, agent: 'ask', command: 'uname -s && uname -m' });
    assert.match(turn.outputs[0], /^Linux\n/);
    const { file, hash } = await target.approvals();
    await context.gateway.request('exec.approvals.node.set', { nodeId: target.id, file, baseHash: hash });
    const { stdout, code } = await target.verb(['approvals', 'get', '--json']);
    assert.equal(code, 0);
    assert.ok(stdout.includes('/usr/bin/uname'));
    assert.ok(!stdout.includes('=node-command:'), stdout);
    assert.ok(!stdout.includes('allow-always'), stdout);
  }, { hostclaw: true });

  scenario('every run of this suite is on record', async () => {
    const target = await shared();
    await target.allow('uname');
    await assert.rejects(target.invoke('system.run', { command: ['/usr/bin/id'], agentId: 'main' }), /SYSTEM_RUN_DENIED/);
    const { stdout, code } = await target.verb(['runs', '--json', '--limit', '200']);
    assert.equal(code, 0);
    const { runs } = JSON.parse(stdout);
    assert.ok(runs.some((run) => run.verdict === 'allow' && run.exitCode === 0));
    assert.ok(runs.some((run) => run.command === '/usr/bin/id' && run.verdict === 'ask'), 'a refusal is on record with its verdict');
    assert.ok(runs.every((run) => run.code !== undefined && run.command !== undefined));
  }, { hostclaw: true });
}
