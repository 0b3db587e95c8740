// SPDX-License-Identifier: Apache-2.0
// TLS with a pinned certificate.
import assert from 'node:assert/strict';
import { createServer } from 'node:tls';
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { Gateway, temporaryDirectory } from '../lib/gateway.mjs';
import { NodeHost } from '../lib/node.mjs';

// The fingerprint of the certificate that a port shows.
const fingerprintOf = (port) => new Promise((resolve, reject) => {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
    resolve(new X509Certificate(socket.getPeerCertificate().raw).fingerprint256.replaceAll(':', '').toLowerCase());
    socket.destroy();
  });
  socket.on('error', reject);
});

// A TLS server that keeps what it is sent after the handshake.
async function listeningTls() {
  const directory = temporaryDirectory('tls');
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost',
    '-keyout', join(directory, 'key.pem'), '-out', join(directory, 'certificate.pem')], { stdio: 'ignore' });
  const received = [];
  let handshakes = 0;
  const server = createServer({ key: readFileSync(join(directory, 'key.pem')), cert: readFileSync(join(directory, 'certificate.pem')) }, (socket) => {
    handshakes += 1;
    socket.on('data', (data) => received.push(data));
    socket.on('error', () => {});
  });
  server.on('tlsClientError', () => { handshakes += 1; });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, port: server.address().port, received, handshakes: () => handshakes };
}

export default function tls(context, scenario) {
  let gateway;
  const secure = async () => (gateway ??= await Gateway.start({ version: context.version, tls: true }));

  scenario('a node with the right pin connects to a gateway with a self-signed certificate', async () => {
    const target = await secure();
    const fingerprint = await fingerprintOf(target.port);
    const node = new NodeHost({ host: context.host, gateway: target });
    context.disposables.push(() => node.dispose());
    node.start({ args: ['--tls-fingerprint', fingerprint] });
    await node.connected();
    await node.approveSurface();
    await node.invoke('system.which', { bins: ['sh'] });
  });

  scenario('the pin may be written with colons, capitals and a prefix', async () => {
    const target = await secure();
    const fingerprint = await fingerprintOf(target.port);
    const node = new NodeHost({ host: context.host, gateway: target });
    context.disposables.push(() => node.dispose());
    node.start({ args: ['--tls-fingerprint', `sha256:${fingerprint.toUpperCase().match(/../g).join(':')}`] });
    await node.connected();
  });

  scenario('without a pin a self-signed certificate is not accepted', async () => {
    const target = await secure();
    const node = new NodeHost({ host: context.host, gateway: target });
    context.disposables.push(() => node.dispose());
    node.start();
    await node.child.waitForLine(/certificate|self.signed|tls/i);
    assert.equal(await node.entry(), undefined);
  });

  scenario('with a wrong pin not one byte of HTTP is sent', async () => {
    const fake = await listeningTls();
    const node = new NodeHost({ host: context.host, gateway: { port: fake.port, tls: true, token: 'secret-of-the-gateway' } });
    context.disposables.push(() => node.dispose());
    node.start({ args: ['--tls-fingerprint', '00'.repeat(32)] });
    await node.child.waitForLine(/pin|fingerprint/i);
    assert.ok(fake.handshakes() > 0);
    assert.deepEqual(fake.received, []);
    await node.stop();
    fake.server.close();
  });

  scenario('a malformed pin is a configuration error', async () => {
    const node = new NodeHost({ host: context.host, gateway: { port: 9, tls: true, token: 'x' } });
    context.disposables.push(() => node.dispose());
    node.start({ args: ['--tls-fingerprint', 'not-a-pin'] });
    const status = await node.child.done;
    assert.notEqual(status.code, 0);
  });

  scenario('a public address is not contacted without TLS', async () => {
    const node = new NodeHost({ host: context.host, gateway: { port: 9, token: 'x' } });
    context.disposables.push(() => node.dispose());
    node.start({ target: false, args: ['--host', '198.51.100.7', '--port', '9'] });
    await node.child.waitForLine('SECURITY ERROR');
    if (!context.official) assert.equal((await node.child.done).code, 78);
  });

  scenario('the secure gateway is stopped', async () => {
    await context.sweep();
    await gateway?.stop();
    gateway = undefined;
  });
}
