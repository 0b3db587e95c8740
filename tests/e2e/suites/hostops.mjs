// The user's own story: an agent upgrades a compose stack on the host with git, docker and curl, listed through the
// official command line and nothing else. docker is a stand-in that notes what it was told; its `up` restarts the
// gateway, as the real one does when the gateway's container is part of the stack.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createServer } from 'node:http';
import { chmodSync, existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before } from '../lib/packages.mjs';
import { eventually } from '../lib/process.mjs';

const callers = { main: 'caller full/off', ask: 'caller allowlist/on-miss' };

export default function hostops(context, scenario) {
  // Before 2026.8 a full/off caller is not looked at: this node asks.
  const gatewayAsks = (agent) => agent === 'ask' || !before(context.version, '2026.8');
  let stack;

  // A repository with a remote, a compose directory, a service that answers, and docker in a directory of PATH.
  const shared = async () => {
    if (stack) return stack;
    const node = context.node();
    const root = realpathSync(node.directory);
    const bin = join(root, 'bin dir');
    mkdirSync(bin);
    const log = join(root, 'docker.log');
    writeFileSync(join(bin, 'docker'), `#!/bin/sh
printf '%s\\n' "$PWD|$*" >>'${log}'
case "$*" in
  "compose ps"*) echo 'NAME STATE' ; echo 'web running' ;;
  "compose up"*) echo restarting >&2 ; [ -e '${root}/restart' ] && : >'${root}/restarted' ; sleep 0.2 ; echo 'Container web Started' ;;
  *) echo "docker $*" ;;
esac
`);
    chmodSync(join(bin, 'docker'), 0o755);
    const git = (...words) => execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', ...words], { env: { ...process.env, HOME: root, GIT_CONFIG_NOSYSTEM: '1' } });
    const origin = join(root, 'origin.git');
    git('init', '-q', '--bare', '-b', 'trunk', origin);
    const repository = join(root, 'stack');
    git('clone', '-q', origin, repository);
    writeFileSync(join(repository, 'compose.yaml'), 'services: {web: {image: x}}\n');
    git('-C', repository, 'add', '.');
    git('-C', repository, 'commit', '-qm', 'first');
    git('-C', repository, 'push', '-q', '-u', 'origin', 'HEAD:trunk');
    const server = createServer((request, response) => response.end('healthy'));
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    context.disposables.push(() => new Promise((resolve) => { server.closeAllConnections(); server.close(resolve); }));
    node.extraEnvironment = { PATH: `${bin}:/usr/local/bin:/usr/bin:/bin` };
    node.start();
    await node.connected();
    await node.approveSurface();
    stack = { node, root, repository, docker: join(bin, 'docker'), log, health: `http://127.0.0.1:${server.address().port}/healthz` };
    await node.allow();
    for (const program of [realpathSync('/usr/bin/git'), stack.docker, realpathSync('/usr/bin/curl')]) {
      const add = () => context.gateway.cli(['approvals', 'allowlist', 'add', '--node', node.id, '--agent', '*', program]);
      let done = await add();
      if (done.code !== 0 && await context.gateway.approveOwnTools()) done = await add();
      assert.equal(done.code, 0, done.text);
    }
    return stack;
  };
  const told = ({ log }) => (existsSync(log) ? readFileSync(log, 'utf8').split('\n').filter(Boolean) : []);

  for (const agent of Object.keys(callers)) {
    scenario(`${callers[agent]}: reading git, docker and curl commands run unprompted in their directory`, async () => {
      const { node, repository, health } = await shared();
      const commands = [
        'git status --porcelain', 'git rev-parse --abbrev-ref HEAD', 'git fetch --all --prune', 'git checkout trunk', 'git pull --ff-only',
        'docker compose ps', 'docker compose logs --tail=80 web', 'docker compose config', 'docker compose images', 'docker compose ls',
        'docker compose version', 'docker ps', 'docker images', 'docker inspect web', 'docker logs web', 'docker version',
        `curl -fsS ${health}`, `curl -s -o /dev/null -w '%{http_code}' ${health}`,
        `git -C ${repository} status --porcelain`, `cd ${repository} && git status --porcelain`,
      ];
      const turn = await context.agentTurn({ node, agent, steps: commands.map((command) => ({ command, workdir: repository })), timeoutMs: 170_000 });
      assert.deepEqual(turn.questions.map((question) => question.request.command), []);
      assert.equal(turn.raw.length, commands.length, JSON.stringify(turn.raw));
      turn.raw.forEach((text, index) => assert.doesNotMatch(text, /denied|approval|SYSTEM_RUN/i, commands[index]));
      assert.match(turn.outputs[1], /trunk/);
      assert.match(turn.outputs[16], /healthy/);
      assert.match(turn.outputs[17], /200/);
      assert.match(turn.outputs[5], /web running/);
    });

    const story = async (command, decide) => {
      const { node, repository } = await shared();
      if (gatewayAsks(agent)) {
        const turn = await context.agentTurn({ node, agent, steps: [{ command, workdir: repository }], decide });
        return { asked: turn.questions.length, turn };
      }
      const from = node.child.lines.length;
      const turn = context.agentTurn({ node, agent, steps: [{ command, workdir: repository }] });
      const line = await Promise.race([node.child.waitForLine(/a person is asked: .* approvals resolve /, { from }).catch(() => undefined), turn.then(() => undefined)]);
      if (line) {
        const answer = await node.verb(['approvals', 'resolve', /approvals resolve (\S+)/.exec(line.line)[1], decide]);
        assert.equal(answer.code, 0, answer.text);
      }
      return { asked: line ? 1 : 0, turn: await turn };
    };

    for (const command of ['docker compose up -d --build web', 'docker compose restart web', 'docker exec web id']) {
      scenario(`${callers[agent]}: ${command} is asked about exactly once; allow-once runs it once`, async () => {
        const used = await shared();
        const begun = told(used).length;
        const first = await story(command, 'allow-once');
        assert.equal(first.asked, 1, JSON.stringify(first.turn.raw));
        await eventually(() => told(used).length === begun + 1, { what: 'the approved command to have run' });
        assert.equal(told(used).at(-1), `${used.repository}|${command.replace('docker ', '')}`);
        const second = await story(command, 'deny');
        assert.equal(second.asked, 1, 'allow-once does not cover the next one');
        assert.equal(told(used).length, begun + 1);
      });
    }

    scenario(`${callers[agent]}: allow-always covers exactly these arguments in this directory`, async () => {
      const used = await shared();
      const command = `docker compose up -d --build always-${agent}`;
      const begun = told(used).length;
      assert.equal((await story(command, 'allow-always')).asked, 1);
      await eventually(() => told(used).length === begun + 1, { what: 'the approved command to have run' });
      const again = await story(command, 'deny');
      assert.equal(again.asked, 0, JSON.stringify(again.turn.raw));
      await eventually(() => told(used).length === begun + 2, { what: 'the second run' });
      assert.equal((await story(`${command}-other`, 'deny')).asked, 1, 'another service is asked about');
      assert.equal(told(used).length, begun + 2);
    });
  }

  scenario('an agent that uses hostclaw to lift its own policy is refused, however it goes about it', async () => {
    const { node, repository } = await shared();
    const hostclaw = context.host;
    const before_ = (await node.verb(['approvals', 'get', '--json'])).stdout;
    await node.verb(['approvals', 'allowlist', 'add', hostclaw]);
    await node.verb(['approvals', 'allowlist', 'add', '/usr/bin/sh']);
    const attempts = [`${hostclaw} exec-policy preset yolo`, `sh -c '${hostclaw} exec-policy preset yolo'`, `env -i ${hostclaw} exec-policy preset yolo`,
      `setsid ${hostclaw} exec-policy preset yolo`, `${hostclaw} approvals allowlist add /usr/bin/id`];
    for (const command of attempts) {
      const { turn } = { turn: await context.agentTurn({ node, steps: [{ command, workdir: repository }], decide: 'allow-once' }) };
      assert.match(turn.raw.join(' '), /does not change the policy|denied|refused|headless|not for commands/i, command);
    }
    const policy = JSON.parse((await node.verb(['status', '--json'])).stdout).policy;
    assert.equal(policy.security, 'allowlist');
    assert.ok(!(await node.verb(['approvals', 'get', '--json'])).stdout.includes('/usr/bin/id'));
    assert.notEqual(before_, '');
    const verified = await node.verb(['audit', 'verify']);
    assert.equal(verified.code, 0, verified.text);
  });

  scenario('a rule that refuses tells the agent its note', async () => {
    const { node, repository } = await shared();
    const added = await node.verb(['policy', 'add', 'deny', 'docker', '--arguments', '... prune ...', '--note', 'volumes hold the data', '--match', 'docker system prune', '--not-match', 'docker ps', '--id', 'no-prune']);
    assert.equal(added.code, 0, added.text);
    const turn = await context.agentTurn({ node, steps: [{ command: 'docker system prune', workdir: repository }] });
    assert.match(turn.raw[0], /volumes hold the data/);
    const { runs } = JSON.parse((await node.verb(['runs', '--json', '--limit', '5'])).stdout);
    assert.equal(runs[0].code, 'RULE_DENY', JSON.stringify(runs[0]));
  });
}
