// SPDX-License-Identifier: Apache-2.0
// A human is asked through the gateway: what they see, and what each answer does.
import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../lib/process.mjs';

export default function asking(context, scenario) {
  let node;
  let counter = 0;
  const shared = async () => (node ??= await context.pairedNode());
  const file = (target, name) => join(realpathSync(target.directory), `${name}-${++counter}`);
  const linesOf = (path) => (existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean).length : 0);

  // A program of the test's own, so that nothing else on the machine can be listed by accident: it notes
  // that it ran, with its arguments.
  const program = (target) => {
    const path = file(target, 'program');
    const log = `${path}.log`;
    writeFileSync(path, `#!/bin/sh\necho "$@" >>${log}\n`, { mode: 0o700 });
    return { path, log };
  };
  const options = { hostclaw: true, protocol: 4 };

  for (const agent of ['main', 'ask']) {
    scenario(`agent ${agent}: the question shows what will run, where and on which node, also to the official command line`, async () => {
      const target = await shared();
      await target.allow('uname');
      const marked = file(target, 'marked');
      const workdir = realpathSync(target.directory);
      let pending;
      const turn = await context.agentTurn({
        node: target, agent, steps: [{ command: `touch '${marked}' two`, workdir }],
        decide: async (question) => {
          pending = await context.gateway.cli(['approvals', 'pending', '--json', '--url', context.gateway.url, '--token', context.gateway.token]);
          assert.ok(pending.stdout.includes(question.id), pending.text);
          return 'deny';
        },
      });
      assert.equal(turn.questions.length, 1, JSON.stringify(turn.raw));
      const { request } = turn.questions[0];
      assert.match(request.command, /touch/);
      assert.ok(request.command.includes(marked), request.command);
      assert.equal(request.cwd, workdir);
      assert.equal(request.host, 'node');
      assert.equal(request.nodeId, target.id);
      assert.equal(request.systemRunPlan?.argv?.[0] ?? request.commandArgv?.[0], realpathSync('/usr/bin/touch'));
      assert.ok(pending.stdout.includes(marked), pending.text);
      assert.equal(existsSync(marked), false, 'denied');
    }, options);
  }

  scenario('the official command line answers a question', async () => {
    const target = await shared();
    await target.allow('uname');
    const { path, log } = program(target);
    const turn = await context.agentTurn({
      node: target, command: `${path} answered`,
      decide: async (question) => {
        const answer = await context.gateway.cli(['approvals', 'resolve', question.id, 'allow-once', '--url', context.gateway.url, '--token', context.gateway.token]);
        assert.equal(answer.code, 0, answer.text);
      },
    });
    assert.equal(turn.questions.length, 1, JSON.stringify(turn.raw));
    await eventually(() => linesOf(log) === 1, { what: 'the approved program to have run' });
  }, options);

  scenario('allow-once runs the prepared plan once; the same command is asked about again', async () => {
    const target = await shared();
    await target.allow('uname');
    const { path, log } = program(target);
    const turn = await context.agentTurn({ node: target, steps: [`${path} a`, `${path} a`], decide: 'allow-once' });
    assert.equal(turn.questions.length, 2, JSON.stringify(turn.raw));
    await eventually(() => linesOf(log) === 2, { what: 'both runs' });
  }, options);

  scenario('allow-always makes the next identical command run unasked, and no other', async () => {
    const target = await shared();
    await target.allow('uname');
    const where = file(target, 'always');
    const turn = await context.agentTurn({
      node: target, steps: [`touch ${where}`, `touch ${where}`, `touch ${where}.other`], decide: (question) => (question.request.command.includes('.other') ? 'deny' : 'allow-always'),
    });
    assert.deepEqual(turn.questions.map(({ request }) => request.command.includes('.other')), [false, true], JSON.stringify(turn.raw));
    assert.equal(existsSync(where), true);
    assert.equal(existsSync(`${where}.other`), false);
  }, options);

  scenario('a standing grant that is revoked does not let the command run again', async () => {
    const target = await shared();
    await target.allow('uname');
    const where = file(target, 'revoked');
    const first = await context.agentTurn({ node: target, steps: [`touch ${where}`, `touch ${where}`], decide: 'allow-always' });
    assert.equal(first.questions.length, 1, JSON.stringify(first.raw));
    await target.allow('uname');
    rmSync(where);
    const after = await context.agentTurn({ node: target, command: `touch ${where}`, decide: 'deny' });
    assert.equal(existsSync(where), false, JSON.stringify(after.raw));
  }, options);

  scenario('a denied question ends the call with a refusal that the agent can read', async () => {
    const target = await shared();
    await target.allow('uname');
    const { path, log } = program(target);
    const turn = await context.agentTurn({ node: target, command: `${path} no`, decide: 'deny' });
    assert.equal(turn.raw.length, 1);
    assert.match(turn.raw[0], /denied|rejected/i);
    assert.equal(linesOf(log), 0);
  }, options);

  scenario('ask=always asks about a listed command too', async () => {
    const target = await shared();
    await target.setApprovals({
      defaults: { security: 'allowlist', ask: 'always', askFallback: 'deny' }, agents: { '*': { allowlist: [{ pattern: 'uname' }] } },
    });
    const turn = await context.agentTurn({ node: target, command: 'uname -s', decide: 'allow-once' });
    assert.equal(turn.questions.length, 1, JSON.stringify(turn.raw));
    assert.equal(turn.outputs[0].trim(), 'Linux');
  }, options);

  scenario('a script whose content changes between question and answer does not run', async () => {
    const target = await shared();
    await target.allow('uname');
    const { path, log } = program(target);
    const turn = await context.agentTurn({
      node: target, command: `${path} swapped`,
      decide: () => {
        writeFileSync(path, `#!/bin/sh\necho evil >>${log}\n`);
        chmodSync(path, 0o700);
        return 'allow-once';
      },
    });
    assert.equal(turn.questions.length, 1, JSON.stringify(turn.raw));
    assert.equal(linesOf(log), 0);
    assert.match(turn.raw[0], /SYSTEM_RUN_DENIED/);
  }, options);

  scenario('a policy that changes between question and answer: the approved command does not run', async () => {
    const target = await shared();
    await target.allow('uname');
    const { path, log } = program(target);
    const turn = await context.agentTurn({
      node: target, command: `${path} changed`,
      decide: async () => {
        await target.setApprovals({ defaults: { security: 'allowlist', ask: 'always', askFallback: 'deny' } });
        return 'allow-once';
      },
    });
    assert.equal(turn.questions.length, 1, JSON.stringify(turn.raw));
    assert.equal(linesOf(log), 0, JSON.stringify(turn.raw));
    assert.match(turn.raw[0], /policy changed/);
  }, options);

  // The node holds the question; the gateway asks nobody. The older gateway passes everything on for this caller.
  const answeredHere = async (target, command, words) => {
    const from = target.child.lines.length;
    const turn = context.agentTurn({ node: target, command });
    const { line } = await target.child.waitForLine(/a person is asked: .* approvals resolve /, { from });
    const id = /approvals resolve (\S+)/.exec(line)[1];
    const answer = await target.verb(['approvals', 'resolve', id, ...words]);
    assert.equal(answer.code, 0, answer.text);
    return turn;
  };

  scenario('askVia=local: the person on the machine is asked and the gateway asks nobody', async () => {
    const target = await shared();
    await target.allow('uname');
    assert.equal((await target.verb(['exec-policy', 'set', '--ask-via', 'local'])).code, 0);
    const where = file(target, 'local');
    const once = await answeredHere(target, `touch ${where}`, ['allow-once']);
    assert.equal(once.questions.length, 0, JSON.stringify(once.raw));
    assert.equal(existsSync(where), true, JSON.stringify(once.raw));
    rmSync(where);
    const always = await answeredHere(target, `touch ${where}`, ['allow-always']);
    assert.equal(existsSync(where), true, JSON.stringify(always.raw));
    rmSync(where);
    const unasked = await context.agentTurn({ node: target, command: `touch ${where}` });
    assert.equal(existsSync(where), true, JSON.stringify(unasked.raw));
    const denied = await answeredHere(target, `touch ${where}.other`, ['deny']);
    assert.equal(existsSync(`${where}.other`), false);
    assert.match(denied.raw[0], /a person refused it/);
    assert.equal((await target.verb(['exec-policy', 'set', '--ask-via', 'gateway'])).code, 0);
  }, { hostclaw: true });

  scenario('the record says who was asked and what was answered', async () => {
    const target = await shared();
    const { stdout, code } = await target.verb(['runs', '--json', '--limit', '200']);
    assert.equal(code, 0);
    const { runs } = JSON.parse(stdout);
    assert.ok(runs.some((run) => run.verdict === 'allow' && /touch/.test(run.command)));
    const verified = await target.verb(['audit', 'verify']);
    assert.equal(verified.code, 0, verified.text);
  }, options);
}
