// SPDX-License-Identifier: Apache-2.0
// OpenClaw's own A2A channel as client of the relay: an agent of a gateway gives tasks to agents of the relay. The
// channel reads no card, names no version, does not wait and never asks again: the answer is fetched by who has the
// same credential. And the other way round: an agent of the relay that is a gateway's, whose turns answer its tasks.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bearer, connect, lastExchanges, listing, state, textsOf } from '../lib/a2a.mjs';
import { Context } from '../lib/context.mjs';
import { Gateway } from '../lib/gateway.mjs';
import { ScriptedModel } from '../lib/model.mjs';
import { newest } from '../lib/packages.mjs';

const saying = (target, message) => ({ tool: 'message', arguments: { action: 'send', channel: 'a2a', target, message } });

export default function clawlinkOpenclaw(context, scenario) {
  context.evidence.push(lastExchanges);

  // One turn of the agent, for a gateway takes its time to start.
  let played;
  const turn = () => (played ??= play());
  async function play() {
    const relay = await context.relay({ token: 'house-key', args: ['--require-credentials'] });
    const [worker, account] = [await relay.agent({ name: 'worker' }), await relay.agent({ name: 'openclaw' })];
    const url = (id) => `${relay.url}/a2a/agents/${id}`;
    const peer = (id, outboundToken) => ({ token: 'inbound', url: url(id), outboundToken });
    const own = new Context({ version: newest, host: context.host });
    context.disposables.push(() => own.stop());
    own.model = await ScriptedModel.start();
    own.gateway = await Gateway.start({
      version: newest, modelPort: own.model.port, channels: true, config: {
        plugins: { allow: ['a2a'] },
        tools: { profile: 'coding', alsoAllow: ['message'], toolSearch: false },
        channels: {
          a2a: {
            enabled: true,
            peers: { worker: peer(worker.id, account.token), unknown: peer('nobody', account.token), guarded: peer(worker.id, 'wrong-key') },
          },
        },
      },
    });
    const { raw } = await own.agentTurn({
      node: {}, timeoutMs: 120_000,
      steps: [saying('worker', 'build main'), saying('worker', 'and test it'), saying('unknown', 'anybody?'), saying('guarded', 'let me in')],
    });
    return { relay, worker, account, raw, own };
  }
  const options = { timeoutMs: 300_000 };

  scenario('what an agent of OpenClaw says to a peer is a task of that agent of the relay, from a sender that is known', async () => {
    const { worker, account, raw } = await turn();
    const messages = await worker.messages();
    assert.deepEqual(messages.map(({ task }) => task), ['build main', 'and test it'], JSON.stringify(raw));
    for (const message of messages) assert.deepEqual([message.type, message.from_agent, message.sender_verified], ['task_delegation', account.id, true]);
    assert.equal(messages[0].context_id, messages[1].context_id, 'the channel has one conversation with each peer');
    for (const [index, { task_id }] of messages.entries()) {
      const { deliveryStatus, result } = JSON.parse(raw[index]);
      assert.deepEqual([deliveryStatus, result.messageId], ['sent', task_id], 'the receipt is the id of the task');
    }
    await worker.respond(messages[0], 'built');
    const client = await connect(worker, { fetchImpl: bearer(account.token) });
    const { tasks } = await client.listTasks(listing({ contextId: messages[0].context_id, includeArtifacts: true }));
    assert.deepEqual(tasks.map((task) => [state(task), task.artifacts.flatMap(({ parts }) => textsOf(parts))]), [['COMPLETED', ['built']], ['SUBMITTED', []]]);
  }, options);

  scenario('a task for an agent that lives in a gateway is a turn there, and what the turn says comes back', async () => {
    const { relay, account, own } = await turn();
    const tokenFile = join(relay.directory, 'token-of-the-gateway');
    writeFileSync(tokenFile, 'inbound\n', { mode: 0o600 });
    await relay.owner('forward', 'add', 'gateway', '--url', `http://127.0.0.1:${own.gateway.port}/a2a/v1`, '--token-file', tokenFile, '--skill', 'upgrade');
    const [first, second] = ['carried-1', 'carried-2'].map((id) => own.model.script(id, []));
    const given = await account.say('delegate', '--to', 'gateway', '--task', first);
    const answer = await account.nextMessage();
    assert.deepEqual([answer.type, answer.from_agent, answer.message_id, answer.status], ['task_response', 'gateway', given.message_id, 'completed'], JSON.stringify(answer));
    assert.match(answer.result, /finished carried-1/);
    // Its context goes on over there.
    await account.say('delegate', '--to', 'gateway', '--task', second);
    assert.match((await account.nextMessage()).result, /finished carried-2/);
    await account.say('delegate', '--to', 'gateway', '--task', '/status');
    assert.equal((await account.nextMessage()).status, 'rejected', 'a command of the gateway is not sent');
  }, options);

  scenario('an agent of OpenClaw is told when nobody is there, and when its token is not right', async () => {
    const { raw } = await turn();
    assert.equal(raw.length, 4);
    for (const [text, status] of [[raw[2], '404'], [raw[3], '401']]) assert.match(text, new RegExp(status), text);
  }, options);
}
