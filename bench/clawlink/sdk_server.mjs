// SPDX-License-Identifier: Apache-2.0
// The official A2A SDK's server on loopback, its tasks in memory, for clawlink_bench:
//   node bench/clawlink/sdk_server.mjs PROJECT
// PROJECT is an npm project that has @a2a-js/sdk (tests/e2e/.packages/a2a-sdk). Prints its port. One agent, at /, which
// takes each task and leaves it submitted, as the relay does until a worker has answered. Node's own HTTP server carries
// it, without a framework.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

const require = createRequire(join(resolve(process.argv[2]), 'package.json'));
const {
  AgentEvent, DefaultRequestHandler, InMemoryTaskStore, JsonRpcTransportHandler, UnauthenticatedUser, defaultServerCallContextBuilder,
} = require('@a2a-js/sdk/server');
const { TaskState } = require('@a2a-js/sdk');

const card = {
  name: 'bench', description: 'takes tasks', version: '1', provider: undefined, documentationUrl: '', iconUrl: '',
  supportedInterfaces: [{ url: 'http://127.0.0.1/', protocolBinding: 'JSONRPC', protocolVersion: '1.0', tenant: '' }],
  capabilities: { streaming: true, pushNotifications: false, extendedAgentCard: false, extensions: [] },
  securitySchemes: {}, securityRequirements: [], signatures: [],
  defaultInputModes: ['text/plain'], defaultOutputModes: ['text/plain'], skills: [],
};
const executor = {
  async execute({ taskId, contextId, userMessage }, bus) {
    bus.publish(AgentEvent.task({
      id: taskId, contextId, artifacts: [], history: [userMessage], metadata: undefined,
      status: { state: TaskState.TASK_STATE_SUBMITTED, message: undefined, timestamp: new Date().toISOString() },
    }));
    bus.finished();
  },
  async cancelTask() {},
};
const transport = new JsonRpcTransportHandler(new DefaultRequestHandler(card, new InMemoryTaskStore(), executor));

const server = createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', async () => {
    const context = defaultServerCallContextBuilder({
      extensions: [], user: new UnauthenticatedUser(), headers: request.headers, requestedVersion: request.headers['a2a-version'],
    });
    const answer = JSON.stringify(await transport.handle(JSON.parse(Buffer.concat(parts).toString()), context));
    response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(answer) });
    response.end(answer);
  });
});
// Clients of a bench wait for their turn.
server.keepAliveTimeout = 600_000;
server.headersTimeout = server.requestTimeout = 0;
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
