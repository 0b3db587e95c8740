// SPDX-License-Identifier: Apache-2.0
// A real OpenClaw gateway on loopback, with its own state directory, port and configuration.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Operator } from './operator.mjs';
import { before, gatewayPackage } from './packages.mjs';
import { Child, eventually, run } from './process.mjs';

export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

export function temporaryDirectory(name) {
  return mkdtempSync(join(tmpdir(), `hostclaw-e2e-${name}-`));
}

// The agents of the test gateways, by the caller policy they apply to exec calls.
//   main: full/off (the gateway's default)      ask: allowlist/on-miss
function agentsConfig(version, workspace) {
  const model = { primary: 'scripted/scripted' };
  if (before(version, '2026.8')) {
    return {
      defaults: { model, workspace: join(workspace, 'main'), skipBootstrap: true },
      list: [
        { id: 'main', default: true, workspace: join(workspace, 'main'), tools: { exec: { host: 'node', security: 'full', ask: 'off' } } },
        { id: 'ask', workspace: join(workspace, 'ask'), tools: { exec: { host: 'node', security: 'allowlist', ask: 'on-miss' } } },
      ],
    };
  }
  return {
    defaults: { model, skipBootstrap: true },
    entries: {
      main: { default: true, workspace: join(workspace, 'main'), tools: { exec: { host: 'node', mode: 'full' } } },
      ask: { workspace: join(workspace, 'ask'), tools: { exec: { host: 'node', mode: 'ask' } } },
    },
  };
}

export class Gateway {
  // modelPort: port of a ScriptedModel; config: members laid over the default configuration; channels: whether
  // those that are configured start.
  static async start({ version, modelPort, tls = false, config = {}, stateDirectory, channels = false } = {}) {
    const gateway = new Gateway();
    gateway.package = gatewayPackage(version);
    gateway.version = version;
    gateway.protocol = gateway.package.protocol;
    gateway.directory = stateDirectory ?? temporaryDirectory(`gateway-${version}`);
    gateway.home = join(gateway.directory, 'home');
    mkdirSync(gateway.home, { recursive: true });
    gateway.port = await freePort();
    gateway.token = randomBytes(24).toString('base64url');
    gateway.tls = tls;
    gateway.channels = channels;
    gateway.#writeConfig(modelPort, config);
    await gateway.launch();
    return gateway;
  }

  #writeConfig(modelPort, config) {
    const base = {
      gateway: {
        mode: 'local', port: this.port, bind: 'loopback', auth: { mode: 'token', token: this.token },
        ...(this.tls && { tls: { enabled: true, autoGenerate: true } }),
      },
      update: { checkOnStart: false },
      logging: { file: join(this.directory, 'gateway.log') },
      agents: agentsConfig(this.version, join(this.directory, 'workspace')),
      tools: { profile: 'coding', ...(!before(this.version, '2026.8.2') && { alsoAllow: ['hostclaw_runs'] }) },
      plugins: { enabled: false },
      models: {
        mode: 'replace',
        providers: {
          scripted: {
            baseUrl: `http://127.0.0.1:${modelPort ?? 9}/v1`, apiKey: 'scripted', api: 'openai-completions',
            models: [{
              id: 'scripted', name: 'Scripted', reasoning: false, input: ['text'],
              cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 }, contextWindow: 200000, maxTokens: 8192,
            }],
          },
        },
      },
    };
    this.configPath = join(this.directory, 'openclaw.json');
    writeFileSync(this.configPath, JSON.stringify({ ...base, ...config, gateway: { ...base.gateway, ...config.gateway } }, null, 2), { mode: 0o600 });
  }

  get environment() {
    return {
      PATH: `${dirname(this.package.runtime)}:/usr/local/bin:/usr/bin:/bin`,
      HOME: this.home,
      LANG: 'C.UTF-8',
      OPENCLAW_STATE_DIR: this.directory,
      OPENCLAW_CONFIG_PATH: this.configPath,
      OPENCLAW_NO_AUTO_UPDATE: '1',
      ...(!this.channels && { OPENCLAW_SKIP_CHANNELS: '1' }),
      OPENCLAW_SKIP_GMAIL_WATCHER: '1',
      OPENCLAW_DISABLE_BONJOUR: '1',
      ...(this.package.plugins && { OPENCLAW_BUNDLED_PLUGINS_DIR: this.package.plugins }),
      ...(this.tls && { NODE_TLS_REJECT_UNAUTHORIZED: '0' }),
    };
  }

  get url() {
    return `${this.tls ? 'wss' : 'ws'}://127.0.0.1:${this.port}`;
  }

  async launch() {
    this.child = new Child(this.package.runtime, [this.package.entry, 'gateway', 'run', '--port', String(this.port)], {
      env: this.environment, cwd: this.directory, name: `gateway ${this.version}`,
    });
    await this.child.waitForLine(/\bready\b(?! pid)/, { timeoutMs: 300_000 });
    await this.reconnectOperator();
  }

  async reconnectOperator() {
    // "ready" is printed a moment before the last sidecars let operators in.
    this.operator = await eventually(() => Operator.connect({
      url: this.url, token: this.token, protocol: this.protocol, tls: { rejectUnauthorized: false },
    }).catch(() => undefined), { timeoutMs: 60_000, what: 'an operator connection' });
  }

  async restart({ between } = {}) {
    await this.stop({ keep: true });
    this.#removeLeftLocks();
    await between?.();
    await this.launch();
  }

  // 2026.4 that ends in the middle of a turn leaves the lock of its sessions behind, and waits for it after its start.
  #removeLeftLocks() {
    const agents = join(this.directory, 'agents');
    if (!existsSync(agents)) return;
    for (const name of readdirSync(agents, { recursive: true }))
      if (name.endsWith('sessions.json.lock')) rmSync(join(agents, name), { force: true });
  }

  request(method, params, options) {
    return this.operator.request(method, params, options);
  }

  // 2026.6 pairs its own tools with few rights and lets an operator approve more when they first need them. True when
  // there was something to approve.
  async approveOwnTools() {
    const { pending } = await this.request('device.pair.list', {});
    const own = (pending ?? []).filter((item) => item.role !== 'node' && !(item.roles ?? []).includes('node'));
    for (const { requestId } of own) await this.request('device.pair.approve', { requestId });
    return own.length > 0;
  }

  // Runs the official command line against this gateway.
  cli(args, { env = {}, timeoutMs = 60_000, input } = {}) {
    return run(this.package.runtime, [this.package.entry, ...args], {
      env: { ...this.environment, OPENCLAW_GATEWAY_TOKEN: this.token, ...env }, cwd: this.directory, timeoutMs, input, name: `openclaw ${args.join(' ')}`,
    });
  }

  log() {
    return this.child.lines.join('\n');
  }

  configuration() {
    return JSON.parse(readFileSync(this.configPath, 'utf8'));
  }

  async stop({ keep = false } = {}) {
    await this.operator?.close();
    await this.child?.stop({ graceMs: 15_000 });
    if (!keep) rmSync(this.directory, { recursive: true, force: true });
  }
}
