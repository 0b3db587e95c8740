// SPDX-License-Identifier: Apache-2.0
// Commands and lists for the comparison. Seeded: the same seed gives the same rows, so that a finding can be asked again.
import { basename, join } from 'node:path';

// mulberry32
export function randomSource(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const below = (count) => Math.floor(next() * count);
  const pick = (items) => items[below(items.length)];
  return { below, pick, chance: (part) => next() < part };
}

// Names of harmless programs that exist in no system directory, so that both hosts find the same files.
export const stubNames = ['hcdalpha', 'hcdbeta', 'hcdgamma', 'hcddelta-tool', 'hcdx'];

export function documents(bin) {
  const at = (name) => join(bin, name);
  const lists = [
    [{ pattern: at('hcdalpha') }],
    [{ pattern: at('hcdalpha') }, { pattern: at('hcdbeta') }, { pattern: '/usr/bin/uname' }],
    [{ pattern: 'hcdalpha' }, { pattern: 'wc' }],
    [{ pattern: join(bin, '*') }],
    [{ pattern: at('hcd?*') }, { pattern: '/usr/bin/w*' }],
    [{ pattern: '**/hcdbeta' }],
    [{ pattern: at('hcdalpha'), argPattern: '^run$' }, { pattern: at('hcdbeta'), argPattern: '^a\0b\0$' }],
    [{ pattern: at('hcdgamma'), argPattern: '^(run|stop)( --[a-z]+)*$' }, { pattern: 'hcdx' }],
    [{ pattern: '/usr/bin/env' }, { pattern: at('hcdalpha') }, { pattern: '/usr/bin/timeout' }],
    [{ pattern: '/usr/bin/dash' }, { pattern: '/bin/sh' }, { pattern: at('hcdbeta') }],
    [],
  ];
  const out = lists.map((allowlist) => ({
    version: 1, defaults: { security: 'allowlist', ask: 'off', askFallback: 'deny' }, agents: { main: { allowlist } },
  }));
  const first = { pattern: at('hcdalpha') };
  out.push({ version: 1, defaults: { security: 'allowlist', ask: 'on-miss', askFallback: 'deny' }, agents: { '*': { allowlist: [first] } } });
  out.push({ version: 1, defaults: { security: 'allowlist', ask: 'always', askFallback: 'deny' }, agents: { main: { allowlist: [first] } } });
  out.push({ version: 1, defaults: { security: 'deny' }, agents: { main: { allowlist: [first] } } });
  out.push({ version: 1, defaults: { security: 'full', ask: 'off' }, agents: { main: { security: 'allowlist', allowlist: [{ pattern: at('hcdbeta') }] } } });
  return out;
}

// Nothing here writes outside its directory, removes anything or waits for input.
const plainWords = ['run', 'stop', 'a', 'b', '-x', '--flag', '--flag=1', '-', '--', '.', '/tmp', 'a b', '', '0', '-n', '-l', '1', '-c', 'x=y', '=x', '@', '%1', '+', ',', ':'];
const oddWords = ['~', '~root', '*', '?', '[ab]', '{a,b}', '$HOME', '${HOME}', '$(hcdx)', '`hcdx`', '!x', '#x', 'a#b', '\\', '\\a', 'a\\ b', "'", '"', "'a b'", '"a b"', '"$HOME"', "$'a'", '$"a"', '\u00a0', '\u2028', 'é', '😀', '\t', ' ', '\r', '\u0085', '\ufeff', '<', '>', '$', '$$', '$1', '"\\$x"', '"\\`x\\`"', "''", '""', 'a""b', "a''b"];
const operators = [' && ', ' || ', ' ; ', ' | ', ' & ', '\n', ';', '|', '&&', '&', ' |& ', ' ;; ', ' \\\n ', '\r\n', ' && \n', ' | \n '];
const redirections = [' >/dev/null', ' 2>/dev/null', ' 2>&1', ' </dev/null', ' &>/dev/null', ' >out.txt', ' <<<x', ' 3>&1', ' <<E\nx\nE\n'];
const builtins = ['cd .', 'cd /tmp', 'echo a', 'true', 'false', ':', 'pwd', 'test -n a', '[ a = a ]', 'export A=1', 'set -e', 'unset A', 'printf x', 'exit 0', 'type hcdx', 'eval hcdx', '. ./x', 'command hcdalpha', 'exec hcdalpha', 'alias a=b', 'trap : 0', 'umask 022'];
const compound = [(c) => `(${c})`, (c) => `{ ${c}; }`, (c) => `if ${c}; then ${c}; fi`, (c) => `! ${c}`, (c) => `$(${c})`, (c) => `\`${c}\``, (c) => `f() { ${c}; }; f`, (c) => `for i in a; do ${c}; done`, (c) => `case a in a) ${c};; esac`, (c) => `time ${c}`];
const shells = ['/bin/sh', 'sh', '/bin/bash', 'bash', '/usr/bin/dash', 'dash', 'zsh'];
const shellFlags = ['-c', '-lc', '-cl', '-ec', '-l -c', '-i -c', '-s', '-x -c', '--norc -c', '-o errexit -c', '-c --', '+e -c'];

