// SPDX-License-Identifier: Apache-2.0
// The outcomes of the releases suite as a table in a document.
import { readFileSync, writeFileSync } from 'node:fs';

const columns = ['pairing', 'surface', 'which', 'listed', 'question', 'refusal', 'approvals'];

// In the title of a scenario that passes because the release fails as it is known to.
export const answerIsLost = 'which loses the answer';

// Replaces what stands between `<!-- NAME -->` and `<!-- /NAME -->`. A cell is `yes` when every scenario whose title
// begins with the name of its column passed, and `partly` when the gateway loses an answer.
export function writeTable(file, name, contexts) {
  const rows = contexts.map(({ version, protocol, outcomes }) => {
    const cells = columns.map((column) => {
      const found = [...outcomes].filter(([title]) => title.startsWith(`${column}:`));
      if (!found.length) return 'not played';
      if (!found.every(([, passed]) => passed)) return 'no';
      return found.some(([title]) => title.endsWith(answerIsLost)) ? 'partly' : 'yes';
    });
    return `| ${[version, protocol, ...cells].join(' | ')} |`;
  });
  const table = [
    `| gateway | protocol | ${columns.join(' | ')} |`, `|${'---|'.repeat(columns.length + 2)}`, ...rows,
    '', `Played on ${new Date().toISOString().slice(0, 10)}.`,
  ].join('\n');
  const text = readFileSync(file, 'utf8');
  const marks = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [from, to] = marks.map((mark) => text.indexOf(mark));
  if (from < 0 || to < from) throw new Error(`${file} has no place for the table: ${marks.join(' ... ')}`);
  writeFileSync(file, `${text.slice(0, from + marks[0].length)}\n${table}\n${text.slice(to)}`);
}
