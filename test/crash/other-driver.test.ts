/** The agent is killed before it has taken away what is empty, and comes back with another driver. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { requires } from '../requirements.ts';
import { configuration, createEndpoint } from './endpoint.ts';
import { facilities } from './facilities.ts';

const nftables = facilities.find(({ name }) => name === 'nftables');
const tables = facilities.filter(({ name }) => name.includes('variant'));
if (nftables === undefined) throw new Error('a facility is missing');

for (const facility of tables) {
  requires(
    'root',
    'namespaces',
    'ip',
    'nft',
    ...facility.needs,
  )(facility.name, () => {
    test('nothing is left of the driver that was', async () => {
      let folder = '';
      const endpoint = await createEndpoint({
        ...facility,
        tools: [...(facility.tools ?? []), ...(nftables.tools ?? [])],
        plant: async (machine, at) => {
          folder = at;
          await facility.plant(machine, at);
        },
      });
      try {
        const planted = await endpoint.dump();
        await endpoint.start();
        const request = { response: 'firewall-drop', srcip: '203.0.113.7' };
        expect(await endpoint.ask({ ...request, command: 'add' })).toMatchObject({ ok: true });
        expect(await endpoint.ask({ ...request, command: 'delete' })).toMatchObject({ ok: true });
        await endpoint.kill();
        expect(await endpoint.dump(), 'a container is left').not.toBe(planted);

        await writeFile(join(folder, 'ar-exec.conf'), configuration(folder, nftables));
        await endpoint.start();
        expect(await endpoint.dump()).toBe(planted);
        await endpoint.stop();
      } finally {
        await endpoint.close();
      }
    });
  });
}
