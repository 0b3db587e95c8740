// SPDX-License-Identifier: Apache-2.0
// The user's own story: an agent upgrades a compose stack on the host with git, docker and curl, listed through the
// official command line and nothing else. docker is a stand-in that notes what it was told; its `up` can restart the
// gateway, as the real one does when the gateway's container is part of the stack. With the program for Windows git, curl
// and pwsh are stand-ins as well.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { createServer } from 'node:http';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { before } from '../lib/packages.mjs';
import { eventually } from '../lib/process.mjs';
import { windowsPath } from '../lib/wine.mjs';

const callers = { main: 'caller full/off', ask: 'caller allowlist/on-miss' };

// What is different on the two systems. Each machine has: here(path), as the node's system writes a path; install(stack),
// which puts the programs there and says which ones are listed; told(stack), each call of docker as [directory, words].
const linux = {
  here: (path) => path,
  install({ root, bin }) {
    const docker = join(bin, 'docker');
    writeFileSync(docker, `#!/bin/sh
printf '%s\\n' "$PWD|$*" >>'${root}/docker.log'
case "$*" in
  "compose ps"*) echo 'NAME STATE' ; echo 'web running' ;;
  "compose up"*restarts-the-gateway)
    echo 'Container web Stopping' ; : >'${root}/restart'
    until [ -e '${root}/restarted' ]; do sleep 0.1; done
    echo 'Container web Started' ;;
  "compose up"*) echo 'Container web Started' ;;
  *) echo "docker $*" ;;
esac
`);
    chmodSync(docker, 0o755);
    const git = (...words) => execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', ...words], { env: { ...process.env, HOME: root, GIT_CONFIG_NOSYSTEM: '1' } });
    const origin = join(root, 'origin.git');
    git('init', '-q', '--bare', '-b', 'trunk', origin);
    const repository = join(root, 'stack');
    git('clone', '-q', origin, repository);
    writeFileSync(join(repository, 'compose.yaml'), 'services: {web: {image: x}}\n');
    git('-C', repository, 'add', '.');
    git('-C', repository, 'commit', '-qm', 'first');
    git('-C', repository, 'push', '-q', '-u', 'origin', 'HEAD:trunk');
    return { environment: { PATH: `${bin}:/usr/local/bin:/usr/bin:/bin` }, repository, listed: [realpathSync('/usr/bin/git'), docker, realpathSync('/usr/bin/curl')] };
  },
  told({ root }) {
    const log = join(root, 'docker.log');
    return existsSync(log) ? readFileSync(log, 'utf8').split('\n').filter(Boolean).map((line) => line.split('|')) : [];
  },
  reading: ({ repository, health }) => [
    `curl -s -o /dev/null -w '%{http_code}' ${health}`, `git -C ${repository} status --porcelain`, `cd ${repository} && git status --porcelain`,
  ],
  attacks: (hostclaw) => [`${hostclaw} exec-policy preset yolo`, `sh -c '${hostclaw} exec-policy preset yolo'`, `env -i ${hostclaw} exec-policy preset yolo`,
    `setsid ${hostclaw} exec-policy preset yolo`, `${hostclaw} approvals allowlist add /usr/bin/id`],
  shell: '/usr/bin/sh',
};
const windows = {
  here: windowsPath,
  install({ root, bin, host }) {
    const programs = ['git', 'docker', 'curl', 'pwsh'].map((name) => join(bin, `${name}.exe`));
    for (const program of programs) copyFileSync(join(dirname(host), 'stand_in.exe'), program);
    const repository = join(root, 'stack');
    mkdirSync(repository);
    writeFileSync(join(repository, 'upgrade.ps1'), 'docker compose pull\n');
    return { environment: { WINEPATH: windowsPath(bin) }, repository, listed: programs.map(windowsPath) };
  },
  told({ bin }) {
    const log = join(bin, 'calls.log');
    if (!existsSync(log)) return [];
    return readFileSync(log, 'utf8').split(/\r?\n/).filter((line) => line.startsWith('docker.exe|')).map((line) => line.split('|').slice(1));
  },
  reading: () => [],
  attacks: (hostclaw) => [`${hostclaw} exec-policy preset yolo`, `cmd.exe /c ${hostclaw} exec-policy preset yolo`, `${hostclaw} approvals allowlist add hostname`],
  shell: 'c:\\windows\\system32\\cmd.exe',
};

