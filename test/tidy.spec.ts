import * as tidy from './tidy.js';

const files = tidy.sources();

/** The rule must report each of these, one at a time: a rule that cannot fail is a defect. */
const reports = (rule: tidy.Rule, cases: readonly (readonly [path: string, text: string])[]) => {
  for (const [path, text] of cases) {
    const found = rule([{ path, text }]);
    expect({ path, text, found }).toEqual({ path, text, found: [expect.stringContaining(path)] });
  }
};

const accepts = (rule: tidy.Rule, cases: readonly (readonly [path: string, text: string])[]) => {
  expect(rule(cases.map(([path, text]) => ({ path, text })))).toEqual([]);
};

it('reads the sources of this repository', () => {
  const paths = files.map((file) => file.path);
  expect(paths).toEqual(expect.arrayContaining(['package.json', 'test/tidy.ts']));
});

describe(`a source file has at most ${tidy.lineLimit} lines`, () => {
  it('holds', () => expect(tidy.fileSizes(files)).toEqual([]));

  it('reports one line more', () => {
    reports(tidy.fileSizes, [
      ['libs/ledger/src/long.ts', 'x\n'.repeat(tidy.lineLimit + 1)],
      ['bin/long.mjs', 'x\n'.repeat(tidy.lineLimit) + 'x'],
      ['infra/long.sh', '\n'.repeat(tidy.lineLimit + 1)],
    ]);
    accepts(tidy.fileSizes, [['libs/ledger/src/long.ts', 'x\n'.repeat(tidy.lineLimit)]]);
  });

  it('excepts only files that exist', () => {
    const paths = files.map((file) => file.path);
    expect(tidy.generatedFiles.filter((path) => !paths.includes(path))).toEqual([]);
  });
});

describe('a project imports only what the import table allows', () => {
  it('holds', () => expect(tidy.imports(files)).toEqual([]));

  it('reports packages and libs outside its row', () => {
    reports(tidy.imports, [
      ['libs/contracts/src/a.ts', "import { readFile } from 'node:fs';"],
      ['libs/contracts/src/a.ts', "import type { Account } from '#libs/ledger';"],
      ['libs/ledger/src/a.ts', "import { Injectable } from '@nestjs/common';"],
      ['libs/ledger/src/a.ts', "export * from 'zod';"],
      ['libs/platform/src/a.ts', "import '#libs/contracts';"],
      ['libs/message-bus/src/a.ts', "const { Redis } = await import('ioredis');"],
      ['libs/event-store/src/a.ts', "import { Kafka } from 'kafkajs';"],
      ['libs/read-models/src/a.ts', "import { subscribe } from '#libs/event-store';"],
      ['apps/usage-gateway/src/a.ts', "import pg from 'pg';"],
      ['apps/finance-api/src/a.ts', "import { publish } from '#libs/message-bus';"],
    ]);
  });

  it('reports a way around the index.ts, and an app that imports an app', () => {
    reports(tidy.imports, [
      ['apps/projector/src/a.ts', "import { a } from '../../../libs/ledger/src/a.js';"],
      ['apps/projector/src/a.ts', "import { a } from '#libs/ledger/src/a.js';"],
      ['apps/projector/src/a.ts', "import { a } from '#apps/reconcile';"],
      ['apps/standalone/src/a.ts', "import { a } from '../../reconcile/src/index.js';"],
      ['libs/ledger/src/a.ts', "import { a } from '#apps/ledger-writer';"],
      ['test/e2e/a.spec.ts', "import { a } from '../../libs/ledger/src/a.js';"],
      ['docs/examples/a.ts', "import { a } from '../../apps/projector/src/a.js';"],
      ['libs/ledger/src/a.ts', "import { a } from '../../../test/a.js';"],
    ]);
  });

  it('reports a project that is not in the table', () => {
    reports(tidy.imports, [['libs/utils/src/a.ts', "import { z } from 'zod';"]]);
  });

  it('lets tests use the test packages', () => {
    accepts(tidy.imports, [
      ['libs/ledger/src/a.spec.ts', "import fc from 'fast-check';"],
      ['libs/event-store/contract.ts', "import { jest } from '@jest/globals';"],
      ['libs/event-store/src/a.spec.ts', "import { a } from '../../../test/postgres.js';"],
      ['apps/standalone/src/main.ts', "import { WriterModule } from '#apps/ledger-writer';"],
      ['libs/contracts/src/a.ts', "import { z } from 'zod/v4';"],
    ]);
    reports(tidy.imports, [['libs/ledger/src/a.ts', "import fc from 'fast-check';"]]);
  });
});

