// SPDX-License-Identifier: Apache-2.0
// What the suites of one gateway release share: one gateway, one model, one policy-driven node. Suites of the relay
// share one without any of them.
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';
import { Gateway } from './gateway.mjs';
import { ScriptedModel } from './model.mjs';
import { gatewayReleases } from './packages.mjs';
import { NodeHost, pairedNode } from './node.mjs';
import { Relay } from './relay.mjs';
import { Tap } from './tap.mjs';
import { isWindowsProgram } from './wine.mjs';

export class Context {
  constructor({ version, host, only, timeoutMs = 180_000 }) {
    Object.assign(this, { version, host, only, timeoutMs });
    this.official = host.startsWith('official');
    this.windows = isWindowsProgram(host);
    this.protocol = gatewayReleases[version]?.protocol;
    this.disposables = [];
    this.evidence = []; // of a failure, beside the gateway's last words: functions that give lines
    this.outcomes = new Map(); // of the scenarios, by title: true when it passed
  }

  async start() {
    this.model = await ScriptedModel.start();
    // Trusting loopback as a proxy lets a Tap present a node as a remote one.
    this.gateway = await Gateway.start({
      version: this.version, modelPort: this.model.port, config: { gateway: { trustedProxies: ['127.0.0.1'] } },
    });
  }

  node(options = {}) {
    return this.#kept(new NodeHost({ host: this.host, gateway: this.gateway, ...options }));
  }

  async pairedNode(options = {}, start = {}) {
    return this.#kept(await pairedNode({ host: this.host, gateway: this.gateway, ...options }, start));
  }

  async relay(options = {}) {
    const relay = await Relay.start({ host: this.host, ...options });
    this.disposables.push(() => relay.dispose());
    return relay;
  }

  async tap(options = {}) {
    const tap = await Tap.start({ target: this.gateway.url, ...options });
    this.disposables.push(() => tap.stop());
    return tap;
  }

  #kept(node) {
    this.disposables.push(() => node.dispose());
    return node;
  }

  // Ends the nodes and taps that the tests of one suite left behind.
  async sweep() {
    for (const dispose of this.disposables.splice(0).reverse()) await dispose().catch(() => {});
  }

  async stop() {
    await this.sweep();
    await this.gateway?.stop();
    await this.model?.stop();
  }

  // Registers the tests of a suite. define(scenario) calls scenario(title, body, {protocol, hostclaw, timeoutMs}).
  suite(name, define, hooks = {}) {
    const selected = (title) => !this.only || name.includes(this.only) || title.includes(this.only);
    const scenarios = [];
    define((title, body, options = {}) => {
      if (selected(title)) scenarios.push({ title, body, options });
    });
    if (!scenarios.length) return;
    describe(name, () => {
      for (const { title, body, options } of scenarios) {
        test(title, { timeout: options.timeoutMs ?? this.timeoutMs, skip: this.#reasonToSkip(options) }, async (t) => {
          try {
            await body(t);
            this.outcomes.set(title, true);
          } catch (error) {
            this.outcomes.set(title, false);
            for (const line of this.#evidence()) t.diagnostic(line);
            throw error;
          }
        });
      }
      if (hooks) test(`${name}: everything that was started has ended`, async () => { await this.sweep(); });
    });
  }

  #evidence() {
    const gateway = (this.gateway?.child?.lines ?? []).slice(-12).map((line) => `gateway: ${line.slice(0, 300)}`);
    return [...gateway, ...this.evidence.flatMap((lines) => lines())];
  }

  #reasonToSkip({ protocol, hostclaw }) {
    if (protocol && this.protocol < protocol) return `gateway ${this.version} has no such feature`;
    if (hostclaw && this.official) return 'the official host behaves differently here';
    return false;
  }

  // One agent turn that calls exec with host=node for each step, in order.
  //   agent: 'main' (caller full/off) or 'ask' (caller allowlist/on-miss)
  //   via:   'chat' waits for a human where one is needed; 'agent' is the headless form
  //   decide: answer for each question that comes up, e.g. 'allow-once'; or a function of the question that
  //           gives it, or gives nothing because it has answered by other means
  //   sessionKey: of a session that goes on; a new one without it
  // Returns {outputs, questions, end}.
  async agentTurn({ node, agent = 'main', via = 'chat', steps, command, decide, timeoutMs = 60_000, extra = {}, sessionKey }) {
    const id = randomUUID().slice(0, 8);
    const message = this.model.script(id, (steps ?? [command]).map((step) =>
      ({ node: node.id, ...(typeof step === 'string' ? { command: step } : step), ...extra })));
    sessionKey ??= `agent:${agent}:turn-${id}`;
    const { operator } = this.gateway;
    const from = operator.mark();
    const questions = [];
    let failed;
    const answer = async (question) => {
      const decision = typeof decide === 'function' ? await decide(question) : decide;
      if (decision) await operator.request('exec.approval.resolve', { id: question.id, decision });
    };
    const onQuestion = (question) => {
      if (question.request?.sessionKey !== sessionKey) return;
      questions.push(question);
      answer(question).catch((error) => { failed ??= error; });
    };
    operator.on('exec.approval.requested', onQuestion);
    try {
      let end;
      if (via === 'chat') {
        const { runId } = await operator.request('chat.send', { sessionKey, message, idempotencyKey: randomUUID() });
        this.lastRun = { sessionKey, runId };
        end = await operator.waitForEvent('chat', (event) => event.runId === runId && ['final', 'error', 'aborted'].includes(event.state), { from, timeoutMs });
      } else {
        const { runId } = await operator.request('agent', { sessionKey, agentId: agent, message, idempotencyKey: randomUUID(), deliver: false });
        end = await operator.request('agent.wait', { runId, timeoutMs }, { timeoutMs: timeoutMs + 10_000 });
      }
      if (failed) throw failed;
      return { id, sessionKey, outputs: this.model.results(id).map(outputOf), raw: this.model.results(id), questions, end };
    } finally {
      operator.off('exec.approval.requested', onQuestion);
    }
  }
}

// What the command printed, without the lines that the newer gateway puts in front of it.
export function outputOf(result) {
  return result.replace(/^Node: [0-9a-f]{64}\n/, '').replace(/^Warning: tools\.exec\.pathPrepend[^\n]*\n/, '').replace(/^\n/, '');
}
