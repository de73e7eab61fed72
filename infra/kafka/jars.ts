import { createHash } from 'node:crypto';
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, mkdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

// Three levels up, as this runs from dist/infra/kafka.
const infra = fileURLToPath(new URL('../../../infra/kafka/', import.meta.url));
const pom = join(infra, 'pom.xml');

export const log4j = join(infra, 'log4j2.properties');

const java_home = process.env['JAVA_HOME'];
export const java = java_home === undefined ? 'java' : join(java_home, 'bin', 'java');

const oldest_java = 17;

/** Why no broker can run on this machine, as one sentence; undefined when one can. */
export function missingTool(): string | undefined {
  const version = spawnSync(java, ['-version'], { encoding: 'utf8' });
  const major = Number(/version "(\d+)/.exec(version.stderr ?? '')?.[1] ?? Number.NaN);
  if (version.error !== undefined || Number.isNaN(major))
    return `Kafka needs Java ${oldest_java} or newer, and "${java}" does not run`;
  if (major < oldest_java) return `Kafka needs Java ${oldest_java} or newer, found ${major}`;

  if (existsSync(cacheFolder())) return undefined;
  const maven = spawnSync('mvn', ['--version'], { encoding: 'utf8' });
  return maven.status === 0 ? undefined : 'Kafka is fetched with Maven, and "mvn" does not run';
}

/** A folder per content of the pom, so that another version never meets these jars. */
function cacheFolder(): string {
  const root = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const content = createHash('sha256').update(readFileSync(pom)).digest('hex').slice(0, 12);
  return join(root, 'usage-ledger', `kafka-${content}`);
}

/**
 * The class path of the broker that pom.xml names. Its jars are fetched on first use and kept in the
 * user's cache folder. Rejects with Maven's own words when they cannot be had.
 */
export async function kafkaClassPath(): Promise<string> {
  const missing = missingTool();
  if (missing !== undefined) throw new Error(missing);

  const cached = cacheFolder();
  if (!existsSync(cached)) await fetchJars(cached);
  return join(cached, '*');
}

/** Whoever comes first puts its whole folder in place; the others drop theirs. */
async function fetchJars(target: string): Promise<void> {
  await mkdir(join(target, '..'), { recursive: true });
  const folder = await mkdtemp(`${target}-`);
  const goal = ['dependency:copy-dependencies', `-DoutputDirectory=${folder}`];
  try {
    await promisify(execFile)('mvn', ['-q', '-B', '-ntp', '-f', pom, ...goal]);
    await rename(folder, target);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    if (existsSync(target)) return;
    const { stdout, message } = error as { stdout?: string; message: string };
    throw new Error(`Maven could not fetch Kafka: ${stdout || message}`, { cause: error });
  }
}
