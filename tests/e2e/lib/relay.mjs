// SPDX-License-Identifier: Apache-2.0
// A relay of `hostclaw clawlink serve` on loopback, with its own state, and accounts that speak to it by the same
// program's client.
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from './gateway.mjs';
import { Child, run } from './process.mjs';

const base = { PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'C.UTF-8' };

export class Relay {
  // token: the shared one; args: more of `serve`.
  static async start({ host, token, args = [] }) {
    const relay = new Relay();
    Object.assign(relay, { host, token, args, port: 0, accounts: 0, directory: temporaryDirectory('relay') });
    try {
      await relay.#launch();
    } catch (error) {
      await relay.dispose();
      throw error;
    }
    return relay;
  }

  async #launch() {
    this.child = new Child(this.host, ['clawlink', 'serve', '--port', String(this.port), '--no-mdns', '--json', ...this.args], {
      env: { ...base, HOME: this.directory, HOSTCLAW_STATE_DIR: join(this.directory, 'state'), ...(this.token && { CLAWLINK_TOKEN: this.token }) },
      cwd: this.directory, name: 'relay',
    });
    const { line } = await this.child.waitForLine('"port":');
    this.port = JSON.parse(line).port;
    this.url = `http://127.0.0.1:${this.port}`;
  }

  // On the same state and port.
  async restart(how) {
    await this.child.stop(how);
    await this.#launch();
  }

  // A new account with a home of its own, registered as an agent.
  async agent({ name = 'worker', caps = ['build'], description } = {}) {
    const home = join(this.directory, `home-${++this.accounts}`);
    mkdirSync(home);
    const agent = new Agent(this, home);
    const { agent: registered } = await agent.say('register', '--name', name, '--caps', caps.join(','), ...(description ? ['--description', description] : []));
    agent.id = registered.agent_id;
    return agent;
  }

  // What the relay's owner types on its machine.
  async owner(...words) {
    const answer = await run(this.host, ['clawlink', ...words], {
      env: { ...base, HOME: this.directory, HOSTCLAW_STATE_DIR: join(this.directory, 'state') }, cwd: this.directory, name: `clawlink ${words.join(' ')}`,
    });
    if (answer.code !== 0) throw new Error(`clawlink ${words.join(' ')}: ${answer.text}`);
    return answer;
  }

  // One request of the relay's own routes, as JSON.
  async request(path, body, headers = {}) {
    const response = await fetch(this.url + path, {
      method: body === undefined ? 'GET' : 'POST', headers: { ...(this.token && { Authorization: `Bearer ${this.token}` }), ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    return { status: response.status, body: await response.json() };
  }

  async dispose() {
    await this.child.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export class Agent {
  constructor(relay, home) {
    Object.assign(this, { relay, home });
  }

  get token() {
    return JSON.parse(readFileSync(join(this.home, '.clawlink', 'agent_state.json'), 'utf8')).agent_token;
  }

  // What the client prints as JSON; fails when it fails.
  async say(...words) {
    const { relay, home } = this;
    const answer = await run(relay.host, ['clawlink', '--relay', relay.url, ...words, '--json'], {
      env: { ...base, HOME: home, HOSTCLAW_STATE_DIR: join(home, 'state'), ...(relay.token && { CLAWLINK_TOKEN: relay.token }) },
      cwd: home, name: `clawlink ${words.join(' ')}`,
    });
    if (answer.code !== 0) throw new Error(`clawlink ${words.join(' ')}: ${answer.text}`);
    return JSON.parse(answer.stdout);
  }

  // The next messages; waits for the first one.
  async messages() {
    const { messages } = await this.say('poll', '--wait', '30');
    return messages;
  }

  async nextMessage() {
    const messages = await this.messages();
    if (messages.length !== 1) throw new Error(`one message was expected, not ${JSON.stringify(messages)}`);
    return messages[0];
  }

  respond({ message_id }, result, status = 'completed') {
    return this.say('respond', '--msg-id', message_id, '--status', status, '--result', result);
  }

  // Takes one task and answers it.
  async answerOne(result, status) {
    const message = await this.nextMessage();
    await this.respond(message, typeof result === 'function' ? result(message) : result, status);
    return message;
  }
}
