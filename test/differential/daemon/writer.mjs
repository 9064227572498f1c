// Adds and deletes rules through the daemon, one after the other: node writer.mjs PACKAGE PREFIX COUNT
const [root, prefix, count] = process.argv.slice(2);
const { askDaemon } = await import(`${root}/dist/daemon/client.js`);
const rule = (/** @type {number} */ at) => [
  'INPUT',
  '-s',
  `${prefix}.${at}`,
  '-p',
  'tcp',
  '--dport',
  '7',
  '-j',
  'DROP',
];
for (let at = 0; at < Number(count); at++) {
  for (const command of at % 2 === 0 ? ['-A'] : ['-I', '-D']) {
    const status = await askDaemon('iptables', ['-w', command, ...rule(at)], `${root}/package.json`);
    if (status !== 0) {
      process.stderr.write(`${command} ${rule(at).join(' ')}: ${status}\n`);
      process.exit(9);
    }
  }
}
process.exit(0);
