/**
 * Who can change a file or a folder, by its security descriptor as text (SDDL, "Security Descriptor String
 * Format" of Microsoft's documentation): the same in every language of Windows, unlike what icacls prints.
 */

/** SYSTEM, Administrators, TrustedInstaller, what the owner has, and what a creator will have. */
const trusted = new Set([
  ...['SY', 'S-1-5-18', 'BA', 'S-1-5-32-544', 'OW', 'S-1-3-4', 'CO', 'S-1-3-0'],
  'S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464',
]);

const rights: Readonly<Record<string, number>> = {
  ...{ GA: 0x1000_0000, GX: 0x2000_0000, GW: 0x4000_0000, GR: 0x8000_0000 },
  ...{ RC: 0x2_0000, SD: 0x1_0000, WD: 0x4_0000, WO: 0x8_0000 },
  // What the letters of directory objects mean for files: their bits are the same.
  ...{ CC: 0x1, DC: 0x2, LC: 0x4, SW: 0x8, RP: 0x10, WP: 0x20, DT: 0x40, LO: 0x80, CR: 0x100 },
  ...{ FA: 0x1f_01ff, FR: 0x12_0089, FW: 0x12_0116, FX: 0x12_00a0 },
};

/**
 * To write, to append or make a folder, to delete what is in it, to delete it, to change who may, to take
 * it over; and all of that together.
 */
const changing = 0x2 | 0x4 | 0x40 | 0x1_0000 | 0x4_0000 | 0x8_0000 | 0x1000_0000 | 0x4000_0000;

/** What stands before the parts of an entry: type; flags; rights; object; inherited object; account. */
const entry = /\(([A-Z]+);[^;()]*;([^;()]*);[^;()]*;[^;()]*;([^;()]+)/g;
const allowing = ['A', 'OA', 'XA', 'ZA'];

/**
 * The accounts, besides SYSTEM, Administrators and `own`, that can change what the descriptor is of. A
 * right that is not understood counts as one to change it, and so does the absence of a list: then
 * everybody may do everything (`everyone`).
 */
export function foreignWriters(sddl: string, own: string): readonly string[] {
  const owner = /^O:(S-[\d-]+|[A-Z]{2})/.exec(sddl)?.[1];
  const list = /D:([A-Z_]*)((?:\(.*?\))*)/s.exec(sddl.slice(sddl.indexOf('D:')));
  if (list === null || !sddl.includes('D:') || list[1] === 'NO_ACCESS_CONTROL') return ['everyone'];
  const isForeign = (sid: string): boolean => !trusted.has(sid) && sid !== own;
  const writers = [...sddl.matchAll(entry)].flatMap(([, type = '', mask = '', sid = '']) =>
    allowing.includes(type) && isForeign(sid) && (maskOf(mask) & changing) !== 0 ? [sid] : [],
  );
  // An owner can always change the list.
  const owners = owner === undefined || isForeign(owner) ? [owner ?? 'nobody'] : [];
  return [...new Set([...owners, ...writers])];
}

function maskOf(text: string): number {
  if (/^(0x[\da-f]+|\d+)$/i.test(text)) return Number(text);
  const letters = text.match(/../g) ?? [];
  return letters.reduce((mask, pair) => mask | (rights[pair] ?? changing), 0);
}
