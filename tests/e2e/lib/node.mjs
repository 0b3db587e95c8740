// SPDX-License-Identifier: Apache-2.0
// Runs the node host under test: hostclaw, or the official host of one of the gateway packages.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from './gateway.mjs';
import { gatewayPackage } from './packages.mjs';
import { Child, eventually, run } from './process.mjs';
import { isWindowsProgram, windowsPath, wineCommand, wineEnvironment } from './wine.mjs';

let counter = 0;

// host: a path of a hostclaw executable (of Windows, when it ends in .exe), or 'official' / 'official:<release>'.
export class NodeHost {
  constructor({ host, gateway, name, stateDirectory, env = {} }) {
    this.host = host;
    this.official = host.startsWith('official');
    this.windows = isWindowsProgram(host);
    this.gateway = gateway;
    this.name = name ?? `node-${process.pid}-${++counter}`;
    this.directory = stateDirectory ?? temporaryDirectory('node');
    // The usual layout of the official host: the older one keeps its approvals below the home directory
    // whatever its state directory is.
    this.stateDirectory = this.official ? join(this.directory, '.openclaw') : this.directory;
    this.extraEnvironment = env;
    if (this.official) this.package = gatewayPackage(host.split(':')[1] ?? '2026.9.6');
  }

  get environment() {
    return {
      PATH: '/usr/local/bin:/usr/bin:/bin',
      HOME: this.directory,
      LANG: 'C.UTF-8',
      OPENCLAW_NO_AUTO_UPDATE: '1',
      ...(this.official ? { OPENCLAW_STATE_DIR: this.stateDirectory }
        : { HOSTCLAW_STATE_DIR: this.windows ? windowsPath(this.stateDirectory) : this.stateDirectory }),
      ...(this.windows && wineEnvironment(this.host)),
      ...(this.package?.plugins && { OPENCLAW_BUNDLED_PLUGINS_DIR: this.package.plugins }),
      ...this.extraEnvironment,
    };
  }

  #command(args) {
    if (this.windows) return wineCommand(this.host, args);
    return this.official ? [this.package.runtime, [this.package.entry, ...args]] : [this.host, args];
  }

  // Options: port and address of the gateway or of a tap; auth false leaves the shared token out.
  start({ port = this.gateway.port, auth = true, args = [], env = {}, verb = ['node', 'run'], target = true } = {}) {
    const [command, words] = this.#command([
      ...verb,
      ...(target ? ['--host', '127.0.0.1', '--port', String(port)] : []),
      ...(this.gateway.tls && target ? ['--tls'] : []),
      '--display-name', this.name, ...args,
    ]);
    this.startedAt = Date.now();
    this.child = new Child(command, words, {
      env: { ...this.environment, ...(auth && { OPENCLAW_GATEWAY_TOKEN: this.gateway.token }), ...env },
      cwd: this.directory, name: this.name,
    });
    return this;
  }

  // A short-lived command of the same program on the same state.
  verb(args, options = {}) {
    const [command, words] = this.#command(args);
    return run(command, words, { ...options, env: { ...this.environment, ...options.env }, cwd: this.directory, name: `${this.name}: ${args.join(' ')}` });
  }

  async entry() {
    const { nodes } = await this.gateway.request('node.list', {});
    return nodes.find((node) => (this.id ? node.nodeId === this.id : node.displayName === this.name));
  }

  // The gateway's entry of this node once it is connected.
  async connected(options = {}) {
    const entry = await eventually(async () => {
      if (this.child.exited) throw new Error(`${this.name} ended: ${JSON.stringify(this.child.status)}\n${this.child.tail()}`);
      const found = await this.entry();
      // A connection of an earlier start may still be shown for a moment.
      return found?.connected && found.connectedAtMs >= this.startedAt ? found : undefined;
    }, { timeoutMs: 30_000, what: `${this.name} to be connected\n${this.child.tail()}`, ...options }).catch((error) => {
      throw new Error(`${error.message}\n${this.child.tail()}`);
    });
    this.id = entry.nodeId;
    return entry;
  }

  pendingSurface() {
    return eventually(async () => {
      const { pending } = await this.gateway.request('node.pair.list', {});
      return pending.find((item) => item.nodeId === this.id);
    }, { what: `a pending surface of ${this.name}` });
  }

  // Approves the pending command surface; resolves when the gateway shows the commands as usable.
  async approveSurface() {
    const request = await this.pendingSurface();
    await this.gateway.request('node.pair.approve', { requestId: request.requestId });
    await eventually(async () => (await this.entry())?.commands?.includes('system.run'), { what: `an approved surface of ${this.name}` });
    return request;
  }

  invoke(command, params, { timeoutMs = 20_000 } = {}) {
    return this.#ask('node.invoke', {
      nodeId: this.id, command, params, timeoutMs, idempotencyKey: `${this.name}-${++counter}`,
    }, { timeoutMs: timeoutMs + 10_000 });
  }

  // The gateway now and then refuses a request before it has sent anything to the node ("node pairing
  // changed before request dispatch", "requires a current worker publication" right after a pairing that
  // nobody had to approve); asking again is right, and the only thing that is retried.
  async #ask(method, params, options) {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.gateway.request(method, params, options);
      } catch (error) {
        if (attempt >= 5 || !/before request dispatch|current worker publication/.test(error.message)) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }

  approvals() {
    return this.#ask('exec.approvals.node.get', { nodeId: this.id });
  }

  // Replaces the approvals document of the node through the gateway.
  async setApprovals(file) {
    const { hash } = await this.approvals();
    return this.#ask('exec.approvals.node.set', { nodeId: this.id, file: { version: 1, ...file }, baseHash: hash });
  }

  // allowlist/on-miss with these patterns for every agent.
  allow(...entries) {
    return this.setApprovals({
      defaults: { security: 'allowlist', ask: 'on-miss', askFallback: 'deny' },
      agents: { '*': { allowlist: entries.map((entry) => (typeof entry === 'string' ? { pattern: entry } : entry)) } },
    });
  }

  async stop(options) {
    return this.child?.stop(options);
  }

  async dispose() {
    await this.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

// Starts a node on the gateway and takes it through both stages of pairing.
export async function pairedNode(options, start = {}) {
  const node = new NodeHost(options).start(start);
  await node.connected();
  await node.approveSurface();
  return node;
}
