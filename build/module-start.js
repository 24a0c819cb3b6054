/**
 * How build/out/ar-exec.mjs begins, for a Node of the system's own: looks whether that is recent enough,
 * before anything of the agent is loaded. As far as here it has to be understood by old ones.
 */

// node:sqlite needs no flag from 22.13 and 23.4 on.
const nodeVersion = process.versions.node.split('.').map(Number);
const nodeIsRecent =
  nodeVersion[0] > 23 ||
  (nodeVersion[0] === 22 && nodeVersion[1] >= 13) ||
  (nodeVersion[0] === 23 && nodeVersion[1] >= 4);
if (!nodeIsRecent) {
  process.stderr.write(
    `ar-exec: this is Node.js ${process.versions.node} (${process.execPath}), and 22.13 or later is needed\n`,
  );
  process.exit(8);
}

// Before Node 26 node:sqlite says at each start that it is experimental, which nobody has to know here.
const { emitWarning } = process;
process.emitWarning = (warning, ...rest) => {
  if (rest[0] === 'ExperimentalWarning' && /^SQLite /.test(String(warning))) return;
  emitWarning.call(process, warning, ...rest);
};
