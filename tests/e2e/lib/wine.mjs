// SPDX-License-Identifier: Apache-2.0
// The program for Windows runs under Wine, in the Windows session that tests/windows/run.sh made.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

const wine = '/usr/lib/wine/wine64';

export const isWindowsProgram = (host) => host.endsWith('.exe');

// As Wine shows the file system of this machine.
export const windowsPath = (path) => `Z:${path.replaceAll('/', '\\')}`;

const prefixOf = (program) => join(dirname(dirname(program)), 'wine');

export function wineEnvironment(program) {
  return { WINEPREFIX: prefixOf(program), WINEDEBUG: '-all', WINEDLLOVERRIDES: 'mscoree=;mshtml=;winemenubuilder.exe=d' };
}

export const wineCommand = (program, args) => [wine, [program, ...args]];

// Keeps the session between two programs. Returns how to end it.
export function keepSession(program) {
  if (!existsSync(join(prefixOf(program), 'ready'))) throw new Error(`there is no Windows session in ${prefixOf(program)}: tests/windows/run.sh makes it`);
  const env = { ...process.env, ...wineEnvironment(program) };
  spawn(wine, [join(dirname(program), 'keep_session.exe')], { env, stdio: 'ignore' }).unref();
  return () => { spawnSync('/usr/lib/wine/wineserver64', ['-k'], { env }); };
}
