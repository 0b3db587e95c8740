// SPDX-License-Identifier: Apache-2.0
// An operator on the gateway's WebSocket: requests, answers, events.
import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { waitFor } from './process.mjs';
import { WebSocket } from './websocket.mjs';

export class GatewayError extends Error {
  constructor(method, error) {
    super(`${method}: ${error?.code}: ${error?.message}`);
    this.code = error?.code;
    this.details = error?.details;
    this.error = error;
  }
}

export class Operator extends EventEmitter {
  static async connect(options) {
    const operator = new Operator();
    await operator.#open(options);
    return operator;
  }

  constructor() {
    super();
    this.setMaxListeners(0);
    this.pending = new Map();
    this.events = [];
  }

  #open({ url, token, protocol, tls = {}, caps = ['approvals', 'exec-approvals', 'tool-events'] }) {
    return new Promise((resolve, reject) => {
      this.socket = new WebSocket(url, { perMessageDeflate: false, maxPayload: 64 << 20, ...tls });
      this.socket.on('error', reject);
      this.socket.on('close', (code, reason) => {
        this.closed = { code, reason: String(reason) };
        for (const { reject: fail, method } of this.pending.values()) fail(new Error(`${method}: the connection closed (${code} ${reason})`));
        this.pending.clear();
        reject(new Error(`closed before hello (${code} ${reason})`));
        this.emit('change');
      });
      this.socket.on('message', (data) => this.#receive(JSON.parse(String(data))));
      this.once('connect.challenge', () => {
        this.request('connect', {
          minProtocol: protocol ?? 3, maxProtocol: protocol ?? 4,
          client: { id: 'gateway-client', displayName: 'end-to-end tests', version: '1.0', platform: 'linux', mode: 'backend' },
          caps, role: 'operator',
          scopes: ['operator.admin', 'operator.read', 'operator.write', 'operator.approvals', 'operator.pairing'],
          auth: { token },
        }).then((hello) => { this.hello = hello; resolve(); }, reject);
      });
    });
  }

  #receive(frame) {
    if (frame.type === 'res') {
      const waiter = this.pending.get(frame.id);
      this.pending.delete(frame.id);
      if (!waiter) return;
      if (frame.ok) waiter.resolve(frame.payload);
      else waiter.reject(new GatewayError(waiter.method, frame.error));
    } else if (frame.type === 'event') {
      if (frame.event === 'tick' || frame.event === 'health') return;
      this.events.push({ event: frame.event, payload: frame.payload });
      this.emit(frame.event, frame.payload);
      this.emit('change');
    }
  }

  request(method, params = {}, { timeoutMs = 60_000 } = {}) {
    const id = randomUUID();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.pending.delete(id);
        reject(new Error(`${method}: no answer in ${timeoutMs} ms`));
      }, timeoutMs);
      const settle = (action) => (value) => { clearTimeout(timer); action(value); };
      this.pending.set(id, { method, resolve: settle(resolve), reject: settle(reject) });
      this.socket.send(JSON.stringify({ type: 'req', id, method, params }));
    });
  }

  // Position in the event record; give it to waitForEvent to see only what comes later.
  mark() {
    return this.events.length;
  }

  eventsSince(mark, name) {
    return this.events.slice(mark).filter((entry) => !name || entry.event === name).map((entry) => entry.payload);
  }

  waitForEvent(name, matches = () => true, { timeoutMs = 30_000, from = 0 } = {}) {
    return waitFor(this, () => {
      if (this.closed) throw new Error(`the operator connection closed (${this.closed.code}) while waiting for ${name}`);
      return this.events.slice(from).find((entry) => entry.event === name && matches(entry.payload))?.payload;
    }, { timeoutMs, what: () => `event ${name}; seen: ${this.events.slice(from).map((entry) => entry.event).join(' ')}` });
  }

  close() {
    return new Promise((resolve) => {
      if (this.closed) return resolve();
      this.socket.once('close', resolve);
      this.socket.close();
    });
  }
}
