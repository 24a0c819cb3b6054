import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { linesOf } from '../../agent/cli/alert-lines.ts';
import { runCommandLine } from '../../agent/cli/command-line.ts';
import { exitStatus } from '../../agent/errors.ts';

describe('ar-exec alert', () => {
  let folder: string;
  let agent: Server;
  let said: string;
  /** Answers a request on the agent's side. */
  let answer: (request: { id: number; alert: { id: string } }, socket: Socket) => void;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ar-exec-alert-'));
    said = '';
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      said += String(text);
      return true;
    });
    agent = createServer((socket) => {
      socket.on('error', () => {});
      createInterface({ input: socket }).on('line', (line) => answer(JSON.parse(line), socket));
    });
    await new Promise<void>((resolve) => agent.listen(join(folder, 'socket'), resolve));
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    agent.close();
    await rm(folder, { recursive: true });
  });

  const run = (count: number): Promise<number> => {
    const file = join(folder, 'alerts.json');
    const config = join(folder, 'ar-exec.conf');
    const ids = Array.from({ length: count }, (_, index) => String(index));
    writeFileSync(file, ids.map((id) => `${JSON.stringify({ rule: {}, id })}\n`).join(''));
    writeFileSync(config, '<ar-exec><manager_config>none</manager_config></ar-exec>');
    const socket = join(folder, 'socket');
    return runCommandLine(['alert', '--file', file, '--config', config, '--socket', socket]);
  };

  test('tells of alerts in their order, though they are answered in another', async () => {
    const waiting: (() => void)[] = [];
    answer = ({ id }, socket) => {
      waiting.push(() => socket.write(`${JSON.stringify({ id, ok: true, responses: [] })}\n`));
      if (waiting.length === 3) for (const reply of waiting.reverse()) reply();
    };
    expect(await run(3)).toBe(exitStatus.ok);
    expect(said).toBe([1, 2, 3].map((line) => `${line}: nothing follows from it\n`).join(''));
  });

  test('has no more than so many in work', async () => {
    let inWork = 0;
    let most = 0;
    answer = ({ id }, socket) => {
      inWork += 1;
      most = Math.max(most, inWork);
      setTimeout(() => {
        inWork -= 1;
        socket.write(`${JSON.stringify({ id, ok: true, responses: [] })}\n`);
      }, 1);
    };
    expect(await run(3_000)).toBe(exitStatus.ok);
    expect(said.split('\n')).toHaveLength(3_001);
    expect(most).toBeLessThanOrEqual(512);
  });

  test('ends, and says so, when the agent is gone in the middle', async () => {
    answer = ({ id, alert }, socket) => {
      if (alert.id === '100') socket.destroy();
      else socket.write(`${JSON.stringify({ id, ok: true, responses: [] })}\n`);
    };
    expect(await run(20_000)).toBe(exitStatus.unreachable);
    expect(said).toContain('[agent-unreachable]');
    expect(said.split('\n').length).toBeLessThan(3_000);
  });
});

describe('the lines of a stream', () => {
  async function read(...chunks: readonly string[]): Promise<(string | true)[]> {
    async function* stream() {
      yield* chunks;
    }
    const lines: (string | true)[] = [];
    for await (const line of linesOf(stream(), 5)) {
      lines.push('text' in line ? line.text : line.tooLong);
    }
    return lines;
  }

  test('are put together from pieces, the last one with or without an end', async () => {
    expect(await read('a', 'b\nc', '\n\n  \nd')).toEqual(['ab', 'c', 'd']);
    expect(await read('ü', 'x\n')).toEqual(['üx']);
    expect(await read()).toEqual([]);
  });

  test('that are too long are told once, and passed over', async () => {
    expect(await read('123456\n12345\n')).toEqual([true, '12345']);
    expect(await read('1234', '5678', '9012', '34\nab\n')).toEqual([true, 'ab']);
    expect(await read('123456789')).toEqual([true]);
  });
});
