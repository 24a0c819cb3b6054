/** In place of agent/system/tool-place.ts in the agents here: those of one facility see no other tools. */
import { delimiter } from 'node:path';
import { toolFolders as everywhere } from '../../agent/system/tool-place.ts';

export { toolPlace } from '../../agent/system/tool-place.ts';

const few = process.env['TOOL_FOLDERS'];

export const toolFolders: readonly string[] = few === undefined ? everywhere : few.split(delimiter);
