// SPDX-License-Identifier: Apache-2.0
// Memory and threads of a process with all its descendants, from /proc.
import { readdirSync, readFileSync } from 'node:fs';

function read(path) {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

function tree(root) {
  const children = new Map();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const parent = /^PPid:\s+(\d+)/m.exec(read(`/proc/${name}/status`))?.[1];
    if (parent) children.set(Number(parent), [...(children.get(Number(parent)) ?? []), Number(name)]);
  }
  const all = [root];
  for (const id of all) all.push(...(children.get(id) ?? []));
  return all;
}

const number = (text, name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0);

export function footprint(root) {
  const total = { processes: 0, threads: 0, rss_mib: 0, pss_mib: 0 };
  for (const id of tree(root)) {
    const status = read(`/proc/${id}/status`);
    if (!status) continue;
    total.processes += 1;
    total.threads += number(status, 'Threads');
    total.rss_mib += number(status, 'VmRSS') / 1024;
    total.pss_mib += number(read(`/proc/${id}/smaps_rollup`), 'Pss') / 1024;
  }
  return { ...total, rss_mib: round(total.rss_mib), pss_mib: round(total.pss_mib) };
}

export const round = (value, digits = 2) => Number(value.toFixed(digits));
