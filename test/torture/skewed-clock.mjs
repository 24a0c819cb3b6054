/**
 * Loaded before an agent (node --import): its clocks are set as the file in AR_EXEC_SKEW says, at the
 * start and at SIGUSR2. `wall` moves the wall clock, `boot` the time since boot (a suspend), both in ms.
 */
import { readFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';

const file = process.env.AR_EXEC_SKEW ?? '';
const { now } = Date;
const { uptime } = os;
let skew = { wall: 0, boot: 0 };
const read = () => {
  skew = JSON.parse(readFileSync(file, 'utf8'));
};
read();
process.on('SIGUSR2', read);
Date.now = () => now() + skew.wall;
os.uptime = () => uptime() + skew.boot / 1_000;
syncBuiltinESMExports();