describe('libs/ledger knows no clock, no randomness and no Node', () => {
  it('holds', () => expect(tidy.pureLedger(files)).toEqual([]));

  it('reports each of them', () => {
    reports(tidy.pureLedger, [
      ['libs/ledger/src/a.ts', 'const now = Date.now();'],
      ['libs/ledger/src/a.ts', 'const now = new Date();'],
      ['libs/ledger/src/a.ts', 'const id = Math.random();'],
      ['libs/ledger/src/a.ts', "import { randomUUID } from 'node:crypto';"],
      ['libs/ledger/src/a.spec.ts', "import { readFileSync } from 'node:fs';"],
    ]);
  });
});

describe('only the ledger-writer appends', () => {
  it('holds', () => expect(tidy.oneAppender(files)).toEqual([]));

  it('reports the name of the port elsewhere', () => {
    const text = "import type { EventAppender } from '#libs/event-store';";
    reports(tidy.oneAppender, [
      ['apps/projector/src/a.ts', text],
      ['apps/reconcile/src/a.ts', text],
      ['libs/read-models/src/a.ts', text],
    ]);
    accepts(tidy.oneAppender, [
      ['apps/ledger-writer/src/a.ts', text],
      ['apps/standalone/src/a.ts', text],
      ['libs/event-store/src/a.ts', text],
      ['apps/projector/src/a.spec.ts', text],
      ['test/simulation/a.ts', text],
    ]);
  });
});

describe('every app and lib has a README.md', () => {
  it('holds', () => expect(tidy.readmes(files)).toEqual([]));

  it('reports a folder without', () => {
    const source = { path: 'libs/a/src/a.ts', text: '' };
    expect(tidy.readmes([source])).toEqual(['libs/a: has no README.md']);
    expect(tidy.readmes([source, { path: 'libs/a/README.md', text: '' }])).toEqual([]);
  });
});

describe('every npm script that a document names exists', () => {
  it('holds', () => expect(tidy.namedScripts(files)).toEqual([]));

  it('reports one that does not', () => {
    const manifest = { path: 'package.json', text: '{ "scripts": { "bench": "x" } }' };
    const named = (script: string) =>
      tidy.namedScripts([manifest, { path: 'docs/a.md', text: `Then npm run ${script}.` }]);
    expect(named('bench')).toEqual([]);
    expect(named('bench:all')).toEqual(['docs/a.md: npm run bench:all is not in package.json']);
    expect(named('toString')).toHaveLength(1);
  });
});

describe('every link of a document leads somewhere', () => {
  it('holds', () => expect(tidy.links(files)).toEqual([]));

  it('reports those that do not', () => {
    const other = { path: 'libs/a/README.md', text: '# A lib\n\n## What it `does`, and why\n' };
    const broken = (text: string) => tidy.links([other, { path: 'docs/a.md', text }]);
    expect(broken('[a](../libs/a) [b](../libs/a#what-it-does-and-why) [c](https://a.b/c)')).toEqual(
      [],
    );
    expect(broken('[a](../libs/b)')).toEqual(['docs/a.md: ../libs/b leads nowhere']);
    expect(broken('[a](../libs/a/README.md#why)')).toHaveLength(1);
    expect(broken('[a](#here)')).toHaveLength(1);
    expect(broken('# Here\n[a](#here)')).toEqual([]);
  });
});

describe('nothing is skipped, singled out or left for later', () => {
  it('holds', () => expect(tidy.finished(files)).toEqual([]));

  it('reports each mark', () => {
    const call = (name: string, way: string) => `${name}${'.'}${way}('a rule', () => {});`;
    const words = [`// ${'TO'}DO later`, `# ${'FIX'}ME`];
    const calls = ['it', 'test', 'describe'].flatMap((name) => [
      call(name, 'skip'),
      call(name, 'only'),
    ]);
    reports(
      tidy.finished,
      [...words, ...calls].map((text) => ['libs/ledger/src/a.ts', text] as const),
    );
  });
});
