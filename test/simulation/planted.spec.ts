import { AccountCache, PriceBookCache } from '#apps/ledger-writer';
import { GATEWAY_LIMITS } from '#apps/usage-gateway';
import { decodeDecision, decodeRequest, encodeDecision, fingerprintOf } from '#libs/contracts';
import { jest } from '@jest/globals';
import fc from 'fast-check';
import { COMMAND_PRICES } from '../ledger/commands.js';
import { NOON } from '../ledger/requests.js';
import type { Damage, GatewayBus, Lanes } from './damage.js';
import type { Fault } from './director.js';
import { histories } from './histories.js';
import { oddsOf } from './scenario.js';

jest.setTimeout(60 * 60_000);

/** A read at a time this far ahead knows all prices that a history asks for, or says so. */
const HOUR_MS = 3_600_000;

/** The defect, and the faults without which it does no harm. */
type Planted = readonly [damage: Damage, ...faults: readonly Fault[]];

const inWriter = (writer: NonNullable<Damage['writer']>): Damage => ({ writer });
const inLanes = (lanes: NonNullable<Damage['lanes']>): Damage => ({ lanes });
const inGateway = (gateway: NonNullable<Damage['gateway']>): Damage => ({ gateway });

/** Every handler of the lanes is this one. */
const handling = (
  change: (handler: Lanes['settings']['handler']) => Lanes['settings']['handler'],
): Damage =>
  inLanes(({ settings, feed }) => ({
    settings: { ...settings, handler: change(settings.handler) },
    feed,
  }));

const writer: Record<string, Planted> = {
  'an append without an answer that is taken for written': [
    inWriter((ports) => ({
      ...ports,
      store: {
        ...ports.store,
        async appendMany(appends) {
          const results = await ports.store.appendMany(appends);
          return results.map((result, i) => {
            const { expected_revision, events } = appends[i]!;
            const revision = expected_revision + events.length;
            return result.kind === 'unknown' ? { kind: 'appended', revision } : result;
          });
        },
      },
    })),
    'append: not written, no answer',
  ],
  'a look-up whose accounts are of a later moment than its index': [
    inWriter((ports) => ({
      ...ports,
      read_side: {
        ...ports.read_side,
        async lookUp(questions) {
          const { decisions } = await ports.read_side.lookUp(questions);
          const { accounts } = await ports.read_side.lookUp(questions);
          return { accounts, decisions };
        },
      },
    })),
    'publish: sent, no answer',
    'writer: killed',
  ],
  'an account that stays in the cache while it is decided on': [
    inWriter((ports) => ({
      ...ports,
      cache: new (class extends AccountCache {
        override take(key: Parameters<AccountCache['take']>[0]) {
          const known = super.take(key);
          if (known) this.put(known);
          return known;
        }
      })(3),
    })),
    'append: not written, no answer',
    'append: refused',
    'publish: nothing sent',
  ],
  'price books that are read once and never again': [
    inWriter((ports) => {
      const read_at_ms = ports.clock() + HOUR_MS;
      const price_books = new PriceBookCache(ports.store, COMMAND_PRICES, () => read_at_ms);
      return { ...ports, price_books };
    }),
  ],
  'usage that does not wait for its prices': [
    inWriter((ports) => ({
      ...ports,
      price_books: new PriceBookCache(ports.store, COMMAND_PRICES, () => ports.clock() + HOUR_MS),
    })),
    'broker: its clock is ahead',
  ],
  'a request that comes again and is not answered': [
    inWriter((ports) => ({
      ...ports,
      bus: {
        publish: (topic, messages) =>
          ports.bus.publish(
            topic,
            messages.filter(({ value }) => !String(value).includes('"replayed":true')),
          ),
      },
    })),
  ],
  'a publish that fails and is not done again': [
    inWriter((ports) => ({
      ...ports,
      bus: { publish: (topic, messages) => ports.bus.publish(topic, messages).catch(() => {}) },
    })),
    'publish: nothing sent',
  ],
};

const lanes: Record<string, Planted> = {
  'a batch that fails and is passed over': [
    handling((handler) => (messages, control) => handler(messages, control).catch(() => {})),
    'look-up: fails',
  ],
  'a batch of several partitions of which one is decided': [
    handling(
      (handler) => (messages, control) =>
        handler(
          messages.filter(({ partition }) => partition === messages[0]!.partition),
          control,
        ),
    ),
  ],
  'a cursor that moves on beyond what was read': [
    inLanes(({ settings, feed }) => ({
      settings,
      feed: {
        ...feed,
        read: async (cursors, max) =>
          (await feed.read(cursors, max)).map((run) =>
            run.messages.length < 2 ? run : { ...run, messages: run.messages.slice(1) },
          ),
      },
    })),
  ],
  'a batch that is acknowledged before it is decided': [
    handling((handler) => async (messages, control) => {
      void handler(messages, control).catch(() => {});
    }),
  ],
};

const gateway: Record<string, Planted> = {
  'a publish without an answer that is taken for durable': [
    inGateway((bus) => ({
      ...bus,
      publish: (topic, messages) => bus.publish(topic, messages).catch(() => {}),
    })),
    'publish: nothing sent',
  ],
  'a caller that gets the decision of another content': [inGateway(forLatestOfItsId)],
  'a decision that is passed on with other bytes': [
    inGateway((bus) => ({
      ...bus,
      tail: (topic, handler) =>
        bus.tail(topic, (messages) =>
          handler(
            messages.map((message) => ({
              ...message,
              value: String(message.value).replace('"replayed":true', '"replayed":false'),
            })),
          ),
        ),
    })),
  ],
  'a wait for a publish that nobody ends': [
    { limits: { ...GATEWAY_LIMITS, publish_timeout_ms: HOUR_MS } },
    'publish: hangs',
  ],
};

/** As if a decision were looked up by its request id alone. */
function forLatestOfItsId(bus: GatewayBus): GatewayBus {
  const asked = new Map<string, string>();
  return {
    ...bus,
    publish(topic, messages) {
      for (const { value } of messages) {
        const { account_id, request_id } = decodeRequest(String(value), NOON);
        asked.set(`${account_id} ${request_id}`, String(value));
      }
      return bus.publish(topic, messages);
    },
    tail: (topic, handler) =>
      bus.tail(topic, (messages) =>
        handler(
          messages.map((message) => {
            const decision = decodeDecision(String(message.value));
            const latest = asked.get(`${decision.account_id} ${decision.request_id}`);
            if (latest === undefined) return message;
            const fingerprint = fingerprintOf(decodeRequest(latest, NOON));
            return { ...message, value: encodeDecision({ ...decision, fingerprint }) };
          }),
        ),
      ),
  };
}

const MAX_HISTORIES = 300;

describe.each(Object.entries({ writer, lanes, gateway }))(
  'finds a defect of the %s:',
  (_, planted) => {
    it.each(Object.entries(planted))('%s', async (_name, [damage, ...faults]) => {
      const odds = oddsOf(...faults);
      const until_found = { numRuns: MAX_HISTORIES, endOnFailure: true };
      const found = await fc.check(histories({ damage, odds }), until_found);
      expect(found.failed).toBe(true);
    });
  },
);