export default function hostops(context, scenario) {
  const machine = context.windows ? windows : linux;
  // Before 2026.8 a full/off caller is not looked at: this node asks.
  const gatewayAsks = (agent) => agent === 'ask' || !before(context.version, '2026.8');
  let stack;

  // A repository with a remote, a compose directory, a service that answers, and the programs in a directory of PATH.
  const shared = async () => {
    if (stack) return stack;
    const node = context.node();
    const root = realpathSync(node.directory);
    const bin = join(root, 'bin dir');
    mkdirSync(bin);
    const { environment, repository, listed } = machine.install({ root, bin, host: context.host });
    const server = createServer((request, response) => response.end('healthy'));
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    context.disposables.push(() => new Promise((resolve) => { server.closeAllConnections(); server.close(resolve); }));
    node.extraEnvironment = environment;
    node.start();
    await node.connected();
    await node.approveSurface();
    stack = { node, root, bin, repository, workdir: machine.here(repository), health: `http://127.0.0.1:${server.address().port}/healthz` };
    await node.allow();
    for (const program of listed) {
      const add = () => context.gateway.cli(['approvals', 'allowlist', 'add', '--node', node.id, '--agent', '*', program]);
      let done = await add();
      if (done.code !== 0 && await context.gateway.approveOwnTools()) done = await add();
      assert.equal(done.code, 0, done.text);
    }
    return stack;
  };
  const told = (used) => machine.told(used).map(([directory, words]) => `${directory}|${words}`);

  const questionsOf = async (node) => JSON.parse((await node.verb(['approvals', 'pending', '--json'])).stdout).questions.map(({ id }) => id);

  // One command, which the gateway or the node asks about: how often, and what came of it.
  const story = async (agent, command, decide) => {
    const { node, workdir } = await shared();
    if (gatewayAsks(agent)) {
      const turn = await context.agentTurn({ node, agent, steps: [{ command, workdir }], decide });
      return { asked: turn.questions.length, turn };
    }
    const known = await questionsOf(node);
    let over = false;
    const turn = context.agentTurn({ node, agent, steps: [{ command, workdir }] }).finally(() => { over = true; });
    const question = await eventually(async () => {
      const fresh = (await questionsOf(node)).find((id) => !known.includes(id));
      return fresh ?? (over && 'none');
    }, { timeoutMs: 60_000, what: 'a question of the node, or the end of the turn' });
    if (question !== 'none') {
      const answer = await node.verb(['approvals', 'resolve', question, decide]);
      assert.equal(answer.code, 0, answer.text);
    }
    return { asked: question === 'none' ? 0 : 1, turn: await turn };
  };

  for (const agent of Object.keys(callers)) {
    scenario(`${callers[agent]}: reading git, docker and curl commands run unprompted in their directory`, async () => {
      const used = await shared();
      const { node, workdir, health } = used;
      const commands = [
        'git status --porcelain', 'git rev-parse --abbrev-ref HEAD', 'git fetch --all --prune', 'git checkout trunk', 'git pull --ff-only',
        'docker compose ps', 'docker compose logs --tail=80 web', 'docker compose config', 'docker compose images', 'docker compose ls',
        'docker compose version', 'docker ps', 'docker images', 'docker inspect web', 'docker logs web', 'docker version',
        `curl -fsS ${health}`, ...machine.reading(used),
      ];
      const turn = await context.agentTurn({ node, agent, steps: commands.map((command) => ({ command, workdir })), timeoutMs: 170_000 });
      assert.deepEqual(turn.questions.map((question) => question.request.command), []);
      assert.equal(turn.raw.length, commands.length, JSON.stringify(turn.raw));
      turn.raw.forEach((text, index) => assert.doesNotMatch(text, /denied|approval|SYSTEM_RUN/i, commands[index]));
      if (context.windows) {
        commands.forEach((command, index) => assert.ok(turn.outputs[index].includes(`|${workdir}|${command.slice(command.indexOf(' ') + 1)}`), turn.outputs[index]));
        return;
      }
      assert.match(turn.outputs[1], /trunk/);
      assert.match(turn.outputs[16], /healthy/);
      assert.match(turn.outputs[17], /200/);
      assert.match(turn.outputs[5], /web running/);
    });

    for (const command of ['docker compose up -d --build web', 'docker compose restart web', 'docker exec web id']) {
      scenario(`${callers[agent]}: ${command} is asked about exactly once; allow-once runs it once`, async () => {
        const used = await shared();
        const begun = told(used).length;
        const first = await story(agent, command, 'allow-once');
        assert.equal(first.asked, 1, JSON.stringify(first.turn.raw));
        await eventually(() => told(used).length === begun + 1, { what: 'the approved command to have run' });
        assert.equal(told(used).at(-1), `${used.workdir}|${command.replace('docker ', '')}`);
        const second = await story(agent, command, 'deny');
        assert.equal(second.asked, 1, 'allow-once does not cover the next one');
        assert.equal(told(used).length, begun + 1);
      });
    }

    scenario(`${callers[agent]}: allow-always covers exactly these arguments in this directory`, async () => {
      const used = await shared();
      const command = `docker compose up -d --build always-${agent}`;
      const begun = told(used).length;
      assert.equal((await story(agent, command, 'allow-always')).asked, 1);
      await eventually(() => told(used).length === begun + 1, { what: 'the approved command to have run' });
      const again = await story(agent, command, 'deny');
      assert.equal(again.asked, 0, JSON.stringify(again.turn.raw));
      await eventually(() => told(used).length === begun + 2, { what: 'the second run' });
      assert.equal((await story(agent, `${command}-other`, 'deny')).asked, 1, 'another service is asked about');
      assert.equal(told(used).length, begun + 2);
    });

    if (context.windows) {
      scenario(`${callers[agent]}: pwsh -File is asked about each time`, async () => {
        for (let round = 0; round < 2; round += 1) {
          const { asked, turn } = await story(agent, 'pwsh -File upgrade.ps1', 'allow-once');
          assert.equal(asked, 1, JSON.stringify(turn.raw));
        }
      });
    }
  }

  if (!context.windows) {
    scenario('a gateway that the command restarts: the run ends, and its result is kept', async () => {
      const used = await shared();
      const { node, root, workdir } = used;
      for (const file of ['restart', 'restarted']) rmSync(join(root, file), { force: true });
      const sessionKey = `agent:main:upgrade-${randomUUID().slice(0, 8)}`;
      const command = 'docker compose up -d restarts-the-gateway';
      const lost = context.agentTurn({ node, steps: [{ command, workdir }], decide: 'allow-once', sessionKey, timeoutMs: 40_000 }).catch(() => undefined);
      const from = node.child.lines.length;
      if (!gatewayAsks('main')) {
        const { line } = await node.child.waitForLine(/a person is asked: .* approvals resolve /, { from });
        assert.equal((await node.verb(['approvals', 'resolve', /approvals resolve (\S+)/.exec(line)[1], 'allow-once'])).code, 0);
      }
      await eventually(() => existsSync(join(root, 'restart')), { what: 'the command to restart the gateway' });
      // The gateway goes on by itself with the turn that it lost; its model has nothing more to do then.
      context.model.turns.get([...context.model.turns.keys()].at(-1)).steps.length = 0;
      await context.gateway.restart();
      writeFileSync(join(root, 'restarted'), '');
      await node.connected({ timeoutMs: 60_000 });
      const kept = await eventually(async () => {
        const { runs } = JSON.parse((await node.verb(['runs', '--json', '--limit', '20'])).stdout);
        return runs.find((item) => item.command.includes('restarts-the-gateway') && item.exitCode === 0);
      }, { what: 'the run to have ended' });
      assert.match((await node.verb(['runs', kept.runId])).stdout, /Container web Started/);
      await lost;
      // The newest gateway goes on by itself with the session that it broke; what comes before that is over is lost in it.
      if (!before(context.version, '2026.8'))
        await context.gateway.child.waitForLine(/restart recovery terminal/, { timeoutMs: 60_000 }).catch(() => {});
      // The agent reads it itself, in that very session.
      const read = await context.agentTurn({ node, steps: [{ command: `${context.host} runs ${kept.runId}`, workdir }], sessionKey });
      assert.match(read.outputs[0], /Container web Started/, JSON.stringify(read.raw));
    }, { timeoutMs: 300_000 });
  }

  scenario('an agent that uses hostclaw to lift its own policy is refused, however it goes about it', async () => {
    const { node, workdir } = await shared();
    const hostclaw = machine.here(context.host);
    await node.verb(['approvals', 'allowlist', 'add', hostclaw]);
    await node.verb(['approvals', 'allowlist', 'add', machine.shell]);
    for (const command of machine.attacks(hostclaw)) {
      const turn = await context.agentTurn({ node, steps: [{ command, workdir }], decide: 'allow-once' });
      assert.match(turn.raw.join(' '), /does not change the policy|denied|refused|headless|not for commands/i, command);
    }
    const { policy } = JSON.parse((await node.verb(['status', '--json'])).stdout);
    assert.equal(policy.security, 'allowlist');
    assert.ok(!/\/usr\/bin\/id|"hostname"/.test((await node.verb(['approvals', 'get', '--json'])).stdout));
    const verified = await node.verb(['audit', 'verify']);
    assert.equal(verified.code, 0, verified.text);
  });

  scenario('a rule that refuses tells the agent its note', async () => {
    const { node, workdir } = await shared();
    const added = await node.verb(['policy', 'add', 'deny', 'docker', '--arguments', '... prune ...', '--note', 'volumes hold the data', '--match', 'docker system prune', '--not-match', 'docker ps', '--id', 'no-prune']);
    assert.equal(added.code, 0, added.text);
    const turn = await context.agentTurn({ node, steps: [{ command: 'docker system prune', workdir }] });
    assert.match(turn.raw[0], /volumes hold the data/);
    const { runs } = JSON.parse((await node.verb(['runs', '--json', '--limit', '5'])).stdout);
    assert.equal(runs[0].code, 'RULE_DENY', JSON.stringify(runs[0]));
  });
}
