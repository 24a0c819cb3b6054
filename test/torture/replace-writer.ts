/** Replaces the file argv[2] again and again, and says what it then holds: recorded by power.test.ts. */
import { writeSync } from 'node:fs';
import { replaceFile, takeSnapshot } from '../../agent/system/replace-file.ts';

const [, , path = ''] = process.argv;
for (let round = 0; round < 8; round += 1) {
  const bytes = Buffer.from(`# ${round}\n${`ALL: 203.0.113.${round}\n`.repeat(40 * (8 - round))}`);
  await replaceFile(await takeSnapshot(path), bytes, async () => {});
  writeSync(1, `${bytes.toString('base64')}\n`);
}
