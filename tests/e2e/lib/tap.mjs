// SPDX-License-Identifier: Apache-2.0
// A forwarder between a node and a gateway that records every frame. It can make the node look like a
// remote one (the gateway must trust the forwarder as a proxy), and can cut the line.
import { EventEmitter } from 'node:events';
import { createServer } from 'node:http';
import { waitFor } from './process.mjs';
import { WebSocket, WebSocketServer } from './websocket.mjs';

export class Tap extends EventEmitter {
  static async start({ target, remoteAddress } = {}) {
    const tap = new Tap();
    Object.assign(tap, { target, remoteAddress });
    await new Promise((resolve) => tap.server.listen(0, '127.0.0.1', resolve));
    tap.port = tap.server.address().port;
    return tap;
  }

  constructor() {
    super();
    this.setMaxListeners(0);
    this.frames = [];
    this.connections = new Set();
    this.connectionCount = 0;
    this.upgrades = [];
    this.blocked = false;
    this.server = createServer((request, response) => response.writeHead(426).end());
    this.acceptor = new WebSocketServer({ noServer: true, perMessageDeflate: false, autoPong: false, maxPayload: 64 << 20 });
    this.server.on('upgrade', (request, socket, head) => this.#forward(request, socket, head));
  }

  #forward(request, socket, head) {
    socket.on('error', () => {});
    if (this.blocked) return socket.destroy();
    this.upgrades.push({ url: request.url, headers: request.headers });
    const number = ++this.connectionCount;
    const headers = this.remoteAddress ? { 'x-forwarded-for': this.remoteAddress, 'x-forwarded-proto': 'http' } : {};
    const upstream = new WebSocket(this.target + request.url, { perMessageDeflate: false, autoPong: false, maxPayload: 64 << 20, headers });
    const held = [];
    upstream.on('error', () => socket.destroy());
    this.acceptor.handleUpgrade(request, socket, head, (downstream) => {
      const connection = { downstream, upstream };
      this.connections.add(connection);
      downstream.on('error', () => {});
      downstream.on('message', (data) => {
        this.#record(number, 'node', String(data));
        if (upstream.readyState === WebSocket.OPEN) upstream.send(String(data));
        else held.push(String(data));
      });
      upstream.on('open', () => held.splice(0).forEach((text) => upstream.send(text)));
      upstream.on('message', (data) => {
        this.#record(number, 'gateway', String(data));
        downstream.send(String(data));
      });
      upstream.on('ping', (data) => { this.#note(number, 'gateway', 'ping'); downstream.ping(data); });
      downstream.on('pong', (data) => { this.#note(number, 'node', 'pong'); if (upstream.readyState === WebSocket.OPEN) upstream.pong(data); });
      const end = (by, other) => (code, reason) => {
        this.connections.delete(connection);
        this.#note(number, by, 'close', { code, reason: String(reason) });
        if (other.readyState === WebSocket.CONNECTING || code === 1006) other.terminate();
        else if (other.readyState === WebSocket.OPEN) other.close(code === 1005 ? undefined : code, reason);
      };
      upstream.on('close', end('gateway', downstream));
      downstream.on('close', end('node', upstream));
    });
  }

  #record(connection, from, text) {
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      frame = { unparsed: text };
    }
    this.frames.push({ connection, from, frame, size: text.length });
    this.emit('change');
  }

  #note(connection, from, kind, detail = {}) {
    this.frames.push({ connection, from, frame: { control: kind, ...detail } });
    this.emit('change');
  }

  mark() {
    return this.frames.length;
  }

  since(mark, matches) {
    return this.frames.slice(mark).filter(matches);
  }

  waitFor(matches, { from = 0, ...options } = {}) {
    return waitFor(this, () => this.frames.slice(from).find(matches), { what: () => `a frame through the tap`, ...options });
  }

  // Whether that line is the node's own, not one on which it asks as an operator.
  isNodes(connection) {
    return this.frames.some((entry) => entry.connection === connection && entry.frame.method === 'connect' && entry.frame.params?.role === 'node');
  }

  // The connect requests of the node, oldest first.
  connects() {
    return this.frames.filter((entry) => entry.from === 'node' && entry.frame.method === 'connect').map((entry) => entry.frame.params);
  }

  // Sends the node a ping, as the gateway does now and then.
  ping() {
    for (const { downstream } of this.connections) downstream.ping();
  }

  // Drops all lines without a close frame and, if asked, refuses new ones until unblock().
  cut({ block = false } = {}) {
    this.blocked = block;
    for (const { downstream, upstream } of this.connections) {
      downstream.terminate();
      upstream.terminate();
    }
  }

  unblock() {
    this.blocked = false;
  }

  stop() {
    this.cut({ block: true });
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(resolve));
  }
}
