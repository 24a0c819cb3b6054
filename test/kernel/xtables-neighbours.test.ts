/** The iptables and the ipset driver share a chain with each other, and with whoever finds it. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Carrier, createCarrier } from '../../agent/engine/carry-out.ts';
import { ipset } from '../../platform/linux/ipset.ts';
import { iptables } from '../../platform/linux/iptables.ts';
import { effects, type Machine, targets } from '../contract/driver-contract.ts';
import { requires } from '../requirements.ts';
import { kernelMachine } from './machine.ts';

const first = effects(targets(['203.0.113.7', '2001:db8::7']));
const second = effects(targets(['203.0.113.8', '198.51.100.0/24', '2001:db8::8']));

for (const variant of ['nft', 'legacy']) {
  requires(
    'root',
    'namespaces',
    'ip',
    'socat',
    'ipset',
    `iptables-${variant}`,
  )(variant, () => {
    let machine: Machine;
    let rules: Carrier;
    let sets: Carrier;

    const four = (...args: string[]) =>
      machine.exec([`iptables-${variant}`, '-t', 'mangle', ...args]);
    const six = (...args: string[]) =>
      machine.exec([`ip6tables-${variant}`, '-t', 'mangle', ...args]);
    const mangle4 = async () => {
      const text = await machine.exec([`iptables-${variant}-save`, '-t', 'mangle']);
      return text.split('\n').filter((line) => line.includes('ar-exec'));
    };
    const whole = async (carrier: Carrier) => {
      const reading = await carrier.inspect();
      return reading.known ? reading.containers : reading.why;
    };
    const held = async (carrier: Carrier) => {
      const reading = await carrier.inspect();
      return reading.known ? reading.effects.map(({ target }) => target.text).sort() : reading.why;
    };
    const done = (count: number) => Array.from({ length: count }, () => ({ result: 'done' }));

    beforeEach(async () => {
      machine = await kernelMachine();
      rules = createCarrier(iptables.make({ ...iptables.defaults, variant }), machine.run);
      sets = createCarrier(ipset.make({ ...ipset.defaults, variant }), machine.run);
    });
    afterEach(() => machine.close());

    test('a block after INPUT was flushed acts, and so do those before it', async () => {
      for (const carrier of [rules, sets]) {
        expect(await carrier.apply(first)).toMatchObject(done(2));
        await four('-F', 'INPUT');
        await six('-F', 'INPUT');
        expect(await carrier.apply(second)).toMatchObject(done(3));
        expect(await whole(carrier)).toEqual(
          carrier === rules
            ? ['ipv4', 'ipv6']
            : ['ar-exec-hosts4', 'ar-exec-nets4', 'ar-exec-hosts6'],
        );
        expect(await held(carrier)).toHaveLength(5);
      }
    });

    test('a block by a rule comes before what was put in front of the others', async () => {
      await rules.apply(first);
      await four('-I', 'INPUT', '-p', 'tcp', '-j', 'ACCEPT');
      expect(await whole(rules)).toEqual(['ipv6']);
      await rules.apply(second);
      expect(await whole(rules)).toEqual(['ipv4', 'ipv6']);
    });

    test('a block by a set is not reported while the rule of the set is gone', async () => {
      await sets.apply(first);
      await four('-F', 'ar-exec');
      expect(await sets.apply(effects(targets(['203.0.113.9'])))).toMatchObject(done(1));
      expect(await whole(sets)).toContain('ar-exec-hosts4');
    });

    test('what an older agent made in table filter is taken back there', async () => {
      const older = createCarrier(iptables.make({ variant }), machine.run);
      await older.apply(first);
      const filter = () => machine.exec([`iptables-${variant}`, '-t', 'filter', '-S']);
      expect(await filter()).toContain('-A ar-exec -s 203.0.113.7/32 -j DROP');
      await rules.apply(second);
      expect([await held(older), await held(rules)]).toMatchObject([{ length: 2 }, { length: 3 }]);
      await older.revert(first);
      await older.teardown();
      expect(await filter()).not.toContain('ar-exec');
      expect(await held(rules)).toHaveLength(3);
    });

    test('each leaves what the other holds', async () => {
      await rules.apply(first);
      await sets.apply(second);
      expect([await held(rules), await held(sets)]).toMatchObject([{ length: 2 }, { length: 3 }]);
      await rules.revert(first);
      await rules.teardown();
      expect(await whole(sets)).toEqual(['ar-exec-hosts4', 'ar-exec-nets4', 'ar-exec-hosts6']);
      await rules.apply(first);
      await sets.revert(second);
      await sets.teardown();
      expect(await whole(rules)).toEqual(['ipv4', 'ipv6']);
      expect(await held(rules)).toHaveLength(2);
      await rules.revert(first);
      await rules.teardown();
      expect(await mangle4()).toEqual([]);
    });

    test("a person's rule in the chain stays and goes on acting", async () => {
      await rules.apply(first);
      await sets.apply(first);
      const own = [
        'ar-exec',
        '-s',
        '192.0.2.1/32',
        '-m',
        'comment',
        '--comment',
        'mine',
        '-j',
        'DROP',
      ];
      await four('-A', ...own);
      expect(await held(rules)).toEqual(['2001:db8::7', '203.0.113.7']);
      for (const carrier of [rules, sets]) {
        await carrier.revert(first);
        await carrier.teardown();
      }
      expect(await mangle4()).toEqual([
        ':ar-exec - [0:0]',
        '-A INPUT -j ar-exec',
        '-A FORWARD -j ar-exec',
        `-A ${own.join(' ')}`,
      ]);
      expect(await machine.exec(['ipset', 'list', '-n'])).toBe('');
      await four('-D', ...own);
      await rules.teardown();
      expect(await mangle4()).toEqual([]);
    });

    test('a chain that somebody jumps to stays, empty', async () => {
      await rules.apply(first);
      await four('-A', 'OUTPUT', '-p', 'tcp', '-j', 'ar-exec');
      await rules.revert(first);
      await rules.teardown();
      expect(await mangle4()).toEqual([':ar-exec - [0:0]', '-A OUTPUT -p tcp -j ar-exec']);
    });

    test('a set that somebody asks for or wrote into stays', async () => {
      await sets.apply([...first, ...second]);
      const asks = ['-m', 'set', '--match-set', 'ar-exec-hosts4', 'src', '-j', 'LOG'];
      await four('-A', 'OUTPUT', ...asks);
      await machine.exec(['ipset', 'add', 'ar-exec-nets4', '10.0.0.0/8', 'nomatch']);
      await sets.revert([...first, ...second]);
      await sets.teardown();
      const names = await machine.exec(['ipset', 'list', '-n']);
      expect(names.split('\n').sort()).toEqual(['ar-exec-hosts4', 'ar-exec-nets4']);
      expect(await mangle4()).toContain('-A ar-exec -m set --match-set ar-exec-nets4 src -j DROP');
    });

    test('a set of our name and of another kind is left alone', async () => {
      await machine.exec(['ipset', 'create', 'ar-exec-hosts4', 'hash:ip,port']);
      const [carried] = await sets.apply(first.slice(0, 1));
      expect(carried).toMatchObject({ result: 'failed', why: /same name already exists/ });
      expect(await machine.exec(['ipset', 'save', 'ar-exec-hosts4'])).toContain('hash:ip,port');
    });
  });
}
