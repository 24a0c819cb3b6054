import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { readConfig } from '../../agent/config/read.ts';
import { repeatable } from '../../agent/config/sections.ts';
import { settings } from '../../agent/config/settings.ts';

const page = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8');
const section = page.split(/^## /m).find((it) => it.startsWith('Settings')) ?? '';
const rows = [...section.matchAll(/^\| `(.+?)` \| (.+?) \|(.*?)\| (.+?) \| (.+?) \|$/gm)].map(
  ([, element = '', , , fallback = '', form = '']) => ({ element, fallback, form }),
);

it('names exactly the settings that there are', () => {
  const known = [...repeatable, ...Object.values(settings).map((setting) => setting.element)];
  expect(rows.map((row) => row.element).sort()).toEqual(known.sort());
});

it.each(Object.values(settings))('tells default and bounds of $element', (setting) => {
  const row = rows.find((it) => it.element === setting.element);
  expect(row?.form).toBe(setting.form);
  const written = row?.fallback === 'empty' ? '' : (row?.fallback ?? '');
  if ('fallback' in setting) expect(setting.read(written)).toBe(setting.fallback);
  else expect(written).toMatch(/^none/);
});

it('has an example that loads without a warning', () => {
  const example = /^## Example\n[\s\S]*?```xml\n([\s\S]*?)```/m.exec(page)?.[1] ?? '';
  const known = { responses: ['firewall-drop'], drivers: ['nftables', 'iptables'] };
  const { config, warnings } = readConfig(example, 'example', known);
  expect(warnings).toEqual([]);
  expect(config.neverBlock).toHaveLength(3);
});
