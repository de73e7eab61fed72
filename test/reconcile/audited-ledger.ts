import { setTimeout as delay } from 'node:timers/promises';
import {
  AccountCache,
  handleBatch,
  pause,
  PriceBookCache,
  ReadSideWaits,
} from '#apps/ledger-writer';
import {
  ACCOUNT_STREAM_PREFIX,
  decodeDeadLetter,
  encodeJson,
  accountKey,
  GROUPS,
  PRICE_BOOK_ACCOUNT,
  recordedPrices,
  REQUEST_TOPICS,
  TOPICS,
  type Instant,
  type PriceBook,
  type Topic,
} from '#libs/contracts';
import { memoryEventStore, newMemoryLog, type MemoryLog } from '#libs/event-store';
import {
  memoryMessageBus,
  type ConsumeOptions,
  type MessageBus,
  type ReceivedMessage,
} from '#libs/message-bus';
import {
  CheckpointMoved,
  createProjection,
  fileDeadLetters,
  lookUp,
  migrateOperations,
  migrateReadModels,
  parkAccount,
  setAsideAmong,
} from '#libs/read-models';
import type pg from 'pg';
import { freshDatabase } from '../postgres.js';

export const TENANT = 'dev';
export const NOW_MS = Date.UTC(2026, 0, 31, 12);

const SHIPPED: PriceBook = {
  version: 'launch' as PriceBook['version'],
  effective_from: '1970-01-01T00:00:00.000Z' as Instant,
  prices: recordedPrices({
    'text.generation': { credits: 1n },
    'image.generation': { credits: 20n },
    'llm.input_tokens': { credits: 1n, per: 1_000 },
    'llm.output_tokens': { credits: 3n, per: 1_000 },
  }),
};

/** The real writer, projection and filing, on a memory bus and store, one step at a time. */
export interface AuditedLedger {
  readonly bus: MessageBus;
  readonly log: MemoryLog;
  readonly store: ReturnType<typeof memoryEventStore>;
  readonly pool: pg.Pool;
  /** The broker's clock. */
  now_ms: number;
  publish(topic: Topic, requests: readonly Request[]): Promise<void>;
  /** Decides, projects and files everything that was published. */
  settle(): Promise<void>;
  decide(): Promise<void>;
  /** Another writer of the group, which has only just started. */
  newWriter(): Pick<AuditedLedger, 'decide'>;
  project(): Promise<void>;
  file(): Promise<void>;
  /** Lets the writer's group pass whatever was published, without deciding it. */
  skip(): Promise<void>;
  drop(): Promise<void>;
}

type Request = Readonly<Record<string, unknown>>;

const ask = (type: string, account_id: string, request_id: string, fields: Request): Request => ({
  schema: 1,
  type,
  tenant_id: TENANT,
  account_id,
  request_id,
  occurred_at: '2026-01-31T11:00:00.000Z',
  ...fields,
});

export const usage = (account_id: string, request_id: string, fields: Request = {}): Request =>
  ask('UsageRequested', account_id, request_id, {
    ...(fields['items'] === undefined && { operation: 'text.generation' }),
    ...fields,
  });

export const grant = (
  account_id: string,
  request_id: string,
  credits: number,
  fields: Request = {},
): Request =>
  ask('CreditsGrantRequested', account_id, request_id, { credits, kind: 'pack', ...fields });

export const sweep = (account_id: string, request_id: string): Request =>
  ask('SweepRequested', account_id, request_id, {});

/** Prices that are in force an hour later. */
export const publishPrices = (request_id: string, version: string, prices: Request): Request =>
  ask('PriceBookPublishRequested', PRICE_BOOK_ACCOUNT, request_id, {
    version,
    effective_from: '2026-01-31T13:00:00.000Z',
    prices,
  });

export async function startAuditedLedger(): Promise<AuditedLedger> {
  const database = await freshDatabase();
  const { pool } = database;
  await migrateReadModels(pool);
  await migrateOperations(pool);
  const log = newMemoryLog();
  const store = memoryEventStore(log);
  const topics = Object.values(TOPICS);
  const bus = memoryMessageBus({ topics, partitions: 4, now_ms: () => ledger.now_ms });
  const projection = createProjection(pool);
  let projected = await projection.loadCheckpoint();

  const newPorts = () => ({
    store,
    bus,
    read_side: {
      lookUp: (questions: Parameters<typeof lookUp>[1]) => lookUp(pool, questions),
      setAsideAmong: (messages: readonly ReceivedMessage[]) => setAsideAmong(pool, messages),
      park: (account: Parameters<typeof parkAccount>[1]) => parkAccount(pool, account),
    },
    cache: new AccountCache(),
    price_books: new PriceBookCache(store, SHIPPED, () => ledger.now_ms),
    read_side_waits: new ReadSideWaits(),
    pause,
    observe: () => {},
    clock: () => ledger.now_ms,
  });
  const newWriter = (ports = newPorts()) => ({
    decide: () =>
      drain({
        group: GROUPS.writer,
        topics: REQUEST_TOPICS,
        handler: (messages, control) => handleBatch(messages, control, ports),
      }),
  });

  /** Consumes until the group has passed everything. */
  async function drain(options: Omit<ConsumeOptions, 'max_batch'>): Promise<void> {
    const consumer = await bus.consume({ ...options, max_batch: 200 });
    const isBehind = async () =>
      (await bus.positions(options.group, options.topics)).some(
        ({ committed, begin, end }) => (committed ?? begin) < end,
      );
    while (await isBehind()) await delay(2);
    await consumer.close();
  }

  const ledger: AuditedLedger = {
    bus,
    log,
    store,
    pool,
    now_ms: NOW_MS,
    publish: (topic, requests) =>
      bus.publish(
        topic,
        requests.map((request) => ({
          key: accountKey(String(request['tenant_id']), String(request['account_id'])),
          value: encodeJson(request),
        })),
      ),
    ...newWriter(),
    newWriter,
    skip: () => drain({ group: GROUPS.writer, topics: REQUEST_TOPICS, handler: async () => {} }),
    async project() {
      const after = projected?.position ?? null;
      const range = { prefix: ACCOUNT_STREAM_PREFIX, after, batch_size: 1_000 };
      try {
        for await (const batch of store.readAll(range)) {
          projected = (await projection.apply(batch)).checkpoint;
        }
      } catch (error) {
        if (!(error instanceof CheckpointMoved)) throw error;
        projected = await projection.loadCheckpoint();
        await ledger.project();
      }
    },
    file: () =>
      drain({
        group: GROUPS.dead_letters,
        topics: [TOPICS.dead_letters],
        async handler(messages) {
          await fileDeadLetters(
            pool,
            messages.map(({ value }) => decodeDeadLetter(String(value))),
          );
        },
      }),
    async settle() {
      await ledger.decide();
      await ledger.project();
      await ledger.file();
    },
    async drop() {
      await bus.close();
      await store.close();
      await database.drop();
    },
  };
  return ledger;
}
