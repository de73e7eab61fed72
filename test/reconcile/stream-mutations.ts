import { deadLetterOf, encodeDeadLetter, TOPICS } from '#libs/contracts';
import { usage } from './audited-ledger.js';
import {
  DECISION_MUTATIONS,
  PUBLICATION_MUTATIONS,
  RECENT_MUTATIONS,
  TERMS_MUTATIONS,
} from './decision-mutations.js';
import { ALICE, append, appendText, edit, forge, sql, type Mutation } from './planting.js';

/** What can go wrong between the bus and the streams, and within a stream. */
export const STREAM_MUTATIONS: readonly Mutation[] = [
  {
    check: 'request_lost',
    what: 'a request that was passed without a decision',
    plant: async (ledger) => {
      await ledger.publish(TOPICS.usage, [usage('alice', 'u-lost')]);
      await ledger.skip();
    },
    left: /^ledger\.usage\/\d+\/0$/,
  },
  {
    check: 'request_lost',
    what: 'an unreadable message that was passed without a dead letter',
    plant: async (ledger) => {
      await ledger.bus.publish(TOPICS.usage, [{ key: 'dev/alice', value: '{' }]);
      await ledger.skip();
    },
    left: /^ledger\.usage\/\d+\/0$/,
  },
  {
    check: 'request_lost',
    what: 'a request with the key of another account and no dead letter',
    plant: async (ledger) => {
      const value = JSON.stringify(usage('alice', 'u-1', { quantity: 3 }));
      await ledger.bus.publish(TOPICS.usage, [{ key: 'dev/bob', value }]);
      await ledger.skip();
    },
    left: /^ledger\.usage\/\d+\/0$/,
  },
  {
    check: 'request_skipped',
    what: 'a request that was passed, and decided only when it came again',
    plant: async (ledger) => {
      await ledger.publish(TOPICS.usage, [usage('alice', 'u-late')]);
      await ledger.skip();
      await ledger.publish(TOPICS.usage, [usage('alice', 'u-late')]);
      await ledger.settle();
    },
    left: /^ledger\.usage\/\d+\/0$/,
    right: /^account-dev\/alice@4$/,
  },
  {
    check: 'request_decided_twice',
    what: 'a second decision of one request',
    plant: async (ledger) => {
      await ledger.publish(TOPICS.usage, [usage('alice', 'u-1', { quantity: 3 })]);
      await ledger.skip();
      await append(ALICE, (event) => ({
        ...event,
        source: { topic: TOPICS.usage, partition: 1, offset: 0 },
      }))(ledger);
    },
    left: /^account-dev\/alice@4$/,
    right: /^account-dev\/alice@3$/,
  },
  {
    check: 'message_decided_twice',
    what: 'two events that were decided from one message',
    plant: append(ALICE, (event) => ({ ...event, request_id: 'u-other' })),
    left: /^account-dev\/alice@4$/,
    right: /^ledger\.requests\/\d+\/3$/,
  },
  {
    check: 'event_without_request',
    what: 'a decision of a message that is another request',
    plant: async (ledger) => {
      await ledger.publish(TOPICS.requests, [usage('alice', 'u-real')]);
      await append(ALICE, (event) => ({
        ...event,
        request_id: 'u-forged',
        source: { topic: TOPICS.requests, partition: 1, offset: 4 },
      }))(ledger);
    },
    left: /^account-dev\/alice@4$/,
    right: /^ledger\.requests\/1\/4$/,
  },
  {
    check: 'event_without_request',
    what: 'a decision that comes from no topic of requests',
    plant: append(ALICE, (event) => ({
      ...event,
      request_id: 'u-forged',
      source: { topic: 'elsewhere', partition: 0, offset: 0 },
    })),
    left: /^account-dev\/alice@4$/,
    right: /^elsewhere\/0\/0$/,
  },
  {
    check: 'decided_and_dead_lettered',
    what: 'a dead letter of a message that was decided',
    plant: async ({ bus, log }) => {
      const { source } = JSON.parse(log.streams.get(ALICE)![3]!.data);
      const timestamp = '2026-01-31T12:00:00.000Z' as never;
      const letter = deadLetterOf(
        { ...source, timestamp, key: 'dev/alice', value: '', headers: {} },
        'undecodable',
        'planted',
      );
      await bus.publish(TOPICS.dead_letters, [
        { key: 'dev/alice', value: encodeDeadLetter(letter) },
      ]);
    },
    left: /^ledger\.requests\/\d+\/3$/,
    right: /^account-dev\/alice@3$/,
  },
  {
    check: 'conflict_not_dead_lettered',
    what: 'the same id with other content that nobody hears of',
    plant: async (ledger) => {
      await ledger.publish(TOPICS.usage, [usage('alice', 'u-1', { quantity: 999 })]);
      await ledger.skip();
    },
    left: /^ledger\.usage\/\d+\/0$/,
    right: /^account-dev\/alice@3$/,
  },
  {
    check: 'fingerprint_differs',
    what: 'a decision whose fingerprint is not that of its message',
    plant: forge(ALICE, (data, revision) =>
      revision === 3 ? data.replace(/v1:[0-9a-f]{64}/, `v1:${'0'.repeat(64)}`) : data,
    ),
    left: /^ledger\.requests\/\d+\/3$/,
    right: /^account-dev\/alice@3$/,
  },
  {
    check: 'occurred_at_differs',
    what: 'a decision that moves a charge into another month',
    plant: forge(ALICE, (data, revision) =>
      revision === 3
        ? data
            .replace(/"occurred_at":"\d{4}/, '"occurred_at":"1999')
            .replace(/"period":"\d{4}/, '"period":"1999')
        : data,
    ),
    left: /^ledger\.requests\/\d+\/3$/,
    right: /^account-dev\/alice@3$/,
  },
  ...DECISION_MUTATIONS,
  ...RECENT_MUTATIONS,
  ...PUBLICATION_MUTATIONS,
  ...TERMS_MUTATIONS,
  {
    check: 'dead_letter_not_filed',
    what: 'a dead letter that its filer has passed',
    plant: sql(`delete from ops.dead_letters where reason = 'undecodable'`),
    left: /^ledger\.dead-letters\/\d+\/0$/,
    right: /^ops\.dead_letters\(ledger\.requests\/\d+\/\d+\)$/,
  },
  {
    check: 'stream_broken',
    what: 'an edited event',
    plant: edit(ALICE, 3, (data) => data.replace('"quantity":3', '"quantity":2')),
    left: /^account-dev\/alice@3$/,
  },
  {
    check: 'stream_broken',
    what: 'a removed event',
    plant: ({ log }) => {
      const at = log.events.findIndex((e) => e.stream === ALICE && e.revision === 2);
      const [removed] = log.events.splice(at, 1);
      // Positions count up without gaps in this store.
      log.events.splice(at, 0, { ...removed!, stream: 'elsewhere' });
    },
    left: /^account-dev\/alice@3$/,
  },
  {
    check: 'stream_broken',
    what: 'an event that is no JSON and is not projected',
    plant: appendText(ALICE, 'not JSON'),
    left: /^account-dev\/alice@4$/,
  },
  {
    check: 'fold_broken',
    what: 'a balance that does not follow, in a chain that holds',
    plant: forge(ALICE, (data, revision) =>
      revision === 3 ? data.replace('"available":"', '"available":"9') : data,
    ),
    left: /^account-dev\/alice@3$/,
    right: /^read\.entries\(dev, alice, 3\)$/,
  },
  {
    check: 'credits_not_conserved',
    what: 'a line that costs other than its price says',
    plant: forge(ALICE, (data, revision) =>
      revision === 3 ? data.replace('"unit_credits":"1"', '"unit_credits":"2"') : data,
    ),
    left: /^account-dev\/alice@3$/,
    right: /^read\.entries\(dev, alice, 3\)$/,
  },
];
