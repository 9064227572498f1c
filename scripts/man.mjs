// npm run man: docs/commands.md as the manual page bpfilter(8), on standard output.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const { version } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8'));
// References to other pages are file names in the folder of the documentation.
const text = readFileSync(`${root}/docs/commands.md`, 'utf8').replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1');
const options = [
  '--no-breaks',
  '--name',
  'bpfilter',
  '--section',
  '8',
  '--version',
  `bpfilter ${version}`,
  '--manual',
  'System administration',
];
process.stdout.write(
  execFileSync(process.execPath, [`${root}/node_modules/marked-man/bin/marked-man.js`, ...options], {
    input: text,
    encoding: 'utf8',
  }),
);
