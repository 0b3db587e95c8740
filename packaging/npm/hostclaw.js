#!/usr/bin/env node
// Becomes the native program of this platform, or starts it and ends as it ends.
'use strict';
const {spawn} = require('node:child_process');
const os = require('node:os');

const platform = `hostclaw-${process.platform}-${process.arch}`;
const name = process.platform === 'win32' ? 'hostclaw.exe' : 'hostclaw';
let program;
try {
  program = require.resolve(`${platform}/bin/${name}`);
} catch {
  console.error(`error: PLATFORM_MISSING: the package ${platform} is not installed: either there is none for this`);
  console.error('platform, or npm was told to leave optional dependencies out');
  console.error('next: npm install hostclaw --include=optional');
  process.exit(1);
}
const words = process.argv.slice(2);
if (words.length === 1 && words[0] === '--print-executable') {
  console.log(program);
  process.exit(0);
}

// While the program runs, signals are its own affair: it gets those that reach this process. What a terminal
// sends on a key press reaches both by itself.
const forwarded = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'];
const byTerminal = (signal) => process.stdin.isTTY && (signal === 'SIGINT' || signal === 'SIGQUIT');
const child = spawn(program, words, {stdio: 'inherit', argv0: program});
for (const signal of forwarded) {
  try {
    process.on(signal, () => byTerminal(signal) || child.kill(signal));
  } catch {
    // Not a signal of this platform.
  }
}
child.on('error', (error) => {
  console.error(`error: PROGRAM_UNUSABLE: ${program}: ${error.message}`);
  process.exit(1);
});
child.on('exit', (code, signal) => {
  if (signal === null) process.exit(code);
  for (const each of forwarded) process.removeAllListeners(each);
  process.kill(process.pid, signal);
  // A signal that does not end this process: the shell's way to tell.
  setImmediate(() => process.exit(128 + os.constants.signals[signal]));
});
