import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

const demo = fileURLToPath(new URL('demo.ts', import.meta.url));
const unshare = ['--user', '--map-root-user', '--net', '--mount', '--'] as const;
/** Says to the program that is started inside that it is there. */
const insideWord = '--inside';

/**
 * Only root may make network namespaces. Anybody else can be root of a user namespace, where the
 * system allows it: then the demo runs once more in there, and this resolves with its exit status.
 */
export async function becomeRoot(): Promise<number | undefined> {
  if (process.argv.includes(insideWord)) {
    // "ip netns" keeps its names in /run, which belongs to the real root.
    await execa('mount', ['-t', 'tmpfs', 'tmpfs', '/run']);
    return undefined;
  }
  if (process.getuid?.() === 0) return undefined;
  const possible = await execa('unshare', [...unshare, 'true'], { reject: false });
  if (possible.failed) {
    process.stderr.write(
      `demo: this account may not make network namespaces (${possible.stderr || possible.shortMessage}).\n` +
        'demo: run it as root: sudo npm run demo\n',
    );
    return 1;
  }
  const child = execa('unshare', [...unshare, process.execPath, demo, insideWord], {
    stdio: 'inherit',
    reject: false,
  });
  // Ctrl-C reaches the demo inside by itself; it cleans up, and this waits for it.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  return (await child).exitCode ?? 1;
}
