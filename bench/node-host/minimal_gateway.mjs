// SPDX-License-Identifier: Apache-2.0
// The least gateway that a node host accepts: a challenge, a hello, invokes, and yes to everything.
// Keeping it this small keeps its own cost out of the figures.
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { WebSocketServer } from '../../tests/e2e/lib/websocket.mjs';

export class MinimalGateway {
  static async start() {
    const gateway = new MinimalGateway();
    await new Promise((resolve) => gateway.server.listen(0, '127.0.0.1', resolve));
    gateway.port = gateway.server.address().port;
    return gateway;
  }

  constructor() {
    this.server = createServer();
    this.sockets = new WebSocketServer({ server: this.server, perMessageDeflate: false, maxPayload: 64 << 20 });
    this.waiting = new Map();
    this.nodeWaiters = [];
    this.sockets.on('connection', (socket) => this.#serve(socket));
  }

  #serve(socket) {
    socket._socket.setNoDelay(true);
    const send = (frame) => socket.send(JSON.stringify(frame));
    send({ type: 'event', event: 'connect.challenge', payload: { nonce: randomUUID(), ts: Date.now() } });
    socket.on('error', () => {});
    socket.on('message', (data) => {
      const frame = JSON.parse(data);
      if (frame.type !== 'req') return;
      if (frame.method === 'connect') {
        send({ type: 'res', id: frame.id, ok: true, payload: this.#hello() });
        const node = new Node(this, frame.params.device.id, send, socket);
        this.nodeWaiters.shift()?.(node);
        return;
      }
      send({ type: 'res', id: frame.id, ok: true, payload: { ok: true } });
      if (frame.method === 'node.invoke.result') {
        const { id, ok, payload, payloadJSON, error } = frame.params;
        const waiter = this.waiting.get(id);
        this.waiting.delete(id);
        if (ok) waiter?.resolve(payloadJSON ? JSON.parse(payloadJSON) : payload);
        else waiter?.reject(new Error(`${error?.code}: ${error?.message}`));
      }
    });
  }

  #hello() {
    return {
      type: 'hello-ok', protocol: 4, server: { version: '2026.9.6', connId: randomUUID() },
      features: { methods: ['health'], events: ['tick'], capabilities: [] },
      snapshot: { presence: [], health: {}, stateVersion: { presence: 1, health: 1 }, uptimeMs: 1 },
      auth: { method: 'token', role: 'node', scopes: [], deviceToken: 'b'.repeat(43), issuedAtMs: Date.now() },
      policy: { maxPayload: 26214400, maxBufferedBytes: 52428800, tickIntervalMs: 30000 },
    };
  }

  nextNode() {
    return new Promise((resolve) => this.nodeWaiters.push(resolve));
  }

  stop() {
    for (const socket of this.sockets.clients) socket.terminate();
    return new Promise((resolve) => this.server.close(resolve));
  }
}

class Node {
  constructor(gateway, id, send, socket) {
    Object.assign(this, { gateway, id, send, socket });
  }

  invoke(command, params, timeoutMs = 60_000) {
    const id = randomUUID();
    const answer = new Promise((resolve, reject) => this.gateway.waiting.set(id, { resolve, reject }));
    this.send({
      type: 'event', event: 'node.invoke.request',
      payload: { id, nodeId: this.id, command, paramsJSON: JSON.stringify(params), timeoutMs, idempotencyKey: id },
    });
    return answer;
  }

  run(argv) {
    return this.invoke('system.run', { command: argv, agentId: 'main', sessionKey: 'agent:main:bench', runId: randomUUID(), timeoutMs: 30_000 }, 35_000);
  }

  async setApprovals(file) {
    const { hash } = await this.invoke('system.execApprovals.get', {});
    await this.invoke('system.execApprovals.set', { file: { version: 1, ...file }, baseHash: hash });
  }
}
