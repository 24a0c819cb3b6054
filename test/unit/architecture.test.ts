import { globSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { cycle, violations, wrongName } from './import-rules.ts';

describe('the repository', () => {
  const sources = globSync('{agent,platform}/**/*.ts').map((path) => ({
    path: path.replaceAll('\\', '/'),
    text: readFileSync(path, 'utf8'),
  }));

  test('keeps the rules of who imports whom', () => {
    expect(sources.length).toBeGreaterThan(5);
    expect(sources.flatMap(violations)).toEqual([]);
  });

  test('has no files that import each other in a circle', () => {
    expect(cycle(sources)).toBeUndefined();
  });

  test('has no place for odds and ends', () => {
    // What was built or unpacked there has its names from elsewhere.
    const exclude = ['build/out/**'];
    const paths = globSync('{agent,platform,build,scripts,test,docs}/**', { exclude });
    expect(paths.flatMap((path) => wrongName(path.replaceAll('\\', '/')))).toEqual([]);
  });
});

/** The rules are rules only if they find what they forbid. */
describe('the rules', () => {
  const from = (path: string, text: string) => violations({ path, text });

  test.each([
    ['platform/linux/nftables.ts', "import type { Request } from '../../agent/words.ts'"],
    ['platform/linux/nftables.ts', "import { readFile } from 'node:fs/promises'"],
    ['platform/linux/nftables.ts', "import { execa } from 'execa'"],
    ['agent/intake/socket.ts', "import { decide } from '../policy/decide.ts'"],
    ['agent/intake/dialects/wazuh.ts', "import type { A } from '../../policy/decide.ts'"],
    ['agent/intake/socket.ts', "export { load } from '../config/load.ts'"],
    ['agent/intake/socket.ts', "export * from '../config/load.ts'"],
    ['agent/intake/socket.ts', "const load = () => import('../config/load.ts')"],
    ['agent/intake/socket.ts', "type A = import('../config/load.ts').A"],
    ['agent/intake/socket.ts', 'const load = (name: string) => import(name)'],
    ['agent/engine/lane.ts', "import { flow } from '../flow.ts'"],
    ['agent/engine/lane.ts', "import { nftables } from '../../platform/linux/nftables.ts'"],
    ['agent/engine/lane.ts', "import { Driver } from '../../platform/driver.ts'"],
    ['agent/engine/lane.ts', "import { hosts } from '../../test/kernel/hosts.ts'"],
    ['agent/engine/lane.ts', "import { schedule } from 'node-cron'"],
    ['agent/engine/lane.ts', "import { DatabaseSync } from 'node:sqlite'"],
    ['agent/engine/lane.ts', "const sqlite = process.getBuiltinModule('sqlite')"],
    ['agent/system/run.ts', "import { spawn } from 'node:child_process'"],
    ['agent/system/run.ts', "import { spawn } from 'child_process'"],
    ['agent/system/run.ts', "const { spawn } = require('child_process')"],
    ['agent/system/log.ts', "import type { Logger } from 'pino'"],
    ['agent/observe/log.ts', "import yargs from 'yargs/yargs'"],
    ['agent/words.ts', "import type { Load } from './config/load.ts'"],
    ['agent/flow.ts', "import { daemon } from './daemon.ts'"],
    ['agent/flow.ts', "import { add } from './cli/add.ts'"],
    ['agent/daemon.ts', "import { add } from './cli/add.ts'"],
    ['agent/intake/socket.ts', "import { version } from '../version.ts'"],
    ['agent/words.ts', "import { version } from './version.ts'"],
    ['agent/cli/add.ts', "import { main } from '../main.ts'"],
    ['agent/engine/lane.ts', "if (process.platform === 'linux') {}"],
    ['agent/engine/lane.ts', "if (process['platform'] === 'linux') {}"],
    ['agent/engine/lane.ts', 'const { platform } = process'],
    ['agent/engine/lane.ts', "import { platform } from 'node:os'"],
    ['agent/engine/lane.ts', "import os from 'node:os'; os.platform()"],
    ['agent/engine/lane.ts', '\n'.repeat(301)],
    ['agent/system/utils.ts', ''],
    ['agent/system/helpers/time.ts', ''],
    ['agent/system/file-helper.ts', ''],
    ['platform/common/tables.ts', ''],
  ])('forbid, in %s: %s', (path, text) => {
    expect(from(path, text)).toHaveLength(1);
  });

  test.each([
    ['platform/linux/nftables.ts', "import { parseTarget } from '../target.ts'"],
    ['platform/linux/nftables.ts', "import ipaddr from 'ipaddr.js'; import 'node:net'"],
    ['agent/intake/dialects/wazuh.ts', "import { read } from '../frames.ts'"],
    ['agent/intake/socket.ts', "import ipc from 'node-ipc'"],
    ['agent/engine/lane.ts', "import { ArError } from '../errors.ts'"],
    ['agent/engine/lane.ts', "import type { Driver } from '../../platform/driver.ts'"],
    ['agent/engine/lane.ts', "import { isHost } from '../../platform/target.ts'"],
    ['agent/engine/chores.ts', "import { schedule } from 'node-cron'"],
    ['agent/flow.ts', "import { lane } from './engine/lane.ts'"],
    ['agent/daemon.ts', "import { kinds } from '../platform/index.ts'"],
    ['agent/daemon.ts', "import { flow } from './flow.ts'; process.platform"],
    ['agent/cli/add.ts', "const start = () => import('../daemon.ts')"],
    ['agent/cli/add.ts', "import { version } from '../version.ts'"],
    ['agent/main.ts', "const run = () => import('./cli/run.ts')"],
  ])('allow, in %s: %s', (path, text) => {
    expect(from(path, text)).toEqual([]);
  });

  test('find a circle', () => {
    const sources = [
      { path: 'agent/flow.ts', text: "import { createDesk } from './desk.ts'" },
      { path: 'agent/desk.ts', text: "const lane = () => import('./engine/lane.ts')" },
      { path: 'agent/engine/lane.ts', text: "export * from '../desk.ts'" },
    ];
    expect(cycle(sources)).toEqual(['agent/desk.ts', 'agent/engine/lane.ts', 'agent/desk.ts']);
    const types = { path: 'agent/engine/lane.ts', text: "import type { Desk } from '../desk.ts'" };
    expect(cycle([...sources.slice(0, 2), types])).toBeUndefined();
  });
});
