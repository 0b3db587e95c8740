// SPDX-License-Identifier: Apache-2.0
// A child process in its own group, with its output kept line by line and awaitable.
import { spawn } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';

const live = new Set();
process.on('exit', () => {
  for (const child of live) child.signalGroup('SIGKILL');
});
for (const [signal, status] of [['SIGINT', 130], ['SIGTERM', 143]]) process.once(signal, () => process.exit(status));

export class Child extends EventEmitter {
  constructor(command, args, { env, cwd, name, input } = {}) {
    super();
    this.setMaxListeners(0);
    this.name = name ?? command;
    this.lines = [];
    this.stdout = '';
    this.exited = false;
    this.process = spawn(command, args, { env, cwd, detached: true, stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'] });
    this.pid = this.process.pid;
    live.add(this);
    if (input !== undefined) this.process.stdin.end(input);
    this.#collect(this.process.stdout, true);
    this.#collect(this.process.stderr, false);
    this.done = new Promise((resolve) => {
      this.process.on('error', (error) => this.#finish({ code: -1, signal: null, error }, resolve));
      this.process.on('close', (code, signal) => this.#finish({ code, signal }, resolve));
    });
  }

  #finish(status, resolve) {
    if (this.exited) return;
    this.exited = true;
    this.status = status;
    live.delete(this);
    this.emit('change');
    resolve(status);
  }

  #collect(stream, isStdout) {
    let rest = '';
    stream.setEncoding('utf8');
    stream.on('data', (text) => {
      if (isStdout) this.stdout += text;
      rest += text;
      const parts = rest.split('\n');
      rest = parts.pop();
      if (process.env.E2E_TRACE) for (const part of parts) console.error(`[${this.name}] ${part}`);
      for (const part of parts) this.lines.push(part.replace(/\x1b\[[0-9;]*m/g, ''));
      if (parts.length) this.emit('change');
    });
    stream.on('end', () => {
      if (rest) this.lines.push(rest);
      this.emit('change');
    });
  }

  // Resolves with the first line at or after index `from` that matches; rejects on exit or timeout.
  async waitForLine(pattern, { timeoutMs = 30_000, from = 0 } = {}) {
    const matches = typeof pattern === 'string' ? (line) => line.includes(pattern) : (line) => pattern.test(line);
    return waitFor(this, () => {
      const index = this.lines.findIndex((line, at) => at >= from && matches(line));
      if (index >= 0) return { line: this.lines[index], index };
      if (this.exited) throw new Error(`${this.name} ended (${JSON.stringify(this.status)}) before a line matched ${pattern}\n${this.tail()}`);
      return undefined;
    }, { timeoutMs, what: () => `a line of ${this.name} matching ${pattern}\n${this.tail()}` });
  }

  tail(count = 25) {
    return this.lines.slice(-count).map((line) => `    ${line}`).join('\n');
  }

  signalGroup(signal) {
    try {
      process.kill(-this.pid, signal);
    } catch {
      // The group is gone already.
    }
  }

  // Asks the process to stop, then makes sure that nothing of its group is left.
  async stop({ signal = 'SIGTERM', graceMs = 8_000 } = {}) {
    if (!this.exited) {
      try {
        process.kill(this.pid, signal);
      } catch {
        // It has just ended.
      }
      const timer = setTimeout(() => this.signalGroup('SIGKILL'), graceMs);
      await this.done;
      clearTimeout(timer);
    }
    this.signalGroup('SIGKILL');
    return this.status;
  }
}

// Waits until probe() gives something other than undefined, looking again at each 'change' of the emitter.
export function waitFor(emitter, probe, { timeoutMs = 30_000, what = () => 'an event' } = {}) {
  return new Promise((resolve, reject) => {
    const settle = (action, value) => {
      clearTimeout(timer);
      emitter.off('change', look);
      action(value);
    };
    const look = () => {
      try {
        const value = probe();
        if (value !== undefined) settle(resolve, value);
      } catch (error) {
        settle(reject, error);
      }
    };
    const timer = setTimeout(() => settle(reject, new Error(`timed out after ${timeoutMs} ms waiting for ${what()}`)), timeoutMs);
    emitter.on('change', look);
    look();
  });
}

// Repeats an asynchronous question until it gives something other than undefined. Only for state that
// offers no event to wait for.
export async function eventually(question, { timeoutMs = 20_000, intervalMs = 100, what = 'a condition' } = {}) {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await question();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > deadline) throw new Error(`timed out after ${timeoutMs} ms waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
}

export async function run(command, args, options = {}) {
  const child = new Child(command, args, options);
  const timer = setTimeout(() => child.signalGroup('SIGKILL'), options.timeoutMs ?? 60_000);
  const status = await child.done;
  clearTimeout(timer);
  return { ...status, stdout: child.stdout, lines: child.lines, text: child.lines.join('\n') };
}

// Ids of all processes whose command line contains the text.
export function processesWith(text) {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((id) => {
      try {
        return readFileSync(`/proc/${id}/cmdline`, 'latin1').split('\0').join(' ').includes(text) && Number(id) !== process.pid;
      } catch {
        return false;
      }
    })
    .map(Number);
}

// Ends them all. The end of one may bring another's with it: who is gone already is not missed.
export function endProcessesWith(text) {
  for (const id of processesWith(text)) {
    try {
      process.kill(id);
    } catch (error) {
      if (error.code !== 'ESRCH') throw error;
    }
  }
}
