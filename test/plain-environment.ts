/**
 * What tests start inherits no environment that speaks to Node, such as the runner's own NODE_ENV: the
 * executable would start a second time without it, each time (agent/environment.ts).
 */
import { withoutNodes } from '../agent/environment.ts';

const kept = withoutNodes(process.env) ?? process.env;
for (const name of Object.keys(process.env)) if (kept[name] === undefined) delete process.env[name];
