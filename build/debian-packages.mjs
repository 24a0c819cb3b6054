/** Packages of Debian as files: for what is unpacked somewhere, and never installed. Plain JavaScript, as prepare.mjs. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';

/**
 * Puts them into a folder, of any release and for any processor, and resolves with that folder. With lists and
 * a cache of its own: the machine's apt is asked for its mirror, and is left as it is.
 */
export function downloadPackages(making, { suite, architecture = 'amd64', packages }) {
  const apt = join(making, 'apt');
  const folder = join(making, 'packages');
  for (const each of ['lists/partial', 'cache/archives/partial']) {
    mkdirSync(join(apt, each), { recursive: true });
  }
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(apt, 'status'), '');
  writeFileSync(join(apt, 'sources'), `deb [signed-by=${keyring}] ${mirror()} ${suite} main\n`);
  const settings = {
    'Dir::Etc::SourceList': join(apt, 'sources'),
    'Dir::Etc::SourceParts': '/dev/null',
    'Dir::State::Lists': join(apt, 'lists'),
    'Dir::State::Status': join(apt, 'status'),
    'Dir::Cache': join(apt, 'cache'),
    'Acquire::Languages': 'none',
    // Otherwise it warns that its own account may not write there.
    'APT::Sandbox::User': 'root',
    'APT::Architecture': architecture,
    'APT::Architectures': architecture,
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  run('apt-get', ['-qq', ...options, 'update']);
  run('apt-get', ['-qq', ...options, 'download', ...packages], { cwd: folder });
  return folder;
}

/** Where this machine gets its own packages from. */
export function mirror() {
  const ask = () => {
    const format = '$(REPO_URI) $(LABEL)';
    const { stdout } = run('apt-get', ['indextargets', '--format', format, 'Created-By: Packages']);
    return /^(\S+) Debian$/m.exec(stdout)?.[1];
  };
  const known = ask();
  if (known !== undefined) return known;
  run('apt-get', ['-qq', 'update']);
  const found = ask();
  if (found === undefined) throw new Error('apt has no source of Debian');
  return found;
}

/** Throws with what the command said. */
export function run(command, args, options = {}) {
  const stdio = ['ignore', 'pipe', 'pipe'];
  const result = spawnSync(command, args, { encoding: 'utf8', stdio, ...options });
  if (result.status === 0) return result;
  const said = result.error?.message ?? (result.stderr || result.stdout);
  throw new Error(`${command} ${args.slice(-3).join(' ')}: ${said}`);
}
