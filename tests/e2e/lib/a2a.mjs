// SPDX-License-Identifier: Apache-2.0
// The official A2A SDK as client of an agent, and what it said and heard on the wire.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { relayClientDirectory } from './packages.mjs';

const require = createRequire(join(relayClientDirectory('a2a-sdk'), 'package.json'));
const client = require('@a2a-js/sdk/client');
const sdk = require('@a2a-js/sdk');
const jose = require('jose');
export const { Role, StreamResponse, TaskState } = require('@a2a-js/sdk');
export const errors = require('@a2a-js/sdk/errors');
export const bindings = ['JSONRPC', 'HTTP+JSON'];

// The exchanges of all clients, the newest last; a stream's body is not kept.
export const exchanges = [];

// fetch that keeps what went over it.
export const recordingFetch = async (url, init = {}) => {
  const exchange = { request: `${init.method ?? 'GET'} ${url}`, body: init.body };
  exchanges.push(exchange);
  const response = await fetch(url, init);
  exchange.status = response.status;
  exchange.type = response.headers.get('content-type');
  if (!exchange.type?.startsWith('text/event-stream')) exchange.answer = await response.clone().text();
  return response;
};

export const lastExchanges = () => exchanges.slice(-4).map((exchange) => `a2a: ${JSON.stringify(exchange).slice(0, 900)}`);

// How a client shows a token: with every request, or only once it was refused for want of one.
export const bearer = (token) => client.createAuthenticatingFetchWithRetry(recordingFetch, {
  headers: async () => ({ Authorization: `Bearer ${token}` }), shouldRetryWithHeaders: async () => undefined,
});
export const bearerWhenAsked = (token) => client.createAuthenticatingFetchWithRetry(recordingFetch, {
  headers: async () => ({}),
  shouldRetryWithHeaders: async (_, response) =>
    (response.status === 401 && /^bearer\b/i.test(response.headers.get('www-authenticate') ?? '') ? { Authorization: `Bearer ${token}` } : undefined),
});

// The base URL of an agent: with its closing slash, for the SDK resolves the card's path against it.
export const baseOf = (agent) => `${agent.relay.url}/agents/${encodeURIComponent(agent.id)}/`;

// A client made from the agent's card.
export function connect(agent, { binding, fetchImpl = recordingFetch } = {}) {
  const factory = new client.ClientFactory({
    transports: [new client.JsonRpcTransportFactory({ fetchImpl }), new client.RestTransportFactory({ fetchImpl })],
    preferredTransports: binding ? [binding] : undefined,
    cardResolver: new client.DefaultAgentCardResolver({ fetchImpl }),
  });
  return factory.createFromUrl(baseOf(agent));
}

// A client of A2A 0.3 made from the agent's card.
export function connectOlder(agent, { fetchImpl = recordingFetch } = {}) {
  const older = createRequire(join(relayClientDirectory('a2a-sdk-0.3'), 'package.json'))('@a2a-js/sdk/client');
  const factory = new older.ClientFactory({
    transports: [new older.JsonRpcTransportFactory({ fetchImpl })],
    cardResolver: new older.DefaultAgentCardResolver({ fetchImpl }),
  });
  return factory.createFromUrl(baseOf(agent));
}

// The card that everybody may read, as the SDK reads it.
export const publicCard = (agent) => new client.DefaultAgentCardResolver({ fetchImpl: recordingFetch }).resolve(baseOf(agent));

// The card as it is on the wire. What the SDK has parsed cannot be checked: parsed twice, it loses its security schemes.
export const rawCard = async (agent) =>
  (await recordingFetch(`${baseOf(agent)}.well-known/agent-card.json`, { headers: { 'A2A-Version': '1.0' } })).json();

// Checks a card's signature as a client does that trusts the keys at `keySetUrl` and no others. Throws when none holds.
export async function verifyCard(card, keySetUrl) {
  const { keys } = await (await recordingFetch(keySetUrl)).json();
  await sdk.verifyAgentCardSignature(async (kid, jku) => {
    if (jku !== keySetUrl) throw new Error(`the card names other keys: ${jku}`);
    const found = keys.find((key) => key.kid === kid);
    if (!found) throw new Error(`no key ${kid}`);
    return jose.importJWK(found, 'ES256');
  })(card);
}

// Whoever gets push notifications, on loopback: what has come, in its order.
export class Receiver {
  static async start() {
    const receiver = new Receiver();
    Object.assign(receiver, { arrived: [], waiting: [] });
    receiver.server = createServer(async (request, response) => {
      const parts = [];
      for await (const part of request) parts.push(part);
      response.writeHead(204).end();
      const { method, url, headers } = request;
      receiver.#take({ method, url, headers, body: JSON.parse(Buffer.concat(parts).toString()) });
    });
    receiver.server.listen(0, '127.0.0.1');
    await once(receiver.server, 'listening');
    receiver.origin = `http://127.0.0.1:${receiver.server.address().port}`;
    return receiver;
  }

  #take(request) {
    const taker = this.waiting.shift();
    if (taker) taker(request);
    else this.arrived.push(request);
  }

  next() {
    if (this.arrived.length) return Promise.resolve(this.arrived.shift());
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error('no push notification came in 30 s')), 30_000);
      this.waiting.push((request) => { clearTimeout(late); resolve(request); });
    });
  }

  async stop() {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}

export const text = (value) => ({ content: { $case: 'text', value }, filename: '', mediaType: '', metadata: undefined });
export const data = (value) => ({ content: { $case: 'data', value }, filename: '', mediaType: 'application/json', metadata: undefined });

// Parameters of sendMessage and sendMessageStream.
export function saying(parts, { configuration, ...message } = {}) {
  return {
    tenant: '', metadata: undefined,
    message: {
      messageId: randomUUID(), contextId: '', taskId: '', role: Role.ROLE_USER, metadata: undefined, extensions: [], referenceTaskIds: [],
      parts: (Array.isArray(parts) ? parts : [parts]).map((part) => (typeof part === 'string' ? text(part) : part)), ...message,
    },
    configuration: { acceptedOutputModes: [], taskPushNotificationConfig: undefined, returnImmediately: false, ...configuration },
  };
}
export const atOnce = (parts, { configuration, ...more } = {}) => saying(parts, { configuration: { returnImmediately: true, ...configuration }, ...more });

// Parameters of listTasks.
export const listing = (more = {}) => ({ tenant: '', contextId: '', status: TaskState.TASK_STATE_UNSPECIFIED, pageToken: '', statusTimestampAfter: undefined, ...more });

export const state = (task) => TaskState[task.status.state].replace('TASK_STATE_', '');
export const textsOf = (parts) => parts.map(({ content }) => content.value);

// Reads a stream one event at a time: {task} | {statusUpdate} | {artifactUpdate}, or undefined at its end.
export class Stream {
  constructor(events) {
    this.events = events;
  }

  async next() {
    const { value, done } = await this.events.next();
    return done ? undefined : { [value.payload.$case]: value.payload.value };
  }

  async rest() {
    const all = [];
    for (let event = await this.next(); event; event = await this.next()) all.push(event);
    return all;
  }
}
