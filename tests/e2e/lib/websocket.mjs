// SPDX-License-Identifier: Apache-2.0
// The `ws` library that the gateway package brings along.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { packagesDirectory } from './packages.mjs';

const require = createRequire(join(packagesDirectory, '2026.9.6', 'package.json'));
export const WebSocket = require('ws');
export const { WebSocketServer } = WebSocket;
