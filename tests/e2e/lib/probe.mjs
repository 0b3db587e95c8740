// SPDX-License-Identifier: Apache-2.0
// A node written for the tests: connects like a node host, records every frame, and answers invokes
// with functions that the test supplies.
import { createHash, createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { waitFor } from './process.mjs';
import { WebSocket } from './websocket.mjs';

export function createIdentity() {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  return {
    deviceId: createHash('sha256').update(raw).digest('hex'),
    publicKey: raw.toString('base64url'),
    privateKey: privateKey.export({ format: 'pem', type: 'pkcs8' }),
  };
}

export const nodeCommands = ['system.execApprovals.get', 'system.execApprovals.set', 'system.run', 'system.run.prepare', 'system.which'];

export class ProbeNode extends EventEmitter {
  constructor({ url, auth, identity = createIdentity(), name = 'probe', handlers = {}, commands = nodeCommands, headers, tls = {} }) {
    super();
    this.setMaxListeners(0);
    Object.assign(this, { url, auth, identity, name, handlers, commands, headers, tls });
    this.frames = [];
    this.count = 0;
  }

  // Resolves with {hello} or {error, close}.
  connect() {
    this.socket = new WebSocket(this.url, { perMessageDeflate: false, maxPayload: 64 << 20, headers: this.headers, ...this.tls });
    this.socket.on('error', () => {});
    this.closed = undefined;
    this.socket.on('close', (code, reason) => {
      this.closed = { code, reason: String(reason) };
      this.#record('close', this.closed);
    });
    this.socket.on('message', (data) => this.#receive(JSON.parse(String(data))));
    return waitFor(this, () => {
      const outcome = this.outcome;
      if (outcome && (outcome.hello || this.closed)) return { ...outcome, close: this.closed };
      if (this.closed) return { close: this.closed };
      return undefined;
    }, { what: () => 'an answer to connect' });
  }

  #record(direction, frame) {
    this.frames.push({ direction, frame });
    this.emit('change');
  }

  send(method, params) {
    const id = String(++this.count);
    const frame = { type: 'req', id, method, params };
    this.socket.send(JSON.stringify(frame));
    this.#record('node->gateway', frame);
    return id;
  }

  #signature({ nonce, ts }) {
    const secret = this.auth.token ?? this.auth.deviceToken ?? this.auth.bootstrapToken ?? '';
    const text = ['v3', this.identity.deviceId, 'node-host', 'node', 'node', '', ts, secret, nonce, 'linux', 'linux'].join('|');
    return sign(null, Buffer.from(text), createPrivateKey(this.identity.privateKey)).toString('base64url');
  }

  async #receive(frame) {
    this.#record('gateway->node', frame);
    if (frame.event === 'connect.challenge') {
      const { nonce, ts } = frame.payload;
      this.connectId = this.send('connect', {
        minProtocol: 3, maxProtocol: 4,
        client: { id: 'node-host', displayName: this.name, version: 'probe-1.0', platform: 'linux', deviceFamily: 'Linux', mode: 'node' },
        caps: ['system'], commands: this.commands, auth: this.auth, role: 'node', scopes: [],
        device: { id: this.identity.deviceId, publicKey: this.identity.publicKey, signature: this.#signature(frame.payload), signedAt: ts, nonce },
      });
    } else if (frame.type === 'res' && frame.id === this.connectId) {
      this.outcome = frame.ok ? { hello: frame.payload } : { error: frame.error };
      if (frame.ok && frame.payload.auth?.deviceToken) this.deviceToken = frame.payload.auth.deviceToken;
      this.emit('change');
    } else if (frame.event === 'node.invoke.request') {
      const { id, nodeId, command, paramsJSON } = frame.payload;
      const handler = this.handlers[command];
      const answer = handler ? await handler(JSON.parse(paramsJSON ?? 'null'), frame.payload) : { error: { code: 'UNAVAILABLE', message: 'command not supported' } };
      if (!answer) return;
      if (answer.error) this.send('node.invoke.result', { id, nodeId, ok: false, error: answer.error });
      else this.send('node.invoke.result', { id, nodeId, ok: true, payloadJSON: JSON.stringify(answer.payload) });
    }
  }

  waitForFrame(matches, options) {
    return waitFor(this, () => this.frames.find((entry) => matches(entry.frame, entry.direction)), { what: () => 'a frame', ...options });
  }

  close() {
    return new Promise((resolve) => {
      if (!this.socket || this.closed) return resolve();
      this.socket.once('close', resolve);
      this.socket.close();
    });
  }
}
