/** In CI nothing may be skipped. The same test stands in build/prepare.mjs. */
export const inCi = ![undefined, '', '0', 'false'].includes(process.env['CI']);