// Rows that are asked in every run: where a difference was seen once.
export function fixedRows({ work }) {
  const document = { version: 1, defaults: { security: 'allowlist', ask: 'off', askFallback: 'deny' }, agents: { main: { allowlist: [{ pattern: 'hcdalpha' }] } } };
  const rows = [];
  for (const shell of ['zsh', 'bash', 'dash', 'sh', '/bin/sh', 'ksh', 'fish']) {
    for (const text of [' wc -l ', 'wc -l', 'wc -l ', ' hcdalpha | wc -l ', ' hcdalpha', 'hcdalpha ', '\thcdalpha', 'hcdalpha\n', 'hcdalpha', 'hcdalpha a  b', 'hcdalpha =x', 'hcdalpha ~x', 'hcdalpha a^b', 'hcdalpha %1']) {
      for (const flag of ['-c', '-lc']) {
        const params = { agentId: 'main', sessionKey: 'agent:main:main', cwd: work, command: [shell, flag, text] };
        rows.push({ document, params }, { document, params: { ...params, rawCommand: text } });
      }
    }
  }
  return rows;
}

export function generator({ random, bin, work }) {
  const { pick, chance, below } = random;
  const programs = [...stubNames, ...stubNames, ...stubNames.map((name) => join(bin, name)), 'uname', 'wc', 'head', 'tr', 'cut', '/usr/bin/uname', '/usr/bin/wc', 'id', './hcdx', 'bin/hcdalpha', '../bin/hcdalpha', 'hcdmissing', `${bin}//hcdalpha`, `${bin}/./hcdbeta`, `${bin}/../bin/hcdalpha`, 'hcdlink', join(bin, 'hcdlink')];
  const argument = () => (chance(0.85) ? pick(plainWords) : pick(oddWords));
  const some = (most) => Array.from({ length: below(most + 1) }, argument);
  // Mostly what the list names, so that many rows are near the border.
  let listed = [];
  const program = () => (listed.length && chance(0.75) ? pick(listed) : chance(0.7) ? pick(programs.slice(0, 15)) : pick(programs));

  const simpleArgv = () => [program(), ...some(3)];
  const wrapped = (argv) => pick([
    () => ['env', ...argv], () => ['/usr/bin/env', ...argv], () => ['env', 'A=1', ...argv], () => ['env', '-i', ...argv], () => ['env', '-S', argv.join(' ')], () => ['env', '--', ...argv], () => ['env', '-u', 'A', ...argv],
    () => ['nice', ...argv], () => ['nice', '-n', '5', ...argv], () => ['nohup', ...argv], () => ['timeout', '5', ...argv], () => ['timeout', '-k', '1', '5', ...argv], () => ['stdbuf', '-oL', ...argv], () => ['setsid', ...argv],
    () => ['time', ...argv], () => ['busybox', ...argv], () => ['xargs', ...argv], () => ['find', '.', '-maxdepth', '0', '-exec', ...argv, ';'], () => ['flock', 'lock', ...argv], () => ['env', 'env', ...argv], () => ['nice', 'timeout', '5', ...argv],
  ])();
  const quoted = (word) => {
    if (/^[A-Za-z0-9_./:=@%+,-]+$/.test(word) && chance(0.9)) return word;
    if (chance(0.15)) return word;
    return chance(0.6) ? `'${word.replaceAll("'", "'\\''")}'` : `"${word.replaceAll(/["\\$`]/g, '\\$&')}"`;
  };
  const noisy = (text) => {
    if (!chance(0.12) || text.length === 0) return text;
    const at = below(text.length + 1);
    return text.slice(0, at) + pick(oddWords) + text.slice(at);
  };
  const simpleText = () => {
    if (chance(0.12)) return pick(builtins);
    const argv = chance(0.12) ? wrapped(simpleArgv()) : simpleArgv();
    let text = argv.map(quoted).join(chance(0.9) ? ' ' : pick(['  ', '\t', ' \\\n']));
    if (chance(0.06)) text = `${pick(['A=1', 'PATH=/tmp', 'A=', 'LD_PRELOAD=x', 'A+=1', 'IFS=x'])} ${text}`;
    if (chance(0.08)) text += pick(redirections);
    return noisy(text);
  };
  const text = () => {
    let out = simpleText();
    while (chance(0.35)) out += pick(operators) + simpleText();
    if (chance(0.08)) out = pick(compound)(out);
    if (chance(0.05)) out = pick([' ', '\n', '\t', '\u00a0']) + out;
    if (chance(0.05)) out += pick([' ', ';', '\n', ' #x', '\\', '\u00a0', '&']);
    return noisy(out);
  };
  const shellArgv = () => {
    const argv = [pick(shells), ...pick(shellFlags).split(' '), text()];
    if (chance(0.15)) argv.push(...some(2));
    return argv;
  };

  return (document) => {
    listed = Object.values(document.agents ?? {}).flatMap(({ allowlist }) => allowlist).flatMap(({ pattern }) => {
      const name = /[*?]/.test(pattern) ? pick(stubNames) : basename(pattern);
      return pattern.startsWith('/usr') || pattern.startsWith('/bin') ? [name] : [name, name, join(bin, name)];
    });
    const params = { agentId: 'main', sessionKey: 'agent:main:main', cwd: work };
    const kind = below(100);
    if (kind < 45) {
      const carried = text();
      params.command = ['/bin/sh', '-lc', carried];
      params.rawCommand = carried;
      if (chance(0.05)) params.rawCommand = `${carried} `;
    } else if (kind < 60) {
      params.command = shellArgv();
    } else if (kind < 68) {
      params.command = wrapped(chance(0.3) ? shellArgv() : simpleArgv());
    } else if (kind < 72) {
      params.command = wrapped(wrapped(simpleArgv()));
    } else {
      params.command = simpleArgv().map((word) => (chance(0.03) ? noisy(word) : word));
    }
    if (chance(0.04)) params.env = { [pick(['FOO', 'PATH', 'LANG', 'NODE_OPTIONS', 'LC_ALL', 'BASH_ENV'])]: 'x' };
    if (chance(0.03)) params.agentId = pick(['other', 'MAIN', ' main ']);
    if (chance(0.03)) delete params.cwd;
    return params;
  };
}
