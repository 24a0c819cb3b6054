import { expect, test } from 'vitest';
import { createGateways } from '../../agent/system/gateways.ts';
import { readGateways } from '../../agent/system/windows/gateways.ts';

import type { StepResult } from '../../platform/step.ts';

/** A MIB_IPFORWARD_ROW2: where its parts are is in netioapi.h. */
function row({ family, length, hop }: { family: number; length: number; hop: number[] }): Buffer {
  const bytes = Buffer.alloc(104);
  bytes.writeUInt16LE(family, 12);
  bytes[40] = length;
  bytes.writeUInt16LE(family, 44);
  Buffer.from(hop).copy(bytes, family === 2 ? 48 : 52);
  return bytes;
}

function table(rows: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(rows.length);
  return Buffer.concat([head, ...rows]);
}

test('the next hops of default routes are gateways, of both families', () => {
  const link = [0xfe, 0x80, ...Array<number>(13).fill(0), 1];
  const rows = [
    row({ family: 2, length: 0, hop: [192, 0, 2, 1] }),
    row({ family: 2, length: 24, hop: [192, 0, 2, 9] }),
    row({ family: 23, length: 0, hop: link }),
  ];
  expect(readGateways(table(rows))).toEqual([
    '192.0.2.1',
    'fe80:0000:0000:0000:0000:0000:0000:0001',
  ]);
});

test('a route to everywhere that leads to an interface has none', () => {
  const rows = [
    row({ family: 2, length: 0, hop: [0, 0, 0, 0] }),
    row({ family: 23, length: 0, hop: Array<number>(16).fill(0) }),
  ];
  expect(readGateways(table(rows))).toEqual([]);
  expect(readGateways(table([]))).toEqual([]);
});

test('whoever was a gateway stays one while Windows does not answer', async () => {
  const answers: StepResult[] = [
    { exitCode: 0, stdout: '["192.0.2.1"]', stderr: '' },
    { failure: 'io', stdout: '', stderr: 'GetIpForwardTable2: error 8' },
    { exitCode: 0, stdout: '["192.0.2.2"]', stderr: '' },
  ];
  const gateways = createGateways('win32', async () => answers.shift() as StepResult);
  expect(await gateways()).toEqual(['192.0.2.1']);
  expect(await gateways()).toEqual(['192.0.2.1']);
  expect(await gateways()).toEqual(['192.0.2.2']);
});
