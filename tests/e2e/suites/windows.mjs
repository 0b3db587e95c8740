// SPDX-License-Identifier: Apache-2.0
// The program for Windows, under Wine, on the real gateway: pairing, the commands, agent turns.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../lib/process.mjs';
import { windowsPath } from '../lib/wine.mjs';

const system32 = 'c:\\windows\\system32';
const callers = { main: 'caller full/off', ask: 'caller allowlist/on-miss' };

export default function windows(context, scenario) {
  let node;
  const shared = async () => (node ??= await context.pairedNode());

  scenario('a node on Windows goes through both stages of pairing without a restart', async () => {
    const entry = await (await shared()).entry();
    assert.match(entry.platform, /^win/);
    assert.ok(entry.commands.includes('system.run'), JSON.stringify(entry));
  });

  scenario('system.which finds programs with the extensions of this machine', async () => {
    const { payload } = await (await shared()).invoke('system.which', { bins: ['cmd', 'hostname', 'no-such-program'] });
    assert.equal(payload.bins.cmd?.toLowerCase(), `${system32}\\cmd.exe`);
    assert.equal(payload.bins.hostname?.toLowerCase(), `${system32}\\hostname.exe`);
    assert.ok(!('no-such-program' in payload.bins));
  });

  scenario('system.run of a listed command runs it, of another is refused', async () => {
    const target = await shared();
    await target.allow(`${system32}\\hostname.exe`);
    const { payload } = await target.invoke('system.run', { command: ['hostname'], agentId: 'main' });
    assert.equal(payload.exitCode, 0, JSON.stringify(payload));
    assert.notEqual(payload.stdout.trim(), '');
    const error = await target.invoke('system.run', { command: ['whoami'], agentId: 'main' }).then(() => assert.fail('it ran'), (reason) => reason);
    assert.match(error.message, /SYSTEM_RUN_DENIED/);
  });

  scenario('cmd.exe text is not allowed by a listed cmd.exe', async () => {
    const target = await shared();
    await target.allow(`${system32}\\cmd.exe`);
    const proof = join(target.directory, 'proof');
    const command = ['cmd.exe', '/c', `echo x> ${windowsPath(proof)}`];
    const error = await target.invoke('system.run', { command, agentId: 'main' }).then(() => assert.fail('it ran'), (reason) => reason);
    assert.match(error.message, /SYSTEM_RUN_DENIED/);
    assert.equal(existsSync(proof), false);
  });

  // The older gateway compares the words of a command with the list by itself for a caller with
  // allowlist/on-miss, and sees no path in `C:/...`: it asks.
  const listed = context.protocol >= 4 ? Object.entries(callers) : [['main', callers.main]];
  for (const [agent, caller] of listed) {
    for (const [how, patterns] of [['by name', ['hostname', 'whoami']], ['by path', [`${system32}\\hostname.exe`, `${system32}\\whoami.exe`]]]) {
      scenario(`${caller}: commands listed ${how} run unprompted`, async () => {
        const target = await shared();
        await target.allow(...patterns);
        const turn = await context.agentTurn({ node: target, agent, steps: ['hostname', 'whoami'] });
        assert.equal(turn.questions.length, 0, `asked about: ${turn.questions.map((question) => question.request.command)}`);
        assert.equal(turn.outputs.length, 2, JSON.stringify(turn.raw));
        for (const output of turn.outputs) assert.match(output.trim(), /^[\w.\\-]+$/, JSON.stringify(turn.raw));
      });
    }
  }

  // The older gateway leaves a full/off caller to the node, which refuses.
  for (const agent of context.protocol >= 4 ? ['main', 'ask'] : ['ask']) {
    scenario(`${callers[agent]}: an unlisted command is asked about once, and runs when that is allowed`, async () => {
      const target = await shared();
      await target.allow('hostname');
      const allowed = await context.agentTurn({ node: target, agent, command: 'whoami', decide: 'allow-once' });
      assert.equal(allowed.questions.length, 1, JSON.stringify(allowed.raw));
      await eventually(async () => {
        const { stdout } = await target.verb(['runs', '--json']);
        return JSON.parse(stdout).runs.some((run) => run.verdict === 'allow' && run.exitCode === 0 && run.command.includes('whoami'));
      }, { what: 'the approved command to have run' });
      const denied = await context.agentTurn({ node: target, agent, command: 'whoami', decide: 'deny' });
      assert.equal(denied.questions.length, 1, 'allow-once does not cover the next command');
    });
  }
}
