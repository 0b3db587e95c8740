// Installs what the end-to-end tests need into tests/e2e/.packages (quick when it is already there).
import { ensurePackages, newest, oldest, packagesDirectory } from './lib/packages.mjs';

const versions = process.argv.slice(2);
ensurePackages({ versions: versions.length ? versions : [newest, oldest], log: (line) => console.error(line) });
console.error(`end-to-end packages are in ${packagesDirectory}`);
