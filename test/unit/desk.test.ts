import { expect, test, vi } from 'vitest';
import { createDesk } from '../../agent/desk/desk.ts';
import { createCarrier } from '../../agent/engine/carry-out.ts';
import { ArError } from '../../agent/errors.ts';
import { openJournal } from '../../agent/journal/journal.ts';
import { routeNull } from '../../platform/linux/route-null.ts';
import { parseTarget } from '../../platform/target.ts';

/** A full disk: what is due stays due, and nobody is to be kept busy or in the dark by that. */
test('a deadline that cannot be written down is reported, and tried again with a pause', async () => {
  const target = parseTarget('203.0.113.7');
  if (target === undefined) throw new Error('not an address');
  const instance = { driver: routeNull.name, settings: routeNull.defaults };
  const inner = openJournal(':memory:');
  let full = false;
  const intend = vi.fn<typeof inner.intend>((orders, now) => {
    if (full) throw new ArError('journal-failed', 'the disk is full', 'Make room.');
    return inner.intend(orders, now);
  });
  const trouble = vi.fn();
  const desk = createDesk(
    {
      journal: { ...inner, intend },
      clock: { now: () => Date.now() },
      report: { refused: () => {}, outcome: () => {}, repaired: () => {}, trouble },
      limits: { pendingRequests: 10 },
      carrier: () =>
        createCarrier(routeNull.make(routeNull.defaults), async () => ({
          exitCode: 0,
          stdout: '[]\n[]\n[]\n',
          stderr: '',
        })),
      responseOf: () => 'route-null',
    },
    instance,
  );
  const order = {
    response: 'route-null',
    target,
    instance,
    origin: { dialect: 'native' },
  } as const;
  await desk.carryOut({ ...order, verb: 'add', timeoutSeconds: 1 });
  full = true;
  await expect.poll(() => trouble.mock.calls.length, { timeout: 5_000 }).toBe(1);
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(intend).toHaveBeenCalledTimes(2);
  expect(trouble).toHaveBeenCalledTimes(1);

  full = false;
  await expect.poll(() => inner.liveCount(), { timeout: 5_000 }).toBe(0);
  await desk.stop(false);
  inner.close();
});

test('what could not be taken away is taken away later, without anybody asking again', async () => {
  const target = parseTarget('203.0.113.7');
  if (target === undefined) throw new Error('not an address');
  const instance = { driver: routeNull.name, settings: routeNull.defaults };
  const journal = openJournal(':memory:');
  const carrier = createCarrier(routeNull.make(routeNull.defaults), async () => ({
    exitCode: 0,
    stdout: '[]\n[]\n[]\n',
    stderr: '',
  }));
  const teardown = vi.fn<typeof carrier.teardown>().mockResolvedValueOnce(false);
  teardown.mockResolvedValue(true);
  const desk = createDesk(
    {
      journal,
      clock: { now: () => Date.now() },
      report: { refused: () => {}, outcome: () => {}, repaired: () => {}, trouble: () => {} },
      limits: { pendingRequests: 10 },
      carrier: () => ({ ...carrier, teardown }),
      responseOf: () => 'route-null',
    },
    instance,
  );
  const order = {
    response: 'route-null',
    target,
    instance,
    origin: { dialect: 'native' },
  } as const;
  await desk.carryOut({ ...order, verb: 'add' });
  await desk.carryOut({ ...order, verb: 'delete' });
  await expect.poll(() => teardown.mock.calls.length, { timeout: 20_000 }).toBe(2);
  await desk.stop(false);
  journal.close();
});
