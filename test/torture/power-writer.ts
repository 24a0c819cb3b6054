/** Works on the journal in the folder argv[2], and says what is on disk: recorded by power.test.ts. */
import { writeSync } from 'node:fs';
import { openJournal } from '../../agent/journal/journal.ts';
import type { Order } from '../../agent/words.ts';
import { order } from '../unit/sample.ts';

const [, , folder = '', rounds = '10'] = process.argv;
const say = (what: object): void => void writeSync(1, `${JSON.stringify(what)}\n`);

for (const life of [0, 1]) {
  const journal = openJournal(folder);
  for (let round = 0; round < Number(rounds); round += 1) {
    const orders: Order[] = Array.from({ length: 1 + ((round * 7) % 30) }, (_, index) =>
      order('add', `10.${life}.${round}.${index}`, { timeoutSeconds: 600 }),
    );
    if (round > 2) orders.splice(0, 1, order('delete', `10.${life}.${round - 2}.0`));
    const asked = orders.map(({ verb, target }) => `${verb} ${target.text}`);
    say({ asked });
    const intents = journal.intend(orders, 1_000);
    say({ intended: asked });
    const ids = intents.flatMap((one) =>
      'action' in one ? { id: one.action.id, kind: one.kind } : [],
    );
    journal.settle(
      ids.map(({ id, kind }) => ({ id, state: kind === 'revert' ? 'reverted' : 'active' })),
      1_000,
    );
    say({ accepted: asked });
    if (round % 4 === 3) journal.checkpoint();
  }
  journal.close();
}
