// SPDX-License-Identifier: Apache-2.0
// The official A2A SDK plays the client of agents behind the relay; the agents answer by the relay's own client.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { baseOf, atOnce, bearer, bearerWhenAsked, bindings, connect, connectOlder, data, errors, exchanges, lastExchanges, listing, publicCard, rawCard, Receiver, recordingFetch, saying, state, Stream, StreamResponse, TaskState, text, textsOf, verifyCard } from '../lib/a2a.mjs';

const task = (id, more = {}) => ({ tenant: '', id, ...more });
const pushTo = (taskId) => ({ tenant: '', id: 'here', taskId, url: 'https://receiver.example/hook', token: 'secret', authentication: undefined });
const kinds = (events) => events.map((event) => (event.statusUpdate ? state(event.statusUpdate) : Object.keys(event)[0]));

export default function clawlink(context, scenario) {
  let relay;
  const shared = async () => (relay ??= await context.relay());
  // A worker of its own for each scenario, and the SDK's client of it.
  const pair = async (binding, options) => {
    const worker = await (await shared()).agent(options);
    return { worker, client: await connect(worker, { binding }) };
  };
  const refused = (promise, name) => assert.rejects(promise, (error) => {
    assert.ok(error instanceof errors[name], `${name} was expected, not ${error.name}: ${error.message}`);
    return true;
  });
  context.evidence.push(lastExchanges);

  scenario('the card of an agent is what the SDK needs, says what is not there, and is sent again only when it changed', async () => {
    const { worker, client } = await pair(undefined, { name: 'Builder', caps: ['build', 'test'], description: 'Builds things.' });
    const card = await client.getAgentCard();
    assert.equal(card.name, 'Builder');
    assert.equal(card.description, 'Builds things.');
    assert.ok(card.version);
    assert.deepEqual(card.skills.map(({ id, name, tags }) => [id, name, tags]), [['build', 'build', ['build']], ['test', 'test', ['test']]]);
    assert.deepEqual(card.supportedInterfaces.map(({ protocolBinding, protocolVersion }) => [protocolBinding, protocolVersion]), [['JSONRPC', '1.0'], ['HTTP+JSON', '1.0']]);
    assert.equal(card.capabilities.streaming, true);
    assert.equal(card.capabilities.pushNotifications, true);
    assert.ok(!card.capabilities.extendedAgentCard, 'where nobody shows a token there is no extended card, and the card says so');
    assert.ok(card.defaultInputModes.length && card.defaultOutputModes.length);
    const url = `${baseOf(worker)}.well-known/agent-card.json`;
    const first = await recordingFetch(url);
    assert.match(first.headers.get('cache-control'), /max-age=\d+/);
    assert.equal((await recordingFetch(url, { headers: { 'If-None-Match': first.headers.get('etag') } })).status, 304);
    // A base URL without its closing slash loses the agent's id; the answer says what is right.
    const lost = await recordingFetch(new URL('.well-known/agent-card.json', baseOf(worker).slice(0, -1)));
    assert.equal(lost.status, 404);
    assert.match(await lost.text(), /\/agents\/ID\/\.well-known\/agent-card\.json/);
  });

  for (const id of ['bär', '50%41', 'a:b@c;d=e&f+g', 'half|<of>"it"']) {
    scenario(`an agent with the id ${id} is reached through its card`, async () => {
      const home = await shared();
      assert.equal((await home.request('/register', { agent_id: id, name: 'Odd' })).status, 200);
      const client = await connect({ relay: home, id });
      // A URL as RFC 3986 has it: readers that are stricter than the SDK take it too.
      for (const { url } of (await client.getAgentCard()).supportedInterfaces) assert.match(url, /^http:\/\/[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=%]+$/);
      for (const binding of bindings) {
        const sent = await (await connect({ relay: home, id }, { binding })).sendMessage(atOnce(`hello by ${binding}`));
        const { body } = await home.request(`/poll/${encodeURIComponent(id)}`);
        assert.deepEqual(body.messages.map(({ task_id, task: said }) => [task_id, said]), [[sent.id, `hello by ${binding}`]]);
      }
    });
  }

  scenario('cards are signed by the relay: whoever checks finds the public one and the extended one unchanged', async () => {
    const { worker } = await pair('JSONRPC');
    const keys = (agent) => `${agent.relay.url}/.well-known/jwks.json`;
    const card = await rawCard(worker);
    await verifyCard(card, keys(worker));
    await verifyCard(await publicCard(worker), keys(worker));
    await assert.rejects(verifyCard({ ...card, name: 'Somebody else' }, keys(worker)), /No valid signatures/);
    const guarded = await (await context.relay({ token: 'house-key' })).agent();
    const open = await rawCard(guarded);
    assert.equal(open.signatures.length, 2);
    await verifyCard(open, keys(guarded));
    await assert.rejects(verifyCard({ ...open, securitySchemes: {} }, keys(guarded)), /No valid signatures/);
    const answer = await bearer('house-key')(`${open.supportedInterfaces[1].url}/extendedAgentCard`, { headers: { 'A2A-Version': '1.0' } });
    const extended = await answer.json();
    assert.ok(extended.capabilities.extensions.length);
    await verifyCard(extended, keys(guarded));
  });

  scenario('a relay that is reached by another name says so in its cards', async () => {
    const proxied = await context.relay({ args: ['--public-url', 'https://agents.example/relay/'] });
    const worker = await proxied.agent();
    const { supportedInterfaces } = await (await connect(worker)).getAgentCard();
    assert.deepEqual(supportedInterfaces.map(({ url }) => url), bindings.map(() => `https://agents.example/relay/a2a/agents/${worker.id}`));
  });

  for (const binding of bindings) {
    scenario(`${binding}: a message waits until the worker has answered, and brings its answer`, async () => {
      const { worker, client } = await pair(binding);
      assert.equal(client.transport.protocolName, binding);
      const params = saying(['build main', data({ branch: 'main' })]);
      const answer = client.sendMessage(params);
      const message = await worker.answerOne(({ task: said }) => `done: ${said}`);
      assert.equal(message.task, 'build main');
      assert.deepEqual(message.context.data, [{ branch: 'main' }]);
      assert.equal(message.sender_verified, false);
      const done = await answer;
      assert.equal(state(done), 'COMPLETED');
      assert.equal(done.id, message.task_id);
      assert.ok(done.contextId);
      assert.match(done.status.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
      assert.deepEqual(done.artifacts.map(({ parts }) => textsOf(parts)), [['done: build main']]);
      assert.ok(done.artifacts[0].artifactId);
      assert.deepEqual(done.history.map(({ messageId, parts }) => [messageId, textsOf(parts)]), [[params.message.messageId, ['build main', { branch: 'main' }]]]);
    });

    scenario(`${binding}: a message that does not wait is a submitted task, and asking for it shows what became of it`, async () => {
      const { worker, client } = await pair(binding);
      const sent = await client.sendMessage(atOnce('sweep'));
      assert.equal(state(sent), 'SUBMITTED');
      const message = await worker.nextMessage();
      await worker.respond(message, 'half of it', 'in_progress');
      const working = await client.getTask(task(sent.id));
      assert.equal(state(working), 'WORKING');
      assert.deepEqual(textsOf(working.status.message.parts), ['half of it']);
      assert.equal(working.contextId, sent.contextId);
      await worker.respond(message, 'clean');
      const done = await client.getTask(task(sent.id, { historyLength: 0 }));
      assert.equal(state(done), 'COMPLETED');
      assert.deepEqual(done.history, []);
      assert.deepEqual(textsOf(done.artifacts[0].parts), ['clean']);
      const newest = await client.getTask(task(sent.id, { historyLength: 1 }));
      assert.equal(newest.history.length, 1);
    });

    scenario(`${binding}: a worker that fails or declines is heard`, async () => {
      const { worker, client } = await pair(binding);
      for (const [word, expected] of [['failed', 'FAILED'], ['rejected', 'REJECTED']]) {
        const answer = client.sendMessage(saying('try'));
        await worker.answerOne(`${word}, for a reason`, word);
        const done = await answer;
        assert.equal(state(done), expected);
        assert.deepEqual(textsOf(done.status.message.parts), [`${word}, for a reason`]);
        assert.deepEqual(done.artifacts, []);
      }
    });

    scenario(`${binding}: a stream begins with the task, tells of the work as it goes on, and ends with it`, async () => {
      const { worker, client } = await pair(binding);
      const stream = new Stream(client.sendMessageStream(saying('build')));
      const first = await stream.next();
      assert.ok(first.task, JSON.stringify(first));
      const message = await worker.nextMessage();
      assert.equal(message.task_id, first.task.id);
      await worker.respond(message, 'compiling', 'in_progress');
      let working = await stream.next();
      // That the worker has taken the task may be said before what it says itself.
      if (!working.statusUpdate.status.message) working = await stream.next();
      assert.equal(state(working.statusUpdate), 'WORKING');
      assert.deepEqual(textsOf(working.statusUpdate.status.message.parts), ['compiling']);
      assert.equal(working.statusUpdate.taskId, first.task.id);
      assert.equal(working.statusUpdate.contextId, first.task.contextId);
      await worker.respond(message, 'built');
      const [artifact, end, ...after] = await stream.rest();
      assert.deepEqual(textsOf(artifact.artifactUpdate.artifact.parts), ['built']);
      assert.equal(artifact.artifactUpdate.lastChunk, true);
      assert.equal(state(end.statusUpdate), 'COMPLETED');
      assert.deepEqual(after, []);
    });

    scenario(`${binding}: a second client joins during the work and sees the same; one that leaves changes nothing`, async () => {
      const { worker, client } = await pair(binding);
      const leaving = new AbortController();
      const left = new Stream(client.sendMessageStream(saying('build'), { signal: leaving.signal }));
      const { task: sent } = await left.next();
      const message = await worker.nextMessage();
      await worker.respond(message, 'compiling', 'in_progress');
      const streams = [];
      for (const _ of [1, 2]) {
        const stream = new Stream((await connect(worker, { binding })).resubscribeTask(task(sent.id)));
        const { task: now } = await stream.next();
        assert.equal(now.id, sent.id);
        assert.equal(state(now), 'WORKING');
        streams.push(stream);
      }
      leaving.abort();
      await assert.rejects(left.rest(), { name: 'AbortError' });
      await worker.respond(message, 'linking', 'in_progress');
      await worker.respond(message, 'built');
      const [one, other] = await Promise.all(streams.map((stream) => stream.rest()));
      assert.deepEqual(kinds(one), ['WORKING', 'artifactUpdate', 'COMPLETED']);
      assert.deepEqual(one, other);
      await refused(new Stream(client.resubscribeTask(task(sent.id))).next(), 'UnsupportedOperationError');
    });

    scenario(`${binding}: what the worker asks ends the stream, and the answer goes on with the task`, async () => {
      const { worker, client } = await pair(binding);
      const stream = new Stream(client.sendMessageStream(saying('build')));
      const { task: sent } = await stream.next();
      const message = await worker.nextMessage();
      await worker.respond(message, 'which branch?', 'input_required');
      const asked = (await stream.rest()).at(-1);
      assert.equal(state(asked.statusUpdate), 'INPUT_REQUIRED');
      assert.deepEqual(textsOf(asked.statusUpdate.status.message.parts), ['which branch?']);
      await refused(client.sendMessage(saying('main', { taskId: sent.id, contextId: 'another' })), 'RequestMalformedError');
      // With the task's id alone, by a message that waits: the worker asks once more.
      const waiting = client.sendMessage(saying('main', { taskId: sent.id }));
      const first = await worker.nextMessage();
      assert.equal(first.message_id, message.message_id, 'the worker sees the same task');
      assert.equal(first.task, 'main');
      await worker.respond(first, 'debug or release?', 'input_required');
      assert.equal(state(await waiting), 'INPUT_REQUIRED');
      // With both ids, by a stream that begins with the task.
      const goesOn = new Stream(client.sendMessageStream(saying('release', { taskId: sent.id, contextId: sent.contextId })));
      const again = await goesOn.next();
      assert.equal(again.task?.id, sent.id, JSON.stringify(again));
      await worker.answerOne('built');
      const events = await goesOn.rest();
      assert.equal(state(events.at(-1).statusUpdate), 'COMPLETED');
      const done = await client.getTask(task(sent.id));
      assert.deepEqual(done.history.map(({ parts }) => textsOf(parts)[0]), ['build', 'which branch?', 'main', 'debug or release?', 'release']);
      // After the end the same context has a new task.
      await refused(client.sendMessage(atOnce('more', { taskId: sent.id })), 'UnsupportedOperationError');
      const next = await client.sendMessage(atOnce('more', { contextId: sent.contextId, referenceTaskIds: [sent.id] }));
      assert.notEqual(next.id, sent.id);
      assert.equal(next.contextId, sent.contextId);
    });

    scenario(`${binding}: tasks are listed newest first, by pages, contexts and states`, async () => {
      const { worker, client } = await pair(binding);
      const sent = [];
      for (let i = 0; i < 5; ++i) sent.push(await client.sendMessage(atOnce(`task ${i}`, { contextId: i < 2 ? 'first two' : '' })));
      const [message] = await worker.messages();
      assert.equal(message.task_id, sent[0].id);
      await worker.respond(message, 'done');
      const listed = [];
      let pageToken = '';
      do {
        const page = await client.listTasks(listing({ pageSize: 2, pageToken }));
        assert.equal(page.totalSize, 5);
        assert.equal(page.pageSize, 2);
        listed.push(page.tasks.map(({ id }) => id));
        pageToken = page.nextPageToken;
      } while (pageToken);
      assert.deepEqual(listed.map((page) => page.length), [2, 2, 1]);
      const order = listed.flat();
      assert.deepEqual([...order].sort(), sent.map(({ id }) => id).sort());
      assert.equal(order[0], sent[0].id, 'what changed last comes first');
      const all = await client.listTasks(listing());
      const times = all.tasks.map(({ status }) => status.timestamp);
      assert.deepEqual(times, [...times].sort().reverse());
      assert.deepEqual((await client.listTasks(listing({ contextId: 'first two' }))).tasks.map(({ id }) => id).sort(), [sent[0].id, sent[1].id].sort());
      const done = (await client.listTasks(listing({ status: TaskState.TASK_STATE_COMPLETED }))).tasks;
      assert.deepEqual(done.map(({ id, artifacts }) => [id, artifacts.length]), [[sent[0].id, 0]]);
      const whole = (await client.listTasks(listing({ status: TaskState.TASK_STATE_COMPLETED, includeArtifacts: true, historyLength: 0 }))).tasks[0];
      assert.deepEqual(textsOf(whole.artifacts[0].parts), ['done']);
      assert.deepEqual(whole.history, []);
      assert.equal((await client.listTasks(listing({ status: TaskState.TASK_STATE_AUTH_REQUIRED }))).totalSize, 0);
      const since = await client.listTasks(listing({ statusTimestampAfter: whole.status.timestamp }));
      assert.ok(since.tasks.some(({ id }) => id === sent[0].id), 'from that time on, it included');
      for (const wrong of [{ pageSize: 101 }, { pageSize: 0 }, { historyLength: -1 }, { pageToken: 'nonsense' }, { statusTimestampAfter: 'yesterday' }])
        await refused(client.listTasks(listing(wrong)), 'RequestMalformedError');
    });

    scenario(`${binding}: a task is cancelled before the worker has it, and the worker is told when it has it`, async () => {
      const { worker, client } = await pair(binding);
      const early = await client.sendMessage(atOnce('never mind'));
      assert.equal(state(await client.cancelTask(task(early.id))), 'CANCELED');
      const stream = new Stream(client.sendMessageStream(saying('build')));
      const { task: sent } = await stream.next();
      const message = await worker.nextMessage();
      assert.equal(message.task_id, sent.id, 'the cancelled one was not handed out');
      assert.equal(state(await client.cancelTask(task(sent.id))), 'CANCELED');
      assert.equal(state((await stream.rest()).at(-1).statusUpdate), 'CANCELED');
      const told = await worker.nextMessage();
      assert.deepEqual([told.type, told.message_id, told.task_id], ['task_cancel', message.message_id, sent.id]);
      assert.equal(state(await client.cancelTask(task(sent.id))), 'CANCELED', 'twice is once');
      const waiting = client.sendMessage(saying('build'));
      await worker.answerOne('built');
      await refused(client.cancelTask(task((await waiting).id)), 'TaskNotCancelableError');
    });

    scenario(`${binding}: an answer that comes after the end does not change the task`, async () => {
      const { worker, client } = await pair(binding);
      const sent = await client.sendMessage(atOnce('build'));
      const message = await worker.nextMessage();
      await client.cancelTask(task(sent.id));
      const ended = await client.getTask(task(sent.id));
      const newer = await client.sendMessage(atOnce('build something else'));
      await worker.respond(message, 'still at it', 'in_progress');
      await worker.respond(message, 'built all the same');
      const { tasks } = await client.listTasks(listing({ includeArtifacts: true }));
      assert.deepEqual(tasks.map(({ id }) => id), [newer.id, sent.id], 'it is not the newest again');
      assert.deepEqual(tasks[1], ended);
      assert.deepEqual(await client.getTask(task(sent.id)), ended);
    });

    scenario(`${binding}: a message that waits comes back when another client cancels the task`, async () => {
      const { worker, client } = await pair(binding);
      const waiting = client.sendMessage(saying('build'));
      const message = await worker.nextMessage();
      await (await connect(worker, { binding })).cancelTask(task(message.task_id));
      assert.equal(state(await waiting), 'CANCELED');
    });

    scenario(`${binding}: what is unknown or not right is refused in the protocol's words`, async () => {
      const { worker, client } = await pair(binding);
      const other = (await pair(binding)).client;
      const sent = await client.sendMessage(atOnce('build'));
      const unknown = '00000000-0000-4000-8000-000000000000';
      for (const [who, id] of [[client, unknown], [client, 'short'], [client, `odd ü %41 ${'x'.repeat(36)}`], [other, sent.id]]) {
        await refused(who.getTask(task(id)), 'TaskNotFoundError');
        await refused(who.cancelTask(task(id)), 'TaskNotFoundError');
        await refused(new Stream(who.resubscribeTask(task(id))).next(), 'TaskNotFoundError');
        await refused(who.sendMessage(atOnce('more', { taskId: id })), 'TaskNotFoundError');
        await refused(new Stream(who.sendMessageStream(saying('more', { taskId: id }))).next(), 'TaskNotFoundError');
      }
      await refused(client.getTask(task(sent.id, { historyLength: -1 })), 'RequestMalformedError');
      for (const wrong of [saying([]), saying([{ ...text(''), content: undefined }]), saying('x', { role: 2 }), saying('x', { messageId: '' })])
        await refused(client.sendMessage(wrong), 'RequestMalformedError');
      assert.equal((await client.listTasks(listing())).totalSize, 1, 'nothing of it became a task');
      assert.equal((await worker.messages()).length, 1);
    });

    scenario(`${binding}: the same message again is the same task`, async () => {
      const { worker, client } = await pair(binding);
      const params = atOnce('once');
      const first = await client.sendMessage(params);
      assert.equal((await client.sendMessage(params)).id, first.id);
      await worker.answerOne('done');
      const again = await client.sendMessage(saying('once', { messageId: params.message.messageId }));
      assert.equal(again.id, first.id);
      assert.equal(state(again), 'COMPLETED');
    });

    scenario(`${binding}: files and data reach the worker, and data of the worker reaches the client`, async () => {
      const { worker, client } = await pair(binding);
      const bytes = Buffer.from([0, 255, 10, 13]);
      const raw = { content: { $case: 'raw', value: bytes }, filename: 'a.bin', mediaType: 'application/octet-stream', metadata: undefined };
      const link = { content: { $case: 'url', value: 'https://files.example/a' }, filename: 'a', mediaType: 'text/plain', metadata: undefined };
      const answer = client.sendMessage(saying(['look', raw, link, data([1, null, { deep: true }])], { metadata: { urgent: true } }));
      const message = await worker.nextMessage();
      assert.equal(message.task, 'look');
      assert.deepEqual(message.context, {
        data: [[1, null, { deep: true }]],
        files: [{ raw: bytes.toString('base64'), filename: 'a.bin', mediaType: 'application/octet-stream' }, { url: 'https://files.example/a', filename: 'a', mediaType: 'text/plain' }],
        metadata: { urgent: true },
      });
      const done = await worker.relay.request('/respond', { from_agent: worker.id, message_id: message.message_id, result: { size: 4 } }, { Authorization: `Bearer ${worker.token}` });
      assert.equal(done.status, 200, JSON.stringify(done.body));
      const { artifacts, history } = await answer;
      assert.deepEqual(artifacts[0].parts[0].content, { $case: 'data', value: { size: 4 } });
      const [, shownRaw, shownLink, shownData] = history[0].parts;
      assert.deepEqual([...shownRaw.content.value], [...bytes]);
      assert.deepEqual([shownRaw.filename, shownRaw.mediaType], ['a.bin', 'application/octet-stream']);
      assert.deepEqual(shownLink, link);
      assert.deepEqual(shownData.content.value, [1, null, { deep: true }]);
    });

    scenario(`${binding}: a receiver is told of the task that the SDK asked it to be told of, from its beginning to its end`, async () => {
      const receiver = await Receiver.start();
      try {
        const told = await context.relay({ args: ['--push-to', receiver.origin] });
        const worker = await told.agent();
        const client = await connect(worker, { binding });
        const config = { ...pushTo(''), url: `${receiver.origin}/hook`, authentication: { scheme: 'Bearer', credentials: 'open-up' } };
        const sent = await client.sendMessage(atOnce('build', { configuration: { taskPushNotificationConfig: config } }));
        const first = await receiver.next();
        assert.equal(first.headers['x-a2a-notification-token'], 'secret');
        assert.equal(first.headers.authorization, 'Bearer open-up');
        assert.equal(first.headers['content-type'], 'application/a2a+json');
        const { payload } = StreamResponse.fromJSON(first.body);
        assert.equal(payload.$case, 'task');
        assert.equal(payload.value.id, sent.id);
        const message = await worker.nextMessage();
        await worker.respond(message, 'compiling', 'in_progress');
        await worker.respond(message, 'built');
        const rest = [await receiver.next(), await receiver.next(), await receiver.next()].map(({ body }) => {
          const { $case, value } = StreamResponse.fromJSON(body).payload;
          return $case === 'statusUpdate' ? state(value) : $case;
        });
        assert.deepEqual(rest, ['WORKING', 'artifactUpdate', 'COMPLETED']);
      } finally {
        await receiver.stop();
      }
    });

    scenario(`${binding}: the SDK makes, shows and takes away push notification configs, and hears why one is refused`, async () => {
      const { client } = await pair(binding);
      const { id } = await client.sendMessage(atOnce('build'));
      // A name that nobody has: it is taken, and never reached.
      const made = await client.createTaskPushNotificationConfig({ ...pushTo(id), url: 'https://receiver.invalid/hook' });
      assert.deepEqual([made.id, made.taskId, made.url, made.token], ['here', id, 'https://receiver.invalid/hook', 'secret']);
      const shown = await client.getTaskPushNotificationConfig({ tenant: '', taskId: id, id: 'here' });
      assert.deepEqual([shown.id, shown.url], ['here', made.url]);
      const { configs } = await client.listTaskPushNotificationConfig({ tenant: '', taskId: id, pageSize: 0, pageToken: '' });
      assert.deepEqual(configs.map((one) => one.id), ['here']);
      for (const _ of [1, 2]) await client.deleteTaskPushNotificationConfig({ tenant: '', taskId: id, id: 'here' });
      await refused(client.getTaskPushNotificationConfig({ tenant: '', taskId: id, id: 'here' }), 'TaskNotFoundError');
      for (const url of ['http://receiver.invalid/', 'https://127.0.0.1/', 'https://[::1]/', 'https://169.254.169.254/', 'https://me@receiver.invalid/', 'hook'])
        await refused(client.createTaskPushNotificationConfig({ ...pushTo(id), url }), 'RequestMalformedError');
      await refused(client.sendMessage(atOnce('build', { configuration: { taskPushNotificationConfig: { ...pushTo(''), url: 'https://10.0.0.1/' } } })), 'RequestMalformedError');
      assert.equal((await client.listTasks(listing())).totalSize, 1, 'no task was made of what was refused');
    });

    scenario(`${binding}: a relay that sends no push notifications, and one that asks for no token, say what is not there`, async () => {
      const silent = await context.relay({ args: ['--no-push'] });
      const client = await connect(await silent.agent(), { binding });
      const { id } = await client.sendMessage(atOnce('build'));
      // The SDK reads the card and does not even ask ...
      assert.throws(() => client.createTaskPushNotificationConfig(pushTo(id)), (error) => error instanceof errors.PushNotificationNotSupportedError);
      // ... who asks all the same is told.
      const { transport } = client;
      await refused(transport.createTaskPushNotificationConfig(pushTo(id)), 'PushNotificationNotSupportedError');
      await refused(transport.getTaskPushNotificationConfig({ tenant: '', taskId: id, id: 'here' }), 'PushNotificationNotSupportedError');
      await refused(transport.listTaskPushNotificationConfig({ tenant: '', taskId: id, pageSize: 0, pageToken: '' }), 'PushNotificationNotSupportedError');
      await refused(transport.deleteTaskPushNotificationConfig({ tenant: '', taskId: id, id: 'here' }), 'PushNotificationNotSupportedError');
      await refused(client.sendMessage(atOnce('build', { configuration: { taskPushNotificationConfig: pushTo('') } })), 'PushNotificationNotSupportedError');
      await refused(transport.getExtendedAgentCard({ tenant: '' }), 'UnsupportedOperationError');
      assert.equal((await client.listTasks(listing())).totalSize, 1, 'no task was made of what was refused');
    });

    scenario(`${binding}: who shows a token gets the extended card in the place of the public one`, async () => {
      const guarded = await context.relay({ token: 'house-key' });
      const worker = await guarded.agent({ name: 'Builder' });
      const client = await connect(worker, { binding, fetchImpl: bearer('house-key') });
      const card = await client.getAgentCard();
      assert.equal(card.name, 'Builder');
      const [more] = card.capabilities.extensions;
      assert.equal(more.params.agentId, worker.id);
      assert.equal(more.params.status, 'online');
      assert.deepEqual(card.supportedInterfaces.map(({ url }) => url), bindings.map(() => `${guarded.url}/a2a/agents/${worker.id}`));
      await assert.rejects((await connect(worker, { binding })).getAgentCard(), /401|Unauthorized/);
    });

    scenario(`${binding}: twenty streams at once get each its own answer`, async () => {
      const { worker, client } = await pair(binding);
      const streams = await Promise.all(Array.from({ length: 20 }, async (_, i) => {
        const stream = new Stream(client.sendMessageStream(saying(`number ${i}`)));
        return { stream, said: `number ${i}`, sent: (await stream.next()).task };
      }));
      const messages = await worker.messages();
      assert.equal(messages.length, 20);
      for (const message of messages) {
        const done = await worker.relay.request('/respond', { message_id: message.message_id, result: `answer to ${message.task}` }, { Authorization: `Bearer ${worker.token}` });
        assert.equal(done.status, 200, JSON.stringify(done.body));
      }
      for (const { stream, said, sent } of streams) {
        const events = await stream.rest();
        assert.deepEqual(textsOf(events.at(-2).artifactUpdate.artifact.parts), [`answer to ${said}`]);
        assert.equal(events.at(-1).statusUpdate.taskId, sent.id);
      }
    });

    scenario(`${binding}: with a token the card is public and names it, and calls without it or with a wrong one are refused`, async () => {
      const guarded = await context.relay({ token: 'house-key' });
      const worker = await guarded.agent();
      const card = await publicCard(worker);
      assert.equal(card.securitySchemes.bearer.scheme?.$case, 'httpAuthSecurityScheme', JSON.stringify(card.securitySchemes));
      assert.match(card.securitySchemes.bearer.scheme.value.scheme, /^bearer$/i);
      assert.deepEqual(Object.keys(card.securityRequirements[0].schemes), ['bearer']);
      for (const fetchImpl of [recordingFetch, bearer('wrong-key')]) {
        const stranger = await connect(worker, { binding, fetchImpl });
        await assert.rejects(stranger.sendMessage(atOnce('build')), /401|Unauthorized/);
        assert.equal(exchanges.at(-1).status, 401);
      }
      const asked = await connect(worker, { binding, fetchImpl: bearerWhenAsked('house-key') });
      const sent = await asked.sendMessage(atOnce('build'));
      assert.equal((await worker.nextMessage()).task_id, sent.id, 'the worker was asked once');
      const shown = await connect(worker, { binding, fetchImpl: bearer('house-key') });
      assert.equal(state(await shown.getTask(task(sent.id))), 'SUBMITTED');
    });

    scenario(`${binding}: who is refused before a stream begins learns why`, async () => {
      const guarded = await context.relay({ token: 'house-key' });
      const worker = await guarded.agent();
      const stranger = await connect(worker, { binding });
      await assert.rejects(new Stream(stranger.sendMessageStream(saying('build'))).next(), /401|Unauthorized/);
      const known = await connect(worker, { binding, fetchImpl: bearer('house-key') });
      await worker.say('deregister');
      await assert.rejects(new Stream(known.sendMessageStream(saying('build'))).next(), /404|no such agent/);
    });

    scenario(`${binding}: whom a rule keeps from an agent is told so`, async () => {
      const { worker, client } = await pair(binding);
      await worker.relay.owner('rules', 'add', 'deny', '*', 'delegate', worker.id);
      await assert.rejects(client.sendMessage(atOnce('build')), /rule/);
      assert.equal(exchanges.at(-1).status, 403);
      assert.equal((await client.listTasks(listing())).totalSize, 0);
    });

    scenario(`${binding}: a message that is too long is refused as such, and one that is not arrives whole`, async () => {
      const { worker, client } = await pair(binding);
      await assert.rejects(client.sendMessage(atOnce('x'.repeat(1 << 20))), /413|too (large|long|big)/i);
      const long = 'ü€😀'.repeat(30_000); // 270 000 bytes
      const answer = client.sendMessage(saying(long));
      const message = await worker.nextMessage();
      assert.equal(message.task, long);
      const done = await worker.relay.request('/respond', { message_id: message.message_id, result: long }, { Authorization: `Bearer ${worker.token}` });
      assert.equal(done.status, 200, JSON.stringify(done.body));
      const { artifacts } = await answer;
      assert.equal(artifacts[0].parts[0].content.value, long);
    });

    scenario(`${binding}: when an agent leaves, the clients that wait for it hear that their tasks failed, taken or not`, async () => {
      const { worker, client } = await pair(binding);
      const followed = async (said) => {
        const stream = new Stream(client.sendMessageStream(saying(said), { signal: AbortSignal.timeout(5_000) }));
        await stream.next();
        return stream;
      };
      const taken = await followed('taken');
      await worker.nextMessage();
      const waiting = await followed('still waiting');
      await worker.say('deregister');
      assert.equal(state((await waiting.rest()).at(-1).statusUpdate), 'FAILED');
      assert.equal(state((await taken.rest()).at(-1).statusUpdate), 'FAILED');
    });

    scenario(`${binding}: the tasks of an agent that has left are still there for who gave them`, async () => {
      const { worker, client } = await pair(binding);
      const answer = client.sendMessage(saying('build'));
      await worker.answerOne('built');
      const done = await answer;
      await worker.say('deregister');
      assert.deepEqual(await client.getTask(task(done.id)), done);
      assert.equal((await client.listTasks(listing())).totalSize, 1);
    });

    scenario(`${binding}: with credentials required an agent is known by its own, and sees its own tasks only`, async () => {
      const guarded = await context.relay({ token: 'house-key', args: ['--require-credentials'] });
      const [worker, boss, rival] = [await guarded.agent({ name: 'worker' }), await guarded.agent({ name: 'boss' }), await guarded.agent({ name: 'rival' })];
      const anyone = await connect(worker, { binding, fetchImpl: bearer('house-key') });
      await assert.rejects(anyone.sendMessage(atOnce('build')), /agent_token/);
      assert.equal(exchanges.at(-1).status, 403);
      const [bossClient, rivalClient] = await Promise.all([boss, rival].map(({ token }) => connect(worker, { binding, fetchImpl: bearer(token) })));
      const waiting = bossClient.sendMessage(saying('build'));
      const message = await worker.nextMessage();
      assert.deepEqual([message.from_agent, message.sender_verified], [boss.id, true]);
      await refused(rivalClient.getTask(task(message.task_id)), 'TaskNotFoundError');
      await refused(rivalClient.cancelTask(task(message.task_id)), 'TaskNotFoundError');
      await refused(new Stream(rivalClient.resubscribeTask(task(message.task_id))).next(), 'TaskNotFoundError');
      await refused(rivalClient.sendMessage(atOnce('mine', { taskId: message.task_id })), 'TaskNotFoundError');
      assert.equal((await rivalClient.listTasks(listing())).totalSize, 0);
      await worker.respond(message, 'built');
      assert.equal(state(await waiting), 'COMPLETED');
      assert.equal((await bossClient.listTasks(listing())).totalSize, 1);
    });

    scenario(`${binding}: a relay that is killed and started again has the task, and a client that comes back hears of its end`, async () => {
      const fragile = await context.relay();
      const worker = await fragile.agent();
      const client = await connect(worker, { binding });
      const stream = new Stream(client.sendMessageStream(saying('build')));
      const { task: sent } = await stream.next();
      const message = await worker.nextMessage();
      await worker.respond(message, 'compiling', 'in_progress');
      await fragile.restart({ signal: 'SIGKILL' });
      await stream.rest().catch(() => {});
      const again = new Stream(client.resubscribeTask(task(sent.id)));
      const { task: now } = await again.next();
      assert.equal(state(now), 'WORKING');
      assert.deepEqual(textsOf(now.status.message.parts), ['compiling']);
      await worker.respond(message, 'built');
      assert.deepEqual(kinds(await again.rest()), ['artifactUpdate', 'COMPLETED']);
    });

    // The end of a stream is the end of the work: a line that breaks must not look like one.
    scenario(`${binding}: a stream that is cut is an error for who reads it, and one that has ended is not`, async () => {
      const fragile = await context.relay();
      const worker = await fragile.agent();
      const client = await connect(worker, { binding });
      const whole = new Stream(client.sendMessageStream(saying('build')));
      await whole.next();
      await worker.answerOne('built');
      assert.equal(kinds(await whole.rest()).at(-1), 'COMPLETED');
      const cut = new Stream(client.sendMessageStream(saying('build')));
      await cut.next();
      await fragile.child.stop({ signal: 'SIGKILL' });
      await assert.rejects(cut.rest());
    });
  }

  // The SDK takes events of up to 4 MiB.
  scenario('a task with more behind it than one event may hold can still be followed', async () => {
    const { worker, client } = await pair('JSONRPC');
    const sent = await client.sendMessage(atOnce('x'.repeat(900_000)));
    for (let i = 0; i < 4; ++i) await client.sendMessage(atOnce('y'.repeat(900_000), { taskId: sent.id }));
    const stream = new Stream(client.resubscribeTask(task(sent.id)));
    assert.equal((await stream.next()).task.id, sent.id);
    const [message] = await worker.messages();
    await worker.respond(message, 'read');
    assert.equal(kinds(await stream.rest()).at(-1), 'COMPLETED');
  });

  scenario('a task given by one binding is seen, followed and cancelled by the other', async () => {
    const { worker, client } = await pair('JSONRPC');
    const rest = await connect(worker, { binding: 'HTTP+JSON' });
    const sent = await client.sendMessage(atOnce('build'));
    assert.deepEqual(await rest.getTask(task(sent.id)), await client.getTask(task(sent.id)));
    const stream = new Stream(rest.resubscribeTask(task(sent.id)));
    await stream.next();
    await client.cancelTask(task(sent.id));
    assert.deepEqual(kinds(await stream.rest()), ['CANCELED']);
  });

  const older = (said, more = {}) => ({ message: { kind: 'message', messageId: randomUUID(), role: 'user', parts: [{ kind: 'text', text: said }], ...more } });
  const told = (event) => (event.kind === 'status-update' ? `${event.status.state}${event.final ? '.' : ''}` : event.kind);

  scenario('a client of A2A 0.3 sends, is asked, answers, and reads what came of it', async () => {
    const { worker } = await pair('JSONRPC');
    const client = await connectOlder(worker);
    const sending = client.sendMessage(older('build'));
    await worker.answerOne('which branch?', 'input_required');
    const asked = await sending;
    assert.equal(asked.kind, 'task');
    assert.equal(asked.status.state, 'input-required');
    assert.deepEqual(asked.status.message.parts, [{ kind: 'text', text: 'which branch?' }]);
    const answering = client.sendMessage(older('main', { taskId: asked.id, contextId: asked.contextId }));
    await worker.answerOne('built');
    assert.equal((await answering).status.state, 'completed');
    const read = await client.getTask({ id: asked.id, historyLength: 1 });
    assert.equal(read.history.length, 1);
    assert.deepEqual(read.artifacts[0].parts, [{ kind: 'text', text: 'built' }]);
    await assert.rejects(client.getTask({ id: 'no-such' }), (error) => error.name === 'TaskNotFoundError');
  });

  scenario('a client of A2A 0.3 follows a stream to its end, and joins one during the work', async () => {
    const { worker } = await pair('JSONRPC');
    const client = await connectOlder(worker);
    const stream = client.sendMessageStream(older('build'));
    const { value: first } = await stream.next();
    assert.equal(first.status.state, 'submitted');
    const message = await worker.nextMessage();
    await worker.respond(message, 'compiling', 'in_progress');
    assert.equal(told((await stream.next()).value), 'working');
    const joined = client.resubscribeTask({ id: first.id });
    assert.equal((await joined.next()).value.status.state, 'working');
    await worker.respond(message, 'built');
    for (const events of [stream, joined]) {
      const rest = [];
      for await (const event of events) rest.push(told(event));
      // That the worker has taken the task may be said before what it says itself.
      assert.deepEqual(rest.filter((event) => event !== 'working'), ['artifact-update', 'completed.']);
    }
  });

  scenario('a client of A2A 0.3 that does not wait cancels its task, and what is not there for it is refused by name', async () => {
    const { worker, client: newer } = await pair('JSONRPC');
    const client = await connectOlder(worker);
    const task03 = await client.sendMessage({ ...older('build'), configuration: { blocking: false } });
    assert.equal(task03.status.state, 'submitted');
    assert.equal((await newer.getTask(task(task03.id))).id, task03.id);
    assert.equal((await client.cancelTask({ id: task03.id })).status.state, 'canceled');
    await assert.rejects(client.setTaskPushNotificationConfig({ taskId: task03.id, pushNotificationConfig: { url: 'https://receiver.example/hook' } }), /Method not found|no such method/i);
    const { url } = await client.getAgentCard();
    const call = async (method, headers) => {
      const response = await recordingFetch(url, { method: 'POST', headers: { 'Content-Type': 'application/json', ...headers }, body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: older('build') }) });
      return (await response.json()).error.code;
    };
    assert.equal(await call('message/send', { 'A2A-Version': '1.0' }), errors.A2A_ERROR_CODE.METHOD_NOT_FOUND);
    assert.equal(await call('SendMessage', { 'A2A-Version': '0.3' }), errors.A2A_ERROR_CODE.VERSION_NOT_SUPPORTED);
  });
}
