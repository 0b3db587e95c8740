// SPDX-License-Identifier: Apache-2.0
// Installs what the end-to-end tests need into tests/e2e/.packages (quick when it is already there).
import { ensurePackages, newest, oldest, packagesDirectory, turnOf } from './lib/packages.mjs';

const words = process.argv.slice(2);
const withTurn = words.includes('--with-turn'); // the release of the day too
const versions = words.filter((word) => word !== '--with-turn');
ensurePackages({ versions: versions.length ? versions : [newest, oldest, ...(withTurn ? [turnOf(new Date())] : [])], log: (line) => console.error(line) });
console.error(`end-to-end packages are in ${packagesDirectory}`);
