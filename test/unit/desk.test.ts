import { expect, test, vi } from 'vitest';
import { createDesk } from '../../agent/desk/desk.ts';
import { createCarrier } from '../../agent/engine/carry-out.ts';
import { ArError } from '../../agent/errors.ts';
import { openJournal } from '../../agent/journal/journal.ts';
import { routeNull } from '../../platform/linux/route-null.ts';
import { parseTarget, type Target } from '../../platform/target.ts';

const target = parseTarget('203.0.113.7') as Target;
const instance = { driver: routeNull.name, settings: routeNull.defaults };
const order = { response: 'route-null', target, instance, origin: { dialect: 'native' } } as const;
const surroundings = {
  clock: { now: () => Date.now() },
  report: { refused: () => {}, outcome: () => {}, repaired: () => {}, trouble: () => {} },
  limits: { pendingRequests: 10 },
  responseOf: () => 'route-null',
};
/** Tools that work, on a machine that holds nothing. */
const empty = async () => ({ exitCode: 0, stdout: '[]\n[]\n[]\n', stderr: '' });

/** A full disk: what is due stays due, and nobody is to be kept busy or in the dark by that. */
test('a deadline that cannot be written down is reported, and tried again with a pause', async () => {
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
      ...surroundings,
      report: { ...surroundings.report, trouble },
      carrier: () => createCarrier(routeNull.make(routeNull.defaults), empty),
    },
    instance,
  );
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
  const journal = openJournal(':memory:');
  const carrier = createCarrier(routeNull.make(routeNull.defaults), empty);
  const teardown = vi.fn<typeof carrier.teardown>().mockResolvedValueOnce(false);
  teardown.mockResolvedValue(true);
  const desk = createDesk(
    {
      journal,
      ...surroundings,
      carrier: () => ({ ...carrier, teardown }),
    },
    instance,
  );
  await desk.carryOut({ ...order, verb: 'add' });
  await desk.carryOut({ ...order, verb: 'delete' });
  await expect.poll(() => teardown.mock.calls.length, { timeout: 20_000 }).toBe(2);
  await desk.stop(false);
  journal.close();
});

/** What was held before is wanted on, and whoever asked has been told that the agent goes on trying. */
test('what is held and could not be made to last longer is tried again, without anybody asking', async () => {
  const journal = openJournal(':memory:');
  const carrier = createCarrier(routeNull.make(routeNull.defaults), empty);
  const traits = { ...carrier.driver.traits, selfExpiring: true };
  const apply = vi.fn<typeof carrier.apply>(carrier.apply);
  const desk = createDesk(
    {
      journal,
      ...surroundings,
      carrier: () => ({ ...carrier, driver: { ...carrier.driver, traits }, apply }),
    },
    instance,
  );
  await desk.carryOut({ ...order, verb: 'add', timeoutSeconds: 600 });
  apply.mockResolvedValueOnce([{ target, result: 'unknown', failure: 'exit', why: 'not now' }]);
  await expect(desk.carryOut({ ...order, verb: 'add', timeoutSeconds: 900 })).rejects.toThrow(
    'not now',
  );
  expect(journal.heldBy(instance)).toMatchObject([{ state: 'missing' }]);
  expect(desk.trouble()).toBe('not now');
  await expect
    .poll(() => journal.heldBy(instance), { timeout: 5_000 })
    .toMatchObject([{ state: 'active' }]);
  expect(desk.trouble()).toBeUndefined();
  await desk.stop(false);
  journal.close();
});

/** The disk was full between the intent and what was found of the target: the intent is on disk. */
test('an intent that nothing was made of is looked at again, without anybody asking', async () => {
  const journal = openJournal(':memory:');
  const carrier = createCarrier(routeNull.make(routeNull.defaults), empty);
  const apply = vi.fn<typeof carrier.apply>(carrier.apply);
  apply.mockRejectedValueOnce(new ArError('journal-failed', 'the disk is full', 'Make room.'));
  const desk = createDesk(
    { journal, ...surroundings, carrier: () => ({ ...carrier, apply }) },
    instance,
  );
  await expect(desk.carryOut({ ...order, verb: 'add' })).rejects.toThrow('the disk is full');
  expect(journal.heldBy(instance)).toMatchObject([{ state: 'intended' }]);
  await expect
    .poll(() => journal.heldBy(instance), { timeout: 5_000 })
    .toMatchObject([{ state: 'active' }]);
  await desk.stop(false);
  journal.close();
});
