/**
 * Who may import whom, as a function of sources. docs/architecture.md explains the rules;
 * architecture.test.ts applies them.
 */
import { isBuiltin } from 'node:module';
import { posix } from 'node:path';
import { parseAst } from 'vitest/node';

export interface Source {
  /** From the root of the repository, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

const stages = ['intake', 'policy', 'journal', 'engine', 'system', 'observe', 'config'];
/** Words and errors: every file of agent/ may use them. */
const leaves = ['agent/errors.ts', 'agent/words.ts'];
/** What puts the stages together, from the inside out: each may import those before it. */
const composition = [
  'agent/version.ts',
  'agent/plan.ts',
  'agent/desk.ts',
  'agent/flow.ts',
  'agent/reply.ts',
  'agent/compose.ts',
  'agent/daemon.ts',
  'agent/cli/',
  'agent/main.ts',
];
/** Libraries and built-in modules that one place owns. */
const owners: Record<string, string> = {
  execa: 'agent/system/',
  'node:sqlite': 'agent/journal/',
  'node-ipc': 'agent/intake/',
  yargs: 'agent/cli/',
  'node-cron': 'agent/engine/chores.ts',
  pino: 'agent/observe/',
  saxes: 'agent/config/',
  'node:child_process': 'nowhere',
};
const asksThePlatform = ['agent/daemon.ts', 'agent/config/default-paths.ts'];
const vagueNames = /(^|[/-])(utils?|helpers?|common)([/.-]|$)/;
const longestFile = 300;

/** What is wrong with a file of agent/ or platform/, a sentence each. */
export function violations({ path, text }: Source): string[] {
  const program = parseAst(text, { lang: 'ts' }) as unknown as Node;
  const found = [...wrongName(path), ...wrongPlace(path)];
  for (const node of walk(program)) {
    for (const { specifier, typeOnly } of importsOf(node)) {
      const why = wrongImport(path, specifier, typeOnly);
      if (why !== undefined)
        found.push(`${path} imports ${specifier ?? 'a computed name'}: ${why}`);
    }
    if (readsPlatform(node) && !asksThePlatform.includes(path)) {
      found.push(`${path} asks which platform it is: only ${asksThePlatform.join(', ')} may`);
    }
  }
  const lines = text.split('\n').length - 1;
  if (lines > longestFile) found.push(`${path} has ${lines} lines; ${longestFile} are the limit`);
  return found;
}

/** What is wrong with a name, anywhere in the repository. */
export function wrongName(path: string): string[] {
  return vagueNames.test(path) ? [`${path}: its name does not say what it is for`] : [];
}

function wrongPlace(path: string): string[] {
  const known =
    path.startsWith('platform/') ||
    leaves.includes(path) ||
    stageOf(path) !== undefined ||
    isComposing(path);
  return known ? [] : [`${path} is no stage: give it a place in test/unit/import-rules.ts`];
}

function wrongImport(
  from: string,
  specifier: string | undefined,
  typeOnly: boolean,
): string | undefined {
  if (specifier === undefined) return 'write the name as a string, so that it can be checked';
  if (!specifier.startsWith('.')) return wrongLibrary(from, packageName(specifier));
  const to = posix.join(posix.dirname(from), specifier);
  return mayImport(from, to, typeOnly) ? undefined : 'this direction is not allowed';
}

function wrongLibrary(from: string, name: string): string | undefined {
  if (from.startsWith('platform/')) {
    return ['ipaddr.js', 'node:net'].includes(name) ? undefined : 'a driver only plans';
  }
  const owner = owners[name];
  return owner === undefined || from.startsWith(owner) ? undefined : `it belongs to ${owner}`;
}

function packageName(specifier: string): string {
  const builtin = `node:${specifier.replace(/^node:/, '')}`;
  if (isBuiltin(builtin)) return builtin;
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

function mayImport(from: string, to: string, typeOnly: boolean): boolean {
  if (from.startsWith('platform/')) return to.startsWith('platform/');
  if (leaves.includes(to) || to === 'platform/target.ts') return true;
  if (to === 'platform/driver.ts') return typeOnly;
  const stage = stageOf(from);
  if (stage !== undefined) return stageOf(to) === stage;
  if (leaves.includes(from)) return false;
  if (stageOf(to) !== undefined || to.startsWith('platform/')) return true;
  return isComposing(to) && layerOf(to) <= layerOf(from);
}

function isComposing(path: string): boolean {
  return composition.some((place) => path.startsWith(place));
}

function layerOf(path: string): number {
  return composition.findIndex((place) => path.startsWith(place));
}

function stageOf(path: string): string | undefined {
  const [top, folder, file] = path.split('/');
  return top === 'agent' && file !== undefined && stages.includes(folder ?? '')
    ? folder
    : undefined;
}

/** The parts of the syntax tree that are looked at. */
interface Node {
  readonly type: string;
  readonly [key: string]: unknown;
}

function* walk(node: Node): Generator<Node> {
  yield node;
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (isNode(child)) yield* walk(child);
    }
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value;
}

function importsOf(node: Node): { specifier: string | undefined; typeOnly: boolean }[] {
  if (node.type === 'ImportExpression') {
    return [{ specifier: literal(node['source']), typeOnly: false }];
  }
  if (node.type === 'TSImportType') return [{ specifier: literal(node['source']), typeOnly: true }];
  if (node.type === 'CallExpression' && isLoader(node['callee'])) {
    const [argument] = node['arguments'] as unknown[];
    return [{ specifier: literal(argument), typeOnly: false }];
  }
  if (!/^(Import|ExportAll|ExportNamed)Declaration$/.test(node.type)) return [];
  if (!isNode(node['source'])) return [];
  const typeOnly = node['importKind'] === 'type' || node['exportKind'] === 'type';
  return [{ specifier: literal(node['source']), typeOnly }];
}

/** `require(…)` and `process.getBuiltinModule(…)`. */
function isLoader(callee: unknown): boolean {
  return isName(callee, 'require') || isMember(callee, 'process', 'getBuiltinModule');
}

/** `process.platform`, `os.platform()`, and the names taken out of the two. */
function readsPlatform(node: Node): boolean {
  if (isMember(node, 'process', 'platform') || isMember(node, 'os', 'platform')) return true;
  if (node.type === 'VariableDeclarator' && isName(node['init'], 'process')) {
    const pattern = node['id'] as Node;
    const properties = (pattern['properties'] ?? []) as Node[];
    return properties.some((property) => isName(property['key'], 'platform'));
  }
  return node.type === 'ImportSpecifier' && isName(node['imported'], 'platform');
}

function isMember(node: unknown, object: string, property: string): boolean {
  if (!isNode(node) || node.type !== 'MemberExpression') return false;
  const name = node['property'];
  return isName(node['object'], object) && (isName(name, property) || literal(name) === property);
}

function isName(node: unknown, name: string): boolean {
  return isNode(node) && node.type === 'Identifier' && node['name'] === name;
}

function literal(node: unknown): string | undefined {
  return isNode(node) && typeof node['value'] === 'string' ? node['value'] : undefined;
}
