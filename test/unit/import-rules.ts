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

const stages = ['intake', 'policy', 'journal', 'engine', 'system', 'observe', 'config', 'doctor'];
/** Words and errors: every file of agent/ may use them. */
const leaves = ['agent/errors.ts', 'agent/words.ts'];
/** The other files of agent/ put the stages together. These are for the ones named here alone. */
const reserved: Record<string, readonly string[]> = {
  'agent/daemon.ts': ['agent/cli/', 'agent/main.ts'],
  'agent/cli/': ['agent/cli/', 'agent/called/call.ts', 'agent/main.ts'],
  'agent/called/': ['agent/called/', 'agent/main.ts'],
  'agent/main.ts': [],
};
/** Libraries and built-in modules that one place owns. */
const owners: Record<string, string> = {
  execa: 'agent/system/',
  nodemailer: 'agent/system/',
  'node:ffi': 'agent/system/ffi.ts',
  'node:sqlite': 'agent/journal/',
  'node-ipc': 'agent/intake/',
  yargs: 'agent/cli/',
  'node-cron': 'agent/engine/chores.ts',
  pino: 'agent/observe/',
  saxes: 'agent/config/',
  'node:child_process': 'nowhere',
};
/** What a driver may use: functions of their arguments alone. */
const driverLibraries = ['ipaddr.js', 'node:net', 'node:path'];
const asksThePlatform = ['agent/daemon.ts', 'agent/config/default-paths.ts'];
const vagueNames = /(^|[/-])(utils?|helpers?|common)([/.-]|$)/;
const longestFile = 300;

/** What is wrong with a file of agent/ or platform/, a sentence each. */
export function violations({ path, text }: Source): string[] {
  const program = parse(text);
  const found = wrongName(path);
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

/** A way from a file through its imports back to it, if there is one. Types load nothing. */
export function cycle(sources: readonly Source[]): readonly string[] | undefined {
  const imports = new Map(sources.map((source) => [source.path, filesImportedBy(source)]));
  const done = new Set<string>();
  const visit = (path: string, way: readonly string[]): readonly string[] | undefined => {
    if (way.includes(path)) return [...way.slice(way.indexOf(path)), path];
    if (done.has(path)) return undefined;
    for (const next of imports.get(path) ?? []) {
      const found = visit(next, [...way, path]);
      if (found !== undefined) return found;
    }
    done.add(path);
    return undefined;
  };
  for (const { path } of sources) {
    const found = visit(path, []);
    if (found !== undefined) return found;
  }
  return undefined;
}

function filesImportedBy({ path, text }: Source): string[] {
  return [...walk(parse(text))]
    .flatMap(importsOf)
    .filter(({ specifier, typeOnly }) => !typeOnly && specifier?.startsWith('.'))
    .map(({ specifier }) => posix.join(posix.dirname(path), specifier ?? ''));
}

function parse(text: string): Node {
  return parseAst(text, { lang: 'ts' }) as unknown as Node;
}

/** What is wrong with a name, anywhere in the repository. */
export function wrongName(path: string): string[] {
  return vagueNames.test(path) ? [`${path}: its name does not say what it is for`] : [];
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
    return driverLibraries.includes(name) ? undefined : 'a driver only plans';
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
  const data = [
    'platform/target.ts',
    'platform/system.ts',
    'platform/windows/names.ts',
    'platform/exit-status.ts',
  ];
  if (leaves.includes(to) || data.includes(to)) return true;
  const contracts = ['platform/driver.ts', 'platform/flows.ts', 'platform/step.ts'];
  if (contracts.includes(to)) return typeOnly;
  const stage = stageOf(from);
  if (stage !== undefined) return stageOf(to) === stage;
  if (leaves.includes(from)) return false;
  if (stageOf(to) !== undefined || to.startsWith('platform/')) return true;
  const place = Object.keys(reserved).find((name) => to.startsWith(name));
  if (place !== undefined) return startsWithOne(from, reserved[place] ?? []);
  return to.startsWith('agent/');
}

function startsWithOne(path: string, places: readonly string[]): boolean {
  return places.some((place) => path.startsWith(place));
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
