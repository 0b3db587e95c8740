// SPDX-License-Identifier: Apache-2.0
// A scripted model provider on loopback that speaks the chat-completions interface.
//
// A turn is scripted under an id; the prompt carries the marker [[turn:ID]]. The provider finds the
// newest marker of a conversation, counts the tool results that came after it, and answers with that
// step of the script: a tool call while there are steps left, then a closing text.
import { EventEmitter } from 'node:events';
import { createServer } from 'node:http';
import { waitFor } from './process.mjs';

const textOf = (content) =>
  typeof content === 'string' ? content : (content ?? []).map((part) => part.text ?? '').join('');

export class ScriptedModel extends EventEmitter {
  static async start() {
    const model = new ScriptedModel();
    await new Promise((resolve) => model.server.listen(0, '127.0.0.1', resolve));
    model.port = model.server.address().port;
    return model;
  }

  constructor() {
    super();
    this.setMaxListeners(0);
    this.turns = new Map();
    this.requests = [];
    this.server = createServer((request, response) => this.#serve(request, response));
  }

  // steps: [{command, host?, node?, ...other arguments of the exec tool}, or {tool, arguments} for another one]
  script(id, steps) {
    this.turns.set(id, { steps, results: [], finished: false });
    return `[[turn:${id}]] Run the next command.`;
  }

  results(id) {
    return this.turns.get(id).results;
  }

  waitForResults(id, count, options) {
    return waitFor(this, () => (this.turns.get(id).results.length >= count ? this.turns.get(id).results : undefined), {
      what: () => `${count} tool results of turn ${id}`, ...options,
    });
  }

  async #serve(request, response) {
    let body = '';
    for await (const chunk of request) body += chunk;
    if (request.method !== 'POST' || !request.url.endsWith('/chat/completions')) {
      response.writeHead(request.url.endsWith('/models') ? 200 : 404, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ object: 'list', data: [{ id: 'scripted', object: 'model' }] }));
      return;
    }
    const parsed = JSON.parse(body);
    this.requests.push(parsed);
    this.#send(response, parsed.stream === true, this.#next(parsed.messages ?? []));
    this.emit('change');
  }

  #next(messages) {
    let id;
    let results = [];
    for (const message of messages) {
      const marker = message.role === 'user' ? /\[\[turn:([^\]]+)\]\]/.exec(textOf(message.content)) : null;
      if (marker) {
        id = marker[1];
        results = [];
      } else if (message.role === 'tool') {
        results.push(textOf(message.content));
      }
    }
    const turn = this.turns.get(id);
    if (!turn) return { content: 'Nothing to do.' };
    if (results.length >= turn.results.length) turn.results = results;
    const step = turn.steps[results.length];
    if (!step) {
      turn.finished = true;
      return { content: `finished ${id}` };
    }
    const { tool = 'exec', arguments: given = { host: 'node', ...step } } = step;
    return { call: { id: `call_${id}_${results.length}`, name: tool, arguments: JSON.stringify(given) } };
  }

  #send(response, stream, { content, call }) {
    const toolCalls = call && [{ index: 0, id: call.id, type: 'function', function: { name: call.name, arguments: call.arguments } }];
    const finish = call ? 'tool_calls' : 'stop';
    const base = { id: 'chatcmpl-1', created: 1, model: 'scripted' };
    const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
    const message = { role: 'assistant', content: content ?? null, ...(toolCalls && { tool_calls: toolCalls }) };
    if (!stream) {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ ...base, object: 'chat.completion', choices: [{ index: 0, message, finish_reason: finish }], usage }));
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const chunk = (delta, finish_reason = null, extra = {}) =>
      response.write(`data: ${JSON.stringify({ ...base, object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason }], ...extra })}\n\n`);
    chunk(message);
    chunk({}, finish, { usage });
    response.end('data: [DONE]\n\n');
  }

  stop() {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(resolve));
  }
}
