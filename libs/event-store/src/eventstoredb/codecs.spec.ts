import codes from '@eventstore/db-client/generated/code_pb.js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import status from '@eventstore/db-client/generated/status_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import fc from 'fast-check';
import any from 'google-protobuf/google/protobuf/any_pb.js';
import empty from 'google-protobuf/google/protobuf/empty_pb.js';
import { decodeAppendAnswer, encodeAppend } from './append-codec.js';
import { decodeReadAnswer } from './read-codec.js';

const text = (options: { minLength?: number } = {}) =>
  fc.string({ unit: 'binary', maxLength: 300, ...options });
const half = fc.oneof(fc.nat(200), fc.nat({ max: 2 ** 31 - 1 }), fc.maxSafeNat());
const revision = fc.oneof(fc.nat(300), fc.maxSafeNat());
const uuid = fc.uuid();

const bufferOf = (message: { serializeBinary(): Uint8Array }) =>
  Buffer.from(message.serializeBinary());
const utf8 = (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8');

/** Fields that no version has, of every wire type, which a reader must pass over. */
const UNKNOWN_FIELDS = [
  Buffer.from([0xf8, 0x06, 0x96, 0x01]),
  Buffer.from([0xf9, 0x06, 1, 2, 3, 4, 5, 6, 7, 8]),
  Buffer.from([0xfa, 0x06, 3, 0x0a, 0xff, 0x7f]),
  Buffer.from([0xfd, 0x06, 1, 2, 3, 4]),
];
const strange = fc.constantFrom(Buffer.alloc(0), ...UNKNOWN_FIELDS);

function identifier(name: string): shared.StreamIdentifier {
  const message = new shared.StreamIdentifier();
  message.setStreamName(Buffer.from(name));
  return message;
}

function structured(high: number, low: number): shared.UUID {
  const halves = new shared.UUID.Structured();
  halves.setMostSignificantBits(String(high));
  halves.setLeastSignificantBits(String(low));
  const message = new shared.UUID();
  message.setStructured(halves);
  return message;
}

describe('an append', () => {
  const event = fc.record({
    event_id: uuid,
    type: text({ minLength: 1 }),
    data: text(),
    meta: text(),
  });
  const append = fc.record({
    stream: text({ minLength: 1 }),
    expected_revision: fc.oneof(fc.constant(-1), revision),
    events: fc.array(event, { minLength: 1, maxLength: 5 }),
  });

  it('is what the generated class reads', () => {
    const property = fc.property(half, half, append, (high, low, sent) => {
      const bytes = encodeAppend({ high, low }, sent);
      const read = streams.BatchAppendReq.deserializeBinary(new Uint8Array(bytes));
      const halves = read.getCorrelationId()!.getStructured()!;
      expect([halves.getMostSignificantBits(), halves.getLeastSignificantBits()]).toEqual([
        String(high),
        String(low),
      ]);
      const options = read.getOptions()!;
      expect(utf8(options.getStreamIdentifier()!.getStreamName_asU8())).toBe(sent.stream);
      expect(options.hasNoStream()).toBe(sent.expected_revision === -1);
      const wanted = sent.expected_revision === -1 ? '0' : String(sent.expected_revision);
      expect(options.getStreamPosition()).toBe(wanted);
      expect(options.hasDeadline()).toBe(false);
      expect(read.getIsFinal()).toBe(true);
      const events = read.getProposedMessagesList().map((message) => ({
        event_id: message.getId()!.getString(),
        type: message.getMetadataMap().get('type'),
        data: utf8(message.getData_asU8()),
        meta: utf8(message.getCustomMetadata_asU8()),
      }));
      expect(events).toEqual(sent.events);
      for (const message of read.getProposedMessagesList()) {
        expect(message.getMetadataMap().get('content-type')).toBe('application/json');
        expect(message.getMetadataMap().getLength()).toBe(2);
      }
    });
    fc.assert(property, { numRuns: 300 });
  });
});

describe('the answer to an append', () => {
  function answer(high: number, low: number): streams.BatchAppendResp {
    const message = new streams.BatchAppendResp();
    message.setCorrelationId(structured(high, low));
    message.setStreamIdentifier(identifier('account-t/a'));
    return message;
  }

  it('is read as the generated class writes it: appended', () => {
    const property = fc.property(half, half, revision, fc.boolean(), strange, (...random) => {
      const [high, low, at, has_position, more] = random;
      const success = new streams.BatchAppendResp.Success();
      success.setCurrentRevision(String(at));
      if (has_position) success.setPosition(new shared.AllStreamPosition());
      else success.setNoPosition(new empty.Empty());
      const message = answer(high, low);
      message.setSuccess(success);
      expect(decodeAppendAnswer(Buffer.concat([bufferOf(message), more]))).toEqual({
        to: { high, low },
        result: { kind: 'appended', revision: at },
      });
    });
    fc.assert(property);
  });

  function failed(name: string, details: Uint8Array | undefined): streams.BatchAppendResp {
    const error = new status.Status();
    error.setCode(codes.Code.UNKNOWN);
    error.setMessage(name);
    if (details !== undefined) {
      const packed = new any.Any();
      packed.pack(details, `event_store.client.${name}`);
      error.setDetails(packed);
    }
    const message = answer(1, 2);
    message.setError(error);
    return message;
  }
  const resultOf = (message: streams.BatchAppendResp) =>
    decodeAppendAnswer(bufferOf(message)).result;

  it('is read as the generated class writes it: conflict', () => {
    const property = fc.property(fc.oneof(fc.constant(-1), revision), revision, (at, expected) => {
      const details = new shared.WrongExpectedVersion();
      if (at === -1) details.setCurrentNoStream(new empty.Empty());
      else details.setCurrentStreamRevision(String(at));
      details.setExpectedStreamPosition(String(expected));
      expect(resultOf(failed('WrongExpectedVersion', details.serializeBinary()))).toEqual({
        kind: 'conflict',
        actual_revision: at,
      });
    });
    fc.assert(property);
  });

  it.each(['AccessDenied', 'BadRequest', 'StreamDeleted', 'MaximumAppendSizeExceeded'])(
    'is refused: %s',
    (name) => {
      expect(resultOf(failed(name, new Uint8Array()))).toEqual({ kind: 'refused', why: name });
    },
  );

  it.each(['Timeout', 'Unknown', 'Server Is Not Ready', 'Server Is Busy', '', 'anything new'])(
    'is unknown, whatever else the server says: "%s"',
    (name) => {
      expect(resultOf(failed(name, undefined))).toEqual({
        kind: 'unknown',
        why: expect.stringContaining(name),
      });
    },
  );

  it('is unknown when it says nothing, or has a correlation id that we never sent', () => {
    expect(resultOf(answer(1, 2)).kind).toBe('unknown');
    const foreign = new streams.BatchAppendResp();
    const id = new shared.UUID();
    id.setString('0f0e0d0c-0b0a-4908-8706-050403020100');
    foreign.setCorrelationId(id);
    expect(decodeAppendAnswer(bufferOf(foreign)).to).toEqual({ high: 0, low: 0 });
  });
});

describe('the answer to a read', () => {
  const recorded = fc.record({
    event_id: uuid,
    stream: text({ minLength: 1 }),
    type: text({ minLength: 1 }),
    data: text(),
    meta: text(),
    revision,
    commit: revision,
    prepare: revision,
  });
  type Recorded = typeof recorded extends fc.Arbitrary<infer T> ? T : never;

  function eventMessage(sent: Recorded, type_first: boolean): streams.ReadResp {
    const event = new streams.ReadResp.ReadEvent.RecordedEvent();
    const id = new shared.UUID();
    id.setString(sent.event_id);
    event.setId(id);
    event.setStreamIdentifier(identifier(sent.stream));
    event.setStreamRevision(String(sent.revision));
    event.setCommitPosition(String(sent.commit));
    event.setPreparePosition(String(sent.prepare));
    const metadata = event.getMetadataMap();
    if (type_first) metadata.set('type', sent.type);
    metadata.set('created', '17000000000000000');
    metadata.set('content-type', 'application/json');
    metadata.set('type', sent.type);
    event.setData(Buffer.from(sent.data));
    event.setCustomMetadata(Buffer.from(sent.meta));
    const read = new streams.ReadResp.ReadEvent();
    read.setEvent(event);
    read.setCommitPosition(String(sent.commit));
    const message = new streams.ReadResp();
    message.setEvent(read);
    return message;
  }

  it('is read as the generated class writes it: an event', () => {
    const property = fc.property(recorded, fc.boolean(), strange, (sent, type_first, more) => {
      const bytes = Buffer.concat([more, bufferOf(eventMessage(sent, type_first))]);
      const { commit, prepare, ...content } = sent;
      expect(decodeReadAnswer(bytes)).toEqual({
        kind: 'event',
        event: { ...content, position: `${commit}/${prepare}` },
        position: { commit, prepare },
      });
    });
    fc.assert(property, { numRuns: 300 });
  });

  it('is read as the generated class writes it: the other kinds', () => {
    const not_found = new streams.ReadResp();
    not_found.setStreamNotFound(new streams.ReadResp.StreamNotFound());
    const last = new streams.ReadResp();
    last.setLastStreamPosition('0');
    const first = new streams.ReadResp();
    first.setFirstStreamPosition('3');
    const caught_up = new streams.ReadResp();
    caught_up.setCaughtUp(new streams.ReadResp.CaughtUp());
    expect(
      [not_found, last, first, caught_up].map((one) => decodeReadAnswer(bufferOf(one))),
    ).toEqual([
      { kind: 'stream_not_found' },
      { kind: 'last_revision', revision: 0 },
      { kind: 'other' },
      { kind: 'other' },
    ]);
  });

  it('has no safe revision when it is a tombstone', () => {
    const tombstone = fc.sample(recorded, 1)[0]!;
    const message = eventMessage(tombstone, false);
    message.getEvent()!.getEvent()!.setStreamRevision('9223372036854775807');
    const answer = decodeReadAnswer(bufferOf(message));
    expect(answer).toMatchObject({ kind: 'event' });
    expect(answer.kind === 'event' && Number.isSafeInteger(answer.event.revision)).toBe(false);
  });
});

it('bytes that are no message end in an answer or a RangeError', () => {
  const outcome = (decode: (bytes: Buffer) => unknown, bytes: Uint8Array) => {
    try {
      decode(Buffer.from(bytes));
      return 'answer';
    } catch (error) {
      return error instanceof RangeError ? 'RangeError' : error;
    }
  };
  const property = fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    for (const decode of [decodeAppendAnswer, decodeReadAnswer]) {
      expect(['answer', 'RangeError']).toContain(outcome(decode, bytes));
    }
  });
  fc.assert(property, { numRuns: 2000 });
});
