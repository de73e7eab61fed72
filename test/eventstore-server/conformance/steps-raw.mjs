// Raw gRPC calls that @eventstore/db-client itself never makes, played against a server on 127.0.0.1:PORT (insecure, empty):
// BatchAppend on long-lived bidi calls with our own correlation ids, counted filtered reads of $all, counted stream reads,
// GetSupportedMethods, Gossip. One deterministic line per step, no absolute positions, times or versions. About 30 s.
// Where a real server answers one of several ways (a race), the line says so and only checks that it was one of them.
// node steps-raw.mjs PORT prints what transcript-raw-23.10.8.txt holds of a real server. Copied from the script that recorded it,
// but that large messages are sent after the others, delays are rounded down, and the last step does not wait as long.
import crypto from 'node:crypto';
import http2 from 'node:http2';
import * as grpc from '@grpc/grpc-js';
import gossip from '@eventstore/db-client/generated/gossip_pb.js';
import features from '@eventstore/db-client/generated/serverfeatures_pb.js';
import S from '@eventstore/db-client/generated/shared_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import empty from 'google-protobuf/google/protobuf/empty_pb.js';
import timestamp from 'google-protobuf/google/protobuf/timestamp_pb.js';
const {
  ReadReq,
  ReadResp,
  BatchAppendReq,
  BatchAppendResp,
  DeleteReq,
  DeleteResp,
  TombstoneReq,
  TombstoneResp,
} = streams;
const { SupportedMethods } = features,
  { ClusterInfo, MemberInfo } = gossip,
  { Empty } = empty,
  { Timestamp } = timestamp;

const port = +process.argv[2];
const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), {
  'grpc.max_receive_message_length': -1,
});
const STREAMS = '/event_store.client.streams.Streams/';
const log = (label, text) => process.stdout.write(`${label} => ${text}\n`);
const section = (s) => process.stdout.write(`\n# ${s}\n`);
const sleep = (ms) => new Promise((r) => setTimeout(r, ms));
const uid = (s) => {
  const h = crypto.createHash('sha1').update(s).digest('hex');
  return `${h.slice(0, 8)}-${h.slice(8, 12)}-4${h.slice(13, 16)}-8${h.slice(17, 20)}-${h.slice(20, 32)}`;
};
const sid = (name) => {
  const s = new S.StreamIdentifier();
  s.setStreamName(Buffer.from(name));
  return s;
};
const nameOf = (s) => (s ? Buffer.from(s.getStreamName_asU8()).toString() : undefined);
const toStructured = (u) => {
  const b = BigInt('0x' + u.replace(/-/g, '')),
    s = new S.UUID.Structured();
  s.setMostSignificantBits(BigInt.asIntN(64, b >> 64n).toString());
  s.setLeastSignificantBits(BigInt.asIntN(64, b).toString());
  return s;
};
const fromStructured = (s) => {
  const h = (
    (BigInt.asUintN(64, BigInt(s.getMostSignificantBits())) << 64n) |
    BigInt.asUintN(64, BigInt(s.getLeastSignificantBits()))
  )
    .toString(16)
    .padStart(32, '0');
  return `${h.slice(0, 8)}-${h.slice(8, 12)}-${h.slice(12, 16)}-${h.slice(16, 20)}-${h.slice(20)}`;
};
const uuid = (value, form = 'string') => {
  const u = new S.UUID();
  if (form === 'structured') u.setStructured(toStructured(value));
  else if (form === 'string') u.setString(value);
  return u;
};
const caseName = (cases, value) =>
  Object.keys(cases)
    .find((k) => cases[k] === value)
    .toLowerCase();
const quote = (s) =>
  JSON.stringify(
    s
      .replace(/\r?\n/g, ' ')
      .replace(/\d{4,}/g, '#')
      .slice(0, 220),
  );
const trailers = (m) =>
  Object.entries(m?.getMap() ?? {})
    .filter(([k]) => !/^(date|server|content-type|content-length|grpc-.*)$/.test(k))
    .map(([k, v]) => `${k}=${quote(String(v))}`)
    .sort()
    .join(' ');
const status = (s) =>
  `grpc ${s.code} ${grpc.status[s.code]}${s.details ? ' ' + quote(s.details) : ''}${trailers(s.metadata) ? ' {' + trailers(s.metadata) + '}' : ''}`;

// ---- BatchAppend ------------------------------------------------------------------------------------------------------
const varint = (n) => {
  const o = [];
  while (n > 127) {
    o.push((n % 128) | 128);
    n = Math.floor(n / 128);
  }
  o.push(n);
  return Buffer.from(o);
};
const field = (no, bytes) => Buffer.concat([varint(no * 8 + 2), varint(bytes.length), bytes]); // length-delimited
const int64 = (v) => {
  const o = [];
  let n = BigInt.asUintN(64, BigInt(v));
  while (n > 127n) {
    o.push(Number(n & 127n) | 128);
    n >>= 7n;
  }
  o.push(Number(n));
  return Buffer.from(o);
};
/** one frame. corr: label or {text}|null; exp: number|string digits|no_stream|any|stream_exists|null; deadline: {ts: s from now}|{dur: s} */
function frame({
  corr,
  form = 'string',
  stream,
  exp = null,
  deadline,
  options = stream !== undefined,
  events = [],
  final = true,
}) {
  const req = new BatchAppendReq();
  if (corr)
    req.setCorrelationId(
      corr.text !== undefined
        ? uuid(corr.text)
        : corr.unset
          ? new S.UUID()
          : uuid(uid('corr' + corr), form),
    );
  for (const e of events) {
    const m = new BatchAppendReq.ProposedMessage();
    if (e.id !== null) m.setId(uuid(e.rawId ?? uid(e.id), e.form));
    const map = m.getMetadataMap();
    if (e.type !== null) map.set('type', e.type ?? 'T');
    if (e.ct !== null) map.set('content-type', e.ct ?? 'application/json');
    m.setData(e.data ?? Buffer.from('{}'));
    if (e.meta) m.setCustomMetadata(e.meta);
    req.addProposedMessages(m);
  }
  req.setIsFinal(final);
  if (!options) return Buffer.from(req.serializeBinary());
  const o = new BatchAppendReq.Options();
  if (stream !== undefined && stream !== null) o.setStreamIdentifier(sid(stream));
  if (exp === 'no_stream') o.setNoStream(new Empty());
  else if (exp === 'any') o.setAny(new Empty());
  else if (exp === 'stream_exists') o.setStreamExists(new Empty());
  else if (exp !== null) o.setStreamPosition(String(exp));
  if (deadline?.ts !== undefined) {
    const t = new Timestamp();
    t.setSeconds(Math.floor(Date.now() / 1000) + deadline.ts);
    o.setDeadline(t);
  }
  const extra =
    deadline?.dur !== undefined
      ? field(7, Buffer.concat([Buffer.from([8]), int64(deadline.dur)]))
      : Buffer.alloc(0); // Duration{seconds}; not in the generated classes
  return Buffer.concat([
    Buffer.from(req.serializeBinary()),
    field(2, Buffer.concat([Buffer.from(o.serializeBinary()), extra])),
  ]);
}
class Session {
  answers = [];
  ended = null;
  constructor() {
    this.call = client.makeBidiStreamRequest(
      STREAMS + 'BatchAppend',
      (b) => b,
      (b) => BatchAppendResp.deserializeBinary(new Uint8Array(b)),
      new grpc.Metadata(),
      {},
    );
    this.call.on('data', (r) => {
      this.answers.push({ r, at: Date.now() });
      this.wake?.();
    });
    this.call.on('error', () => {});
    this.call.on('status', (s) => {
      this.ended = s;
      this.wake?.();
    });
  }
  send(...frames) {
    for (const f of frames) this.call.write(Buffer.isBuffer(f) ? f : frame(f));
  }
  /** resolves with the answers: when n are there, when the call has ended, or after ms */
  async take(n, ms = 6000) {
    const end = Date.now() + ms;
    while (this.answers.length < n && !this.ended && Date.now() < end)
      await new Promise((r) => {
        const t = setTimeout(r, Math.max(1, end - Date.now()));
        this.wake = () => {
          clearTimeout(t);
          r();
        };
      });
    return this.answers.splice(0);
  }
  close() {
    this.call.cancel();
  }
}
const corrText = (u) => {
  if (!u) return 'corr-absent';
  const c = u.getValueCase();
  if (c === S.UUID.ValueCase.STRUCTURED)
    return `corr=structured(${corrNames.get(fromStructured(u.getStructured())) ?? fromStructured(u.getStructured())})`;
  if (c === S.UUID.ValueCase.STRING)
    return `corr=string(${corrNames.get(u.getString()) ?? u.getString()})`;
  return 'corr=empty';
};
const corrNames = new Map();
for (let i = 0; i < 100; i++) corrNames.set(uid('corrc' + i), 'c' + i);
const WEV = S.WrongExpectedVersion;
async function answerText(r, brief) {
  const parts = [corrText(r.getCorrelationId())];
  const name = nameOf(r.getStreamIdentifier());
  parts.push(name === undefined ? 'stream-absent' : `stream=${JSON.stringify(name)}`);
  if (r.getExpectedStreamPositionCase())
    parts.push(
      'expected-echoed:' +
        caseName(BatchAppendResp.ExpectedStreamPositionCase, r.getExpectedStreamPositionCase()),
    );
  if (r.hasSuccess()) {
    const s = r.getSuccess(),
      C = BatchAppendResp.Success;
    let rev = caseName(C.CurrentRevisionOptionCase, s.getCurrentRevisionOptionCase());
    if (s.hasCurrentRevision()) rev += ':' + s.getCurrentRevision();
    let pos = caseName(C.PositionOptionCase, s.getPositionOptionCase());
    if (s.hasPosition() && !brief)
      pos += ' ' + (await relation(name, s.getCurrentRevision(), s.getPosition()));
    parts.push(`SUCCESS ${rev} ${pos}`);
  } else if (r.hasError()) {
    const e = r.getError(),
      d = e.getDetails();
    let details = 'details-absent';
    if (d) {
      const type = d.getTypeUrl(),
        bytes = d.getValue_asU8();
      details = type;
      if (/WrongExpectedVersion/.test(type)) {
        const w = WEV.deserializeBinary(bytes);
        details += ` {${caseName(WEV.CurrentStreamRevisionOptionCase, w.getCurrentStreamRevisionOptionCase())}${w.hasCurrentStreamRevision() ? ':' + w.getCurrentStreamRevision() : ''}, ${caseName(WEV.ExpectedStreamPositionOptionCase, w.getExpectedStreamPositionOptionCase())}${w.hasExpectedStreamPosition() ? ':' + w.getExpectedStreamPosition() : ''}}`;
      } else if (/StreamDeleted/.test(type))
        details += ` {${JSON.stringify(nameOf(S.StreamDeleted.deserializeBinary(bytes).getStreamIdentifier()))}}`;
      else if (/MaximumAppendSize/.test(type))
        details += ` {${S.MaximumAppendSizeExceeded.deserializeBinary(bytes).getMaxappendsize()}}`;
      else if (/BadRequest/.test(type))
        details += ` {${quote(S.BadRequest.deserializeBinary(bytes).getMessage())}}`;
      else details += ` {${bytes.length} bytes}`;
    }
    parts.push(`ERROR code ${e.getCode()} ${quote(e.getMessage())} ${details}`);
  } else parts.push('NO RESULT');
  return parts.join(' ');
}
/** relation of the answered position to the event of the answered revision */
async function relation(stream, revision, p) {
  const [m] = (await read({ stream, revision, backwards: true, count: 1 })).messages;
  const e = m?.getEvent()?.getEvent();
  const tail =
    p.getCommitPosition() === p.getPreparePosition() ? 'commit=prepare' : 'commit!=prepare';
  return (
    (e
      ? p.getCommitPosition() === e.getCommitPosition()
        ? `(= event ${stream}@${revision}`
        : `(${BigInt(p.getCommitPosition()) > BigInt(e.getCommitPosition()) ? '>' : '<'} event ${stream}@${revision}`
      : '(event unreadable') + `, ${tail})`
  );
}
let main = null; // the long-lived call of the steps below
/** frames on the long-lived call, answers printed in order of arrival */
async function step(label, frames, n = 1, { sorted, brief, extra = 0 } = {}) {
  if (!main || main.ended) main = new Session();
  main.send(...frames);
  const got = await main.take(n);
  if (extra) {
    await sleep(extra);
    got.push(...main.answers.splice(0));
  }
  let texts = [];
  for (const a of got) texts.push(await answerText(a.r, brief));
  if (sorted) texts.sort();
  log(
    label,
    (texts.join(' | ') || '(no answer)') +
      (main.ended ? ` | CALL ENDED ${status(main.ended)}` : ''),
  );
}
let probeNo = 0;
/** frames (a number = wait that many ms) on a call of their own: every answer until ms after the last frame, with its delay after the FIRST frame in whole seconds; then: does the same call still append? */
async function probe(label, frames, { ms = 3500, halfClose = false, brief = false } = {}) {
  const no = probeNo++,
    s = new Session(),
    good = () =>
      frame({
        corr: 'c99',
        stream: `good-${no}`,
        exp: 'any',
        events: [{ id: `good${no}-${Math.random()}` }],
      }); // ids need not repeat between runs
  s.send(good());
  await s.take(1);
  const first = Date.now();
  for (const f of frames)
    if (typeof f === 'number') await sleep(f);
    else s.send(f);
  if (halfClose) s.call.end();
  const got = await s.take(Infinity, ms),
    texts = [];
  for (const a of got)
    texts.push(`+${Math.floor((a.at - first) / 1000 + 0.1)}s ${await answerText(a.r, brief)}`);
  let end;
  if (halfClose)
    end = s.ended ? 'call ended ' + status(s.ended) : `call still open after ${ms / 1000} s`;
  else if (s.ended) end = 'CALL ENDED ' + status(s.ended);
  else {
    s.send(good());
    const [a] = await s.take(1, 3000);
    end = a?.r.hasSuccess()
      ? 'call still usable'
      : 'CALL NOT USABLE ' + (s.ended ? status(s.ended) : '');
  }
  s.close();
  return [label, (texts.join(' | ') || '(no answer)') + ' || ' + end];
}
const unary = (path, Req, Resp, build) =>
  new Promise((r) =>
    client.makeUnaryRequest(
      path,
      (m) => Buffer.from(m.serializeBinary()),
      (b) => Resp.deserializeBinary(new Uint8Array(b)),
      build,
      (e, v) => r(e ? { error: e } : { value: v }),
    ),
  );
async function remove(kind, stream) {
  const Req = kind === 'Tombstone' ? TombstoneReq : DeleteReq,
    Resp = kind === 'Tombstone' ? TombstoneResp : DeleteResp,
    q = new Req(),
    o = new Req.Options();
  o.setStreamIdentifier(sid(stream));
  o.setAny(new S.Empty());
  q.setOptions(o);
  const r = await unary(STREAMS + kind, Req, Resp, q);
  if (r.error) throw r.error;
}
/** append for preparing the next steps: printed only when it fails */
async function seed(stream, exp, events) {
  if (!main || main.ended) main = new Session();
  main.send({ corr: 'c98', stream, exp, events });
  const [a] = await main.take(1);
  if (!a?.r.hasSuccess()) log('SEED FAILED ' + stream, a ? await answerText(a.r) : 'no answer');
  return a?.r;
}
const ev = (id, o = {}) => ({ id, ...o });
const evs = (p, n, o = {}) => Array.from({ length: n }, (_, i) => ev(p + i, o));

// ---- Read -------------------------------------------------------------------------------------------------------------
/** stream+revision|all: start|end|{c,p}; filter {on: stream|type, prefix: [], regex, window: number|"count"|null, mult}; count: number|"subscription"|null */
function readRequest({
  stream,
  revision,
  all,
  backwards,
  count = 100,
  resolve,
  filter,
  noFilter = true,
  uuidForm = 'string',
  compat,
}) {
  const o = new ReadReq.Options();
  if (all === undefined) {
    const t = new ReadReq.Options.StreamOptions();
    if (stream !== null) t.setStreamIdentifier(sid(stream));
    if (revision === 'start') t.setStart(new S.Empty());
    else if (revision === 'end') t.setEnd(new S.Empty());
    else if (revision !== null) t.setRevision(String(revision ?? 0));
    o.setStream(t);
  } else {
    const t = new ReadReq.Options.AllOptions();
    if (all === 'start') t.setStart(new S.Empty());
    else if (all === 'end') t.setEnd(new S.Empty());
    else if (all) {
      const p = new ReadReq.Options.Position();
      p.setCommitPosition(String(all.c));
      p.setPreparePosition(String(all.p));
      t.setPosition(p);
    }
    o.setAll(t);
  }
  o.setReadDirection(backwards ? 1 : 0);
  o.setResolveLinks(!!resolve);
  if (count === 'subscription') o.setSubscription(new ReadReq.Options.SubscriptionOptions());
  else if (count !== null) o.setCount(String(count));
  if (filter) {
    const f = new ReadReq.Options.FilterOptions(),
      x = new ReadReq.Options.FilterOptions.Expression();
    if (filter.regex !== undefined) x.setRegex(filter.regex);
    if (filter.prefix) x.setPrefixList(filter.prefix);
    if (filter.on === 'type') f.setEventType(x);
    else if (filter.on !== null) f.setStreamIdentifier(x);
    if (filter.window === 'count') f.setCount(new S.Empty());
    else if (filter.window !== null) f.setMax(filter.window ?? 32);
    f.setCheckpointintervalmultiplier(filter.mult ?? 1);
    o.setFilter(f);
  } else if (noFilter) o.setNoFilter(new S.Empty());
  if (uuidForm) {
    const u = new ReadReq.Options.UUIDOption();
    u[uuidForm === 'string' ? 'setString' : 'setStructured'](new S.Empty());
    o.setUuidOption(u);
  }
  if (compat !== undefined) {
    const c = new ReadReq.Options.ControlOption();
    c.setCompatibility(compat);
    o.setControlOption(c);
  }
  const q = new ReadReq();
  q.setOptions(o);
  return q;
}
function read(options, { ms = 8000, on } = {}) {
  return new Promise((resolve) => {
    const messages = [];
    let cut = false;
    const call = client.makeServerStreamRequest(
      STREAMS + 'Read',
      (m) => Buffer.from(m.serializeBinary()),
      (b) => ReadResp.deserializeBinary(new Uint8Array(b)),
      readRequest(options),
      new grpc.Metadata(),
      {},
    );
    const t = setTimeout(() => {
      cut = true;
      call.cancel();
    }, ms);
    call.on('data', (m) => {
      messages.push(m);
      on?.(m, call);
    });
    call.on('error', () => {});
    call.on('status', (s) => {
      clearTimeout(t);
      resolve({
        messages,
        status: cut ? `NOT ENDED after ${ms / 1000} s (cancelled by us)` : status(s),
      });
    });
  });
}
let log_ = []; // every event of $all in order: {pos, name}
const at = (name) => log_.find((x) => x.name === name)?.pos;
const place = (c, p) => {
  const v = BigInt(c);
  let best = null;
  for (const x of log_) if (x.pos <= v) best = x;
  const rel = !best
    ? 'before all'
    : best.pos === v
      ? '= position of ' + best.name
      : best === log_[log_.length - 1]
        ? 'after the last event'
        : 'between ' + best.name + ' and the next';
  return (
    rel + (String(c) === String(p) ? '' : String(p) === '0' ? ', prepare 0' : ', prepare other')
  );
};
const key = (e) => (e ? `${nameOf(e.getStreamIdentifier())}@${e.getStreamRevision()}` : 'none');
function messageText(m) {
  const C = ReadResp.ContentCase;
  switch (m.getContentCase()) {
    case C.EVENT: {
      const x = m.getEvent();
      return key(x.getEvent()) + (x.hasLink() ? `(link ${key(x.getLink())})` : '');
    }
    case C.CHECKPOINT:
      return `CHECKPOINT(${place(m.getCheckpoint().getCommitPosition(), m.getCheckpoint().getPreparePosition())})`;
    case C.STREAM_NOT_FOUND:
      return `STREAM_NOT_FOUND(${nameOf(m.getStreamNotFound().getStreamIdentifier())})`;
    case C.FIRST_STREAM_POSITION:
      return `FIRST(${m.getFirstStreamPosition()})`;
    case C.LAST_STREAM_POSITION:
      return `LAST(${m.getLastStreamPosition()})`;
    case C.LAST_ALL_STREAM_POSITION:
      return `LAST_ALL(${place(m.getLastAllStreamPosition().getCommitPosition(), m.getLastAllStreamPosition().getPreparePosition())})`;
    case C.CONFIRMATION:
      return 'CONFIRMATION';
    case C.CAUGHT_UP:
      return 'CAUGHT_UP';
    case C.FELL_BEHIND:
      return 'FELL_BEHIND';
    default:
      return 'EMPTY MESSAGE';
  }
}
function shorten(texts) {
  // runs of one stream: s@1 s@2 s@3 -> s@1..3
  const out = [];
  for (const t of texts) {
    const m = /^([^( ]+)@(\d{1,9})$/.exec(t),
      p = out[out.length - 1];
    if (
      m &&
      p?.stream === m[1] &&
      Math.abs(+m[2] - p.last) === 1 &&
      (p.dir ?? +m[2] - p.last) === +m[2] - p.last
    ) {
      p.dir = +m[2] - p.last;
      p.last = +m[2];
    } else out.push(m ? { stream: m[1], first: +m[2], last: +m[2] } : { text: t });
  }
  return out.map((p) => p.text ?? `${p.stream}@${p.first}${p.dir ? '..' + p.last : ''}`).join(' ');
}
async function show(label, options, o) {
  const r = await read(options, o);
  log(
    label,
    `${r.messages.length} msg: ${shorten(r.messages.map(messageText)) || '-'} || ${r.status}`,
  );
  return r;
}

async function batchAppend() {
  section('BatchAppend: success, echo, position');
  await step('no_stream on missing, corr as string', [
    { corr: 'c1', stream: 'a', exp: 'no_stream', events: [ev('a0')] },
  ]);
  await step('exact 0, corr as structured', [
    {
      corr: 'c2',
      form: 'structured',
      stream: 'a',
      exp: 0,
      events: [ev('a1'), ev('a2', { form: 'structured' })],
    },
  ]);
  await step('any, existing', [{ corr: 'c3', stream: 'a', exp: 'any', events: [ev('a3')] }]);
  await step('any, missing', [{ corr: 'c4', stream: 'a-any', exp: 'any', events: [ev('aany')] }]);
  await step('stream_exists, existing', [
    { corr: 'c5', stream: 'a', exp: 'stream_exists', events: [ev('a4')] },
  ]);
  await step('same correlation id again, another append', [
    { corr: 'c5', stream: 'a', exp: 4, events: [ev('a5')] },
  ]);
  await step('unicode stream name', [
    { corr: 'c6', stream: 'ünï ☃', exp: 'no_stream', events: [ev('u0')] },
  ]);
  await step('octet-stream, empty data, metadata', [
    {
      corr: 'c7',
      stream: 'a',
      exp: 5,
      events: [
        ev('a6', {
          ct: 'application/octet-stream',
          data: Buffer.alloc(0),
          meta: Buffer.from([1, 2]),
        }),
      ],
    },
  ]);
  await step('unknown content-type', [
    { corr: 'c8', stream: 'a', exp: 6, events: [ev('a7', { ct: 'text/plain' })] },
  ]);
  await step('event id upper case', [
    { corr: 'c9', stream: 'a', exp: 7, events: [ev('a8', { rawId: uid('a8').toUpperCase() })] },
  ]);
  await show('read back', { stream: 'a', count: 100 });

  section('BatchAppend: expected revision against stream state (fresh event ids each time)');
  const states = {
    missing: async () => {},
    live: async (s) => {
      await seed(s, 'no_stream', evs(s, 2));
    },
    'soft-deleted': async (s) => {
      await seed(s, 'no_stream', evs(s, 2));
      await remove('Delete', s);
    },
    tombstoned: async (s) => {
      await seed(s, 'no_stream', evs(s, 2));
      await remove('Tombstone', s);
    },
    'metadata only': async (s) => {
      await seed('$$' + s, 'no_stream', [
        ev(s + 'm', { type: '$metadata', data: Buffer.from('{"$maxCount":5}') }),
      ]);
    },
  };
  for (const [state, prepare] of Object.entries(states))
    for (const exp of ['no_stream', 'any', 'stream_exists', 0, 1, 5]) {
      const s = `x-${state.replace(' ', '')}-${exp}`;
      await prepare(s);
      await step(
        `${state}${state === 'missing' || state === 'metadata only' ? '' : ' (last 1)'} exp ${exp}`,
        [{ corr: 'c1', stream: s, exp, events: [ev(s + 'n')] }],
      );
    }
  for (const exp of ['9223372036854775807', '18446744073709551615', '18446744073709551614'])
    await step(`missing exp ${exp}`, [
      { corr: 'c1', stream: 'x-huge-' + exp, exp, events: [ev('h' + exp)] },
    ]);

  section('BatchAppend: identical repeats and overlaps');
  const e = evs('i', 5);
  await seed('idem', 'no_stream', e.slice(0, 2));
  await seed('idem', 1, e.slice(2, 5));
  for (const [l, exp, list] of [
    ['e0e1 at no_stream', 'no_stream', e.slice(0, 2)],
    ['e2e3e4 at 1', 1, e.slice(2)],
    ['e2e3e4 at 1 again', 1, e.slice(2)],
    ['e2 at 1 (first part)', 1, [e[2]]],
    ['all five at no_stream (across appends)', 'no_stream', e],
    ['e0e1 any', 'any', e.slice(0, 2)],
    ['e4 any', 'any', [e[4]]],
    ['e4 stream_exists', 'stream_exists', [e[4]]],
    ['e4 at 3 (tail)', 3, [e[4]]],
    ['e4 at 4 (same id at the current revision)', 4, [e[4]]],
  ])
    await step('repeat ' + l, [{ corr: 'c2', stream: 'idem', exp, events: list }]);
  for (const [l, exp, list] of [
    ['e3 at 1 (hole)', 1, [e[3]]],
    ['e2e4 at 1 (hole)', 1, [e[2], e[4]]],
    ['e1e0 at no_stream (order)', 'no_stream', [e[1], e[0]]],
    ['e3e4+new at 2', 2, [e[3], e[4], ev('n1')]],
    ['new+e3 at 1', 1, [ev('n2'), e[3]]],
    ['new at 1', 1, [ev('n3')]],
    ['e0+new any', 'any', [e[0], ev('n4')]],
    ['new+e0 any', 'any', [ev('n5'), e[0]]],
  ])
    await step('overlap ' + l, [{ corr: 'c2', stream: 'idem', exp, events: list }]);
  await show('read back', { stream: 'idem', count: 100 });
  await seed('idem-del', 'no_stream', evs('id', 2));
  await remove('Delete', 'idem-del');
  await step('repeat on soft-deleted at no_stream', [
    { corr: 'c2', stream: 'idem-del', exp: 'no_stream', events: evs('id', 2) },
  ]);
  await seed('idem-tb', 'no_stream', evs('itb', 4));
  await seed('$$idem-tb', 'no_stream', [
    ev('itbm', { type: '$metadata', data: Buffer.from('{"$tb":3}') }),
  ]);
  await step('repeat on truncated ($tb 3) at no_stream', [
    { corr: 'c2', stream: 'idem-tb', exp: 'no_stream', events: evs('itb', 4) },
  ]);

  section('BatchAppend: no events');
  await seed('em', 'no_stream', evs('em', 3));
  for (const [s, exps] of [
    ['em-missing', ['no_stream', 'any', 'stream_exists', 0]],
    ['em', ['no_stream', 'any', 'stream_exists', 1, 2, 3]],
  ])
    for (const exp of exps)
      await step(`empty on ${s} (last ${s === 'em' ? 2 : 'none'}) exp ${exp}`, [
        { corr: 'c3', stream: s, exp, events: [] },
      ]);
  await show('read em-missing', { stream: 'em-missing' });

  section('BatchAppend: several frames per append');
  await step(
    'options+2 events | 1 event final',
    [
      { corr: 'c1', stream: 'f1', exp: 'no_stream', events: evs('f1', 2), final: false },
      { corr: 'c1', events: [ev('f12')] },
    ],
    1,
    { extra: 200 },
  );
  await step(
    'options only | events | empty final',
    [
      { corr: 'c2', stream: 'f2', exp: 'no_stream', final: false },
      { corr: 'c2', events: evs('f2', 2), final: false },
      { corr: 'c2' },
    ],
    1,
    { extra: 200 },
  );
  await step(
    'second frame repeats options with another stream and revision',
    [
      { corr: 'c3', stream: 'f3', exp: 'no_stream', events: [ev('f30')], final: false },
      { corr: 'c3', stream: 'f3-other', exp: 7, events: [ev('f31')] },
    ],
    1,
    { extra: 200 },
  );
  await step(
    'two correlation ids interleaved, c5 final first',
    [
      { corr: 'c4', stream: 'f4', exp: 'no_stream', events: [ev('f40')], final: false },
      { corr: 'c5', stream: 'f5', exp: 'no_stream', events: [ev('f50')], final: false },
      { corr: 'c4', events: [ev('f41')], final: false },
      { corr: 'c5', events: [ev('f51')] },
      { corr: 'c4', events: [ev('f42')] },
    ],
    2,
    { extra: 200 },
  );
  await step(
    'one id: first frame string, second structured',
    [
      { corr: 'c6', stream: 'f6', exp: 'no_stream', events: [ev('f60')], final: false },
      { corr: 'c6', form: 'structured', events: [ev('f61')] },
    ],
    1,
    { extra: 200 },
  );
  for (const s of ['f1', 'f2', 'f3', 'f3-other', 'f4', 'f5', 'f6'])
    await show('read ' + s, { stream: s });

  section('BatchAppend: pipelined without waiting, answers in order of arrival');
  await step(
    '8 appends to one stream, each at the right revision',
    Array.from({ length: 8 }, (_, i) => ({
      corr: 'c' + (i + 1),
      stream: 'p1',
      exp: i ? i - 1 : 'no_stream',
      events: [ev('p1' + i)],
    })),
    8,
    { brief: true },
  );
  await step(
    '8 appends to 8 streams',
    Array.from({ length: 8 }, (_, i) => ({
      corr: 'c' + (i + 1),
      stream: 'p2-' + i,
      exp: 'no_stream',
      events: [ev('p2' + i)],
    })),
    8,
    { brief: true },
  );
  {
    const s = new Session();
    s.send(
      { corr: 'c1', stream: 'p3', exp: 'no_stream', events: [ev('p30')] },
      { corr: 'c2', stream: 'p3', exp: 5, events: [ev('p3x')] },
      { corr: 'c3', stream: 'p3', exp: 0, events: [ev('p31')] },
      { corr: 'c4', stream: 'p3', exp: 9, events: [ev('p3y')] },
      { corr: 'c5', stream: 'p3', exp: 1, events: [ev('p32')] },
    );
    const got = await s.take(5),
      text = async (ok) => {
        const o = [];
        for (const a of got) if (a.r.hasSuccess() === ok) o.push(await answerText(a.r, true));
        return o.join(' | ');
      };
    log('ok, wrong, ok, wrong, ok to one stream: the successes in order', await text(true));
    log(
      'the same: the errors in order (an error may overtake the successes sent before it; seen both ways)',
      await text(false),
    );
    s.send(
      { corr: 'c6', stream: 'p5', exp: 'no_stream', events: [ev('p50')] },
      { corr: 'c7', stream: 'p5', exp: 'no_stream', events: [ev('p50')] },
      { corr: 'c8', stream: 'p5', exp: 0, events: [ev('p51')] },
    );
    const t = Date.now(),
      three = await s.take(3),
      of = (c) => three.find((a) => corrText(a.r.getCorrelationId()).includes(`(${c})`));
    log(
      'original, identical repeat at once, next append, all pipelined: the original and the next',
      (await answerText(of('c6').r, true)) + ' | ' + (await answerText(of('c8').r, true)),
    );
    const r = of('c7'),
      fine = r.r.hasSuccess()
        ? r.r.getSuccess().getCurrentRevision() === '0'
        : r.r.getError().getMessage() === 'Timeout' && r.at - t > 1500 && r.at - t < 4500;
    log(
      'the same: the repeat (race, seen both ways: SUCCESS current_revision:0, or ERROR Timeout after 2 to 4 s when the original was not committed yet)',
      fine ? 'one of the two' : await answerText(r.r),
    );
    s.send({ corr: 'c7', stream: 'p5', exp: 'no_stream', events: [ev('p50')] });
    log('the same repeat once more', await answerText((await s.take(1))[0].r));
    await show('read p5', { stream: 'p5' });
    s.close();
  }
  await step(
    'ok, bad (empty type), ok (answers sorted; the Timeout 2 s later)',
    [
      { corr: 'c1', stream: 'p4', exp: 'no_stream', events: [ev('p40')] },
      { corr: 'c2', stream: 'p4', exp: 0, events: [ev('p4x', { type: '' })] },
      { corr: 'c3', stream: 'p4', exp: 0, events: [ev('p41')] },
    ],
    3,
    { brief: true, sorted: true, extra: 2600 },
  );
  await show('read p3', { stream: 'p3' });
}

async function badAppends() {
  section(
    'BatchAppend: refused and odd frames, each on a call of its own, answers until 2.7 s after the last frame (delay after the first frame in whole seconds)',
  );
  const one = (corr, stream, o = {}, e = {}) => ({
    corr,
    stream,
    exp: 'no_stream',
    events: [ev(stream + '0', e)],
    ...o,
  });
  const big = (n, o = {}) => ({ data: Buffer.alloc(n, 49), ct: 'application/octet-stream', ...o });
  const list = [
    ['empty type', [one('c1', 'b1', {}, { type: '' })]],
    ['no type in metadata', [one('c1', 'b2', {}, { type: null })]],
    ['no content-type in metadata', [one('c1', 'b3', {}, { ct: null })]],
    ['nil event id', [one('c1', 'b4', {}, { rawId: '00000000-0000-0000-0000-000000000000' })]],
    ['event id no UUID', [one('c1', 'b5', {}, { rawId: 'nope' })]],
    ['event id absent', [one('c1', 'b6', {}, { id: null })]],
    ['event id in braces', [one('c1', 'b7', {}, { rawId: '{' + uid('br') + '}' })]],
    ['event id without dashes', [one('c1', 'b7b', {}, { rawId: uid('nd').replace(/-/g, '') })]],
    [
      'good + bad event in one frame',
      [
        {
          corr: 'c1',
          stream: 'b8',
          exp: 'no_stream',
          events: [ev('b80'), ev('b81', { type: '' })],
        },
      ],
    ],
    [
      'good + bad, then the corrected append under the SAME correlation id at once',
      [
        {
          corr: 'c1',
          stream: 'b9',
          exp: 'no_stream',
          events: [ev('b90'), ev('b91', { type: '' })],
        },
        100,
        { corr: 'c1', stream: 'b9', exp: 'no_stream', events: [ev('b90'), ev('b91')] },
      ],
    ],
    [
      'bad, then an empty final frame of the same id',
      [
        {
          corr: 'c1',
          stream: 'b10',
          exp: 'no_stream',
          events: [ev('b100'), ev('b101', { type: '' })],
        },
        100,
        { corr: 'c1' },
      ],
    ],
    [
      'bad event in a second frame without options',
      [
        { corr: 'c1', stream: 'b11', exp: 'no_stream', events: [ev('b110')], final: false },
        { corr: 'c1', events: [ev('b111', { type: '' })] },
      ],
    ],
    [
      'correlation id absent',
      [{ corr: null, stream: 'b12', exp: 'no_stream', events: [ev('b120')] }],
    ],
    ['correlation id absent, no options', [{ corr: null, events: [ev('b12b0')] }]],
    [
      'correlation id empty message',
      [{ corr: { unset: true }, stream: 'b13', exp: 'no_stream', events: [ev('b130')] }],
    ],
    [
      'correlation id no UUID',
      [{ corr: { text: 'nope' }, stream: 'b14', exp: 'no_stream', events: [ev('b140')] }],
    ],
    [
      'correlation id nil',
      [
        {
          corr: { text: '00000000-0000-0000-0000-000000000000' },
          stream: 'b15',
          exp: 'no_stream',
          events: [ev('b150')],
        },
      ],
    ],
    ['options missing in the only frame', [{ corr: 'c1', events: [ev('b160')] }]],
    [
      'options missing in the first frame, sent in the second',
      [
        { corr: 'c1', events: [ev('b170')], final: false },
        { corr: 'c1', stream: 'b17', exp: 'no_stream', events: [ev('b171')] },
      ],
    ],
    ['expected position not set', [{ corr: 'c1', stream: 'b18', events: [ev('b180')] }]],
    [
      'stream identifier not set',
      [{ corr: 'c1', stream: null, options: true, exp: 'no_stream', events: [ev('b190')] }],
    ],
    ['stream name empty', [{ corr: 'c1', stream: '', exp: 'no_stream', events: [ev('b200')] }]],
    ['stream $all', [{ corr: 'c1', stream: '$all', exp: 'any', events: [ev('b210')] }]],
    [
      'stream $$$$x (meta of meta)',
      [{ corr: 'c1', stream: '$$$$x', exp: 'any', events: [ev('b230')] }],
    ],
    ['stream $sys-user', [{ corr: 'c1', stream: '$sys-user', exp: 'any', events: [ev('b235')] }]],
    ['data 1048576 bytes', [one('c1', 'b24', {}, big(1048576))]],
    ['data 1048577 bytes', [one('c1', 'b25', {}, big(1048577))]],
    [
      'data 1048576 + metadata 1000',
      [one('c1', 'b26', {}, big(1048576, { meta: Buffer.alloc(1000) }))],
    ],
    [
      'two events of 524289',
      [
        {
          corr: 'c1',
          stream: 'b27',
          exp: 'no_stream',
          events: [ev('b270', big(524289)), ev('b271', big(524289))],
        },
      ],
    ],
    [
      'over the limit in the second of three frames',
      [
        {
          corr: 'c1',
          stream: 'b28',
          exp: 'no_stream',
          events: [ev('b280', big(700000))],
          final: false,
        },
        { corr: 'c1', events: [ev('b281', big(700000))], final: false },
        { corr: 'c1', events: [ev('b282')] },
      ],
    ],
    [
      'over the limit, wrong revision',
      [{ corr: 'c1', stream: 'b29', exp: 7, events: [ev('b290', big(1048577))] }],
    ],
    ['5 MiB in one event', [one('c1', 'b30', {}, big(5 << 20))]],
    ['20 MiB in one event', [one('c1', 'b31', {}, big(20 << 20))]],
    [
      'never final',
      [
        {
          corr: 'c1',
          form: 'string',
          stream: 'b32',
          exp: 'no_stream',
          events: [ev('b320')],
          final: false,
        },
      ],
    ],
    [
      'never final, corr structured',
      [
        {
          corr: 'c1',
          form: 'structured',
          stream: 'b33',
          exp: 'no_stream',
          events: [ev('b330')],
          final: false,
        },
      ],
    ],
    [
      'final frame 2.5 s after the first',
      [
        { corr: 'c1', stream: 'b34', exp: 'no_stream', events: [ev('b340')], final: false },
        2500,
        { corr: 'c1', events: [ev('b341')] },
      ],
    ],
    [
      'id reused: complete append, 1 s later a never-final one',
      [
        { corr: 'c1', stream: 'b35', exp: 'no_stream', events: [ev('b350')] },
        1000,
        { corr: 'c1', stream: 'b36', exp: 'no_stream', events: [ev('b360')], final: false },
      ],
    ],
    ['deadline absent', [one('c1', 'd1')]],
    ['deadline Timestamp 10 s ago', [one('c1', 'd2', { deadline: { ts: -10 } })]],
    ['deadline Timestamp +1 h', [one('c1', 'd3', { deadline: { ts: 3600 } })]],
    ['deadline Duration 0', [one('c1', 'd4', { deadline: { dur: 0 } })]],
    ['deadline Duration 5 s', [one('c1', 'd5', { deadline: { dur: 5 } })]],
    ['deadline Duration -1 s', [one('c1', 'd6', { deadline: { dur: -1 } })]],
    [
      'deadline Duration 1 s, never final',
      [one('c1', 'd7', { deadline: { dur: 1 }, final: false })],
    ],
    [
      'deadline Duration 5 s, never final',
      [one('c1', 'd8', { deadline: { dur: 5 }, final: false })],
    ],
    [
      'deadline Duration 0 with a bad event',
      [one('c1', 'd9', { deadline: { dur: 0 } }, { type: '' })],
    ],
    [
      'deadline Timestamp past with a wrong revision',
      [one('c1', 'd10', { exp: 9, deadline: { ts: -10 } })],
    ],
    ['bytes that are no protobuf', [Buffer.from([0x0a, 0xff, 0xff, 0xff])]],
    ['empty message', [Buffer.alloc(0)]],
  ];
  const after = [
    'b8',
    'b9',
    'b10',
    'b11',
    'b12',
    'b17',
    'b24',
    'b25',
    'b28',
    'b34',
    'd2',
    'd4',
    'd9',
  ];
  const large = ([l]) => / MiB| bytes$|524289|1048576|over the limit/.test(l); // they hold up the others
  const lines = new Map([
    ...(await Promise.all(list.filter((x) => !large(x)).map(([l, f]) => probe(l, f)))),
    ...(await Promise.all(list.filter(large).map(([l, f]) => probe(l, f)))),
  ]);
  for (const [l] of list) log(l, lines.get(l));
  for (const s of after) await show('then read ' + s, { stream: s });
  section('BatchAppend: half-close by the client, answers and end within 1.5 s');
  for (const [l, t] of await Promise.all([
    probe('half-close, one answer already received', [], { halfClose: true, ms: 1500 }),
    probe('half-close after a bad frame', [one('c1', 'h2', {}, { type: '' })], {
      halfClose: true,
      ms: 1500,
    }),
  ]))
    log(l, t);
  {
    const [, t] = await probe(
        '',
        [0, 1, 2].map((i) => ({
          corr: 'c' + (i + 1),
          stream: 'h3-' + i,
          exp: 'no_stream',
          events: [ev('h3' + i)],
        })),
        { halfClose: true, ms: 1500 },
      ),
      n = t.split('SUCCESS').length - 1,
      end = t.split(' || ')[1];
    log(
      'half-close directly after 3 appends (race: 1, 2 or 3 answers, then ended with OK, or all 3 and still open; all 3 are written)',
      n >= 1 && (end === 'call ended grpc 0 OK' || (n === 3 && /still open/.test(end)))
        ? 'one of these'
        : t,
    );
  }
  for (let i = 0; i < 3; i++) await show('then read h3-' + i, { stream: 'h3-' + i });
}

async function readAll() {
  section(
    'Read $all, counted, with a filter. Seed: pg-a@0..2, xx-a@0..39, pg-b@0..1, xx-b@0..69, pg-a@3..4, pg-lnk@0 (link to pg-b@1), pg-del@0..1 soft-deleted, pg-tomb@0..1 tombstoned, pg-tb@0..4 with $tb 3, pg-a@5..39, xx-c@0..9',
  );
  await seed('pg-a', 'no_stream', evs('pga', 3));
  await seed('xx-a', 'no_stream', evs('xxa', 40));
  await seed('pg-b', 'no_stream', evs('pgb', 2, { type: 'Typ-B' }));
  await seed('xx-b', 'no_stream', evs('xxb', 70));
  await seed('pg-a', 2, [ev('pga3'), ev('pga4')]);
  await seed('pg-lnk', 'no_stream', [
    ev('lnk', { type: '$>', data: Buffer.from('1@pg-b'), ct: 'application/octet-stream' }),
  ]);
  await seed('pg-del', 'no_stream', evs('pgdel', 2));
  await remove('Delete', 'pg-del');
  await seed('pg-tomb', 'no_stream', evs('pgtomb', 2));
  await remove('Tombstone', 'pg-tomb');
  await seed('pg-tb', 'no_stream', evs('pgtb', 5));
  await seed('$$pg-tb', 'no_stream', [
    ev('pgtbm', { type: '$metadata', data: Buffer.from('{"$tb":3}') }),
  ]);
  await seed('pg-a', 4, evs('pga-', 35));
  await seed('xx-c', 'no_stream', evs('xxc', 10));
  await sleep(500);
  const everything = (await read({ all: 'start', count: 100000 })).messages.filter((m) =>
    m.hasEvent(),
  );
  log_ = everything.map((m) => ({
    pos: BigInt(m.getEvent().getEvent().getCommitPosition()),
    name: key(m.getEvent().getEvent()),
  }));
  const P = (n, d = 0n) => ({ c: at(n) + d, p: at(n) + d }),
    pg = { on: 'stream', prefix: ['pg-'] },
    A = (label, o = {}, x) => show(label, { all: 'start', filter: pg, count: 100, ...o }, x),
    far = { c: 10n ** 15n, p: 10n ** 15n };
  const full = await A('prefix pg-, start, count 100');
  const sample = (m) => {
    const x = m.getEvent(),
      e = x.getEvent(),
      md = e.getMetadataMap();
    return `id ${caseName(S.UUID.ValueCase, e.getId().getValueCase())} metadata {${[...md.entries()]
      .map(([k, v]) => `${k}=${k === 'created' ? '<' + v.length + ' digits>' : v}`)
      .sort()
      .join(
        ', ',
      )}} data ${JSON.stringify(Buffer.from(e.getData_asU8()).toString())} custom ${e.getCustomMetadata_asU8().length} bytes; event commit ${place(e.getCommitPosition(), e.getPreparePosition())}; ReadEvent ${caseName(ReadResp.ReadEvent.PositionCase, x.getPositionCase())} ${x.hasNoPosition() ? '' : x.getCommitPosition() === (x.getLink() ?? e).getCommitPosition() ? '= commit of the event' : '!= commit of the event'}`;
  };
  for (const n of ['pg-a@0', 'pg-b@1', 'pg-lnk@0', 'pg-tomb@9223372036854775807']) {
    const m = full.messages.find((q) => q.hasEvent() && key(q.getEvent().getEvent()) === n);
    if (m) log('message of ' + n, sample(m));
  }
  log(
    'positions',
    `strictly rising ${log_.every((x, i) => !i || x.pos > log_[i - 1].pos)}, commit = prepare for all ${everything.every((m) => m.getEvent().getEvent().getCommitPosition() === m.getEvent().getEvent().getPreparePosition())}`,
  );
  for (const n of [1, 2, 3, 4, 5, 6, 7]) await A('count ' + n, { count: n });
  await A('count 1000000', { count: 1000000 });
  await A('count 18446744073709551615', { count: '18446744073709551615' });
  await A('from position of pg-a@1, count 3', { all: P('pg-a@1'), count: 3 });
  await A('from position of xx-a@5 (no match there), count 2', { all: P('xx-a@5'), count: 2 });
  await A('from position of the last match pg-a@39', { all: P('pg-a@39') });
  await A('from position of xx-c@0 (nothing after): empty page', { all: P('xx-c@0') });
  await A('no match at all: empty page', { filter: { prefix: ['zzz'] } });
  for (const [l, d] of [
    ['+1', 1n],
    ['-1', -1n],
    ['+7', 7n],
  ])
    await A(`from pg-a@1 position ${l} (no boundary), count 3`, { all: P('pg-a@1', d), count: 3 });
  await A('from commit of pg-a@1, prepare 0, count 2', {
    all: { c: at('pg-a@1'), p: 0n },
    count: 2,
  });
  await A('from commit of pg-a@1, prepare +5, count 2', {
    all: { c: at('pg-a@1'), p: at('pg-a@1') + 5n },
    count: 2,
  });
  await A('from commit of pg-a@1, prepare of pg-a@3, count 2', {
    all: { c: at('pg-a@1'), p: at('pg-a@3') },
    count: 2,
  });
  await A('from 0/0, count 2', { all: { c: 0n, p: 0n }, count: 2 });
  await A('from 18446744073709551615/same', { all: { c: 2n ** 64n - 1n, p: 2n ** 64n - 1n } });
  await A('from 2^63/same', { all: { c: 2n ** 63n, p: 2n ** 63n } });
  await A('from end', { all: 'end' });
  await A('from beyond the end', { all: far });
  await A('all option not set', { all: null, count: 2 });
  for (const w of [1, 32, 500, 2147483647, 'count', null])
    await A(`window ${w === null ? 'not set' : w === 'count' ? 'count{}' : 'max ' + w}, count 7`, {
      filter: { ...pg, window: w },
      count: 7,
    });
  for (const m of [0, 1, 4, 1000])
    await A(`checkpointIntervalMultiplier ${m}, window 1, count 7`, {
      filter: { ...pg, window: 1, mult: m },
      count: 7,
    });
  for (const w of [1, 32])
    await A(`no match at all, window ${w}, multiplier 1`, {
      filter: { prefix: ['zzz'], window: w },
    });
  await A('prefixes pg-b, xx-c, count 5', { filter: { prefix: ['pg-b', 'xx-c'] }, count: 5 });
  await A('prefixes pg-b, pg- (overlap), count 5', {
    filter: { prefix: ['pg-b', 'pg-'] },
    count: 5,
  });
  await A('prefix = whole name pg-b', { filter: { prefix: ['pg-b'] } });
  await A('prefix PG- (case)', { filter: { prefix: ['PG-'] } });
  await A('prefix empty string (matches all), from pg-a@0, count 2', {
    filter: { prefix: [''] },
    all: P('pg-a@0'),
    count: 2,
  });
  await A('no prefix, no regex', { filter: {}, all: P('pg-a@0'), count: 2 });
  await A('filter without expression', { filter: { on: null }, count: 2 });
  await A('regex ^pg-[ab]$, count 7', { filter: { regex: '^pg-[ab]$' }, count: 7 });
  await A('regex g-b (unanchored)', { filter: { regex: 'g-b$' } });
  await A('regex and prefix together', { filter: { regex: '^pg-b$', prefix: ['xx-c'] } });
  await A('regex invalid', { filter: { regex: '[' } });
  await A('type prefix Typ', { filter: { on: 'type', prefix: ['Typ'] } });
  await A('type regex ^Typ-B$', { filter: { on: 'type', regex: '^Typ-B$' } });
  await A('type prefix $> from pg-a@0', {
    filter: { on: 'type', prefix: ['$>'] },
    all: P('pg-a@0'),
  });
  await A('type prefix $metadata from pg-a@0', {
    filter: { on: 'type', prefix: ['$metadata'] },
    all: P('pg-a@0'),
  });
  await A('type prefix $streamDeleted from pg-a@0', {
    filter: { on: 'type', prefix: ['$streamDeleted'] },
    all: P('pg-a@0'),
  });
  await A('system events: stream prefix $ from pg-a@0', {
    filter: { prefix: ['$'] },
    all: P('pg-a@0'),
  });
  await A('type regex ^[^$] (no system events) from pg-lnk@0, count 6', {
    filter: { on: 'type', regex: '^[^\\$].*' },
    all: P('pg-lnk@0'),
    count: 6,
  });
  const sys = await read({ all: 'start', filter: { prefix: ['$'] }, count: 1000 });
  log(
    'system streams of an empty server (events before a@0)',
    [
      ...new Set(
        sys.messages
          .filter(
            (m) => m.hasEvent() && BigInt(m.getEvent().getEvent().getCommitPosition()) < at('a@0'),
          )
          .map(
            (m) =>
              nameOf(m.getEvent().getEvent().getStreamIdentifier()) +
              ':' +
              m.getEvent().getEvent().getMetadataMap().get('type'),
          ),
      ),
    ]
      .sort()
      .join(' ') || '-',
  );
  await A('no filter at all (no_filter), from pg-a@1, count 4', {
    filter: null,
    all: P('pg-a@1'),
    count: 4,
  });
  await A('no_filter, from end', { filter: null, all: 'end' });
  await A('no_filter, beyond the end', { filter: null, all: far });
  await A('no_filter, count 0', { filter: null, count: 0 }, { ms: 1200 });
  await A('resolve_links on, from pg-lnk@0, count 2', {
    all: P('pg-lnk@0'),
    resolve: true,
    count: 2,
  });
  {
    const r = await read({ all: P('pg-lnk@0'), resolve: true, filter: pg, count: 1 });
    if (r.messages[0])
      log(
        'message of the resolved link',
        `event ${key(r.messages[0].getEvent().getEvent())}, event commit ${place(r.messages[0].getEvent().getEvent().getCommitPosition(), r.messages[0].getEvent().getEvent().getPreparePosition())}; link commit ${place(r.messages[0].getEvent().getLink().getCommitPosition(), r.messages[0].getEvent().getLink().getPreparePosition())}; ReadEvent commit ${place(r.messages[0].getEvent().getCommitPosition(), r.messages[0].getEvent().getCommitPosition())}`,
      );
  }
  await A('resolve_links off, from pg-lnk@0, count 2', { all: P('pg-lnk@0'), count: 2 });
  await A('backwards from end, count 3', { all: 'end', backwards: true, count: 3 });
  await A('backwards from pg-a@1', { all: P('pg-a@1'), backwards: true });
  await A('backwards from pg-a@1 position +1', { all: P('pg-a@1', 1n), backwards: true });
  await A('backwards from pg-b@0, count 2', { all: P('pg-b@0'), backwards: true, count: 2 });
  await A('backwards from start', { backwards: true });
  await A('backwards from beyond the end, count 2', { all: far, backwards: true, count: 2 });
  await A('backwards, no match', { all: 'end', backwards: true, filter: { prefix: ['zzz'] } });
  await A('uuid option not set, count 1', { uuidForm: null, count: 1 }, { ms: 1200 }).then(
    (r) => r.messages[0] && log('its message', sample(r.messages[0])),
  );
  await A('uuid structured, count 1', { uuidForm: 'structured', count: 1 }).then(
    (r) => r.messages[0] && log('its message', sample(r.messages[0])),
  );
  for (const c of [0, 1, 2])
    await A(`control option compatibility ${c}, count 2`, { compat: c, count: 2 });
  await A('count option not set', { count: null });
  await A('filter option not set', { filter: null, noFilter: false, count: 2 });
  {
    let from = 'start',
      page = 0;
    for (; page < 12; page++) {
      const r = await read({ all: from, filter: pg, count: 10 }),
        list = r.messages.filter((m) => m.hasEvent());
      log(
        `paging by 10, page ${page + 1}`,
        `${shorten(r.messages.map(messageText)) || '-'} || ${r.status}`,
      );
      if (!list.length) break;
      const e = list[list.length - 1].getEvent(),
        next = { c: BigInt(e.getCommitPosition()), p: BigInt(e.getEvent().getPreparePosition()) };
      if (from !== 'start' && next.c === from.c) break;
      from = next;
    }
  }
  section(
    'the same filter as a subscription, for the messages that a counted read does not have (cut after 1 s)',
  );
  await A(
    'subscription prefix pg-, window 32, multiplier 1, from pg-a@0 (exclusive)',
    { all: P('pg-a@0'), count: 'subscription' },
    { ms: 1000 },
  );
  await A(
    'subscription no match, window 32, multiplier 2',
    { filter: { prefix: ['zzz'], mult: 2 }, all: P('xx-b@0'), count: 'subscription' },
    { ms: 1000 },
  );
  await A(
    'subscription prefix pg-, window 1, multiplier 0, from xx-c@0',
    { filter: { ...pg, window: 1, mult: 0 }, all: P('xx-c@0'), count: 'subscription' },
    { ms: 1000 },
  );
  section('counted filtered reads that the server may never end (cut after 1.2 s)');
  await A('count 0', { count: 0 }, { ms: 1200 });
  await A('window max 0', { filter: { ...pg, window: 0 }, count: 3 }, { ms: 1200 });
  await A(
    'window max 4294967295',
    { filter: { ...pg, window: 4294967295 }, count: 3 },
    { ms: 1200 },
  );
  await A('backwards, count 0', { all: 'end', backwards: true, count: 0 }, { ms: 1200 });
  await A('after these: prefix pg-, count 2', { count: 2 });
}

async function readStream() {
  section(
    'Read one stream (pg-a has 0..39, pg-tb 0..4 with $tb 3, pg-del soft-deleted at 2, pg-tomb tombstoned)',
  );
  const R = (label, o, x) => show(label, { stream: 'pg-a', ...o }, x);
  for (const compat of [undefined, 0, 1, 2]) {
    const c = compat === undefined ? '' : `, compatibility ${compat}`,
      o = { compat };
    await R('from 0, count 3' + c, { ...o, revision: 0, count: 3 });
    if (compat === 2) continue;
    await R('from 37, count 100' + c, { ...o, revision: 37 });
    await R('from 40 (last + 1)' + c, { ...o, revision: 40 });
    await R('from 100 (beyond the end)' + c, { ...o, revision: 100 });
    await R('missing stream' + c, { ...o, stream: 'nothing' });
    await R('missing stream from 5, backwards' + c, {
      ...o,
      stream: 'nothing',
      revision: 5,
      backwards: true,
    });
    await R('truncated from start' + c, { ...o, stream: 'pg-tb', revision: 'start' });
    await R('truncated from 1, count 1' + c, { ...o, stream: 'pg-tb', revision: 1, count: 1 });
    await R('truncated backwards from end' + c, {
      ...o,
      stream: 'pg-tb',
      revision: 'end',
      backwards: true,
    });
    await R('soft-deleted' + c, { ...o, stream: 'pg-del' });
    await R('tombstoned' + c, { ...o, stream: 'pg-tomb' });
  }
  await R('count 40 of 40 (more than one server batch)', { count: 40, compat: 1 });
  await R('count 33', { count: 33, compat: 1 });
  await R('from end forwards', { revision: 'end' });
  await R('backwards from end, count 2', { revision: 'end', backwards: true, count: 2 });
  await R('backwards from 100 (beyond), count 2', { revision: 100, backwards: true, count: 2 });
  await R('backwards from 2', { revision: 2, backwards: true });
  await R('backwards from start', { revision: 'start', backwards: true });
  await R('revision option not set', { revision: null, count: 2 });
  await R('count option not set', { count: null });
  await R('stream name empty', { stream: '' });
  await R('stream identifier not set', { stream: null });
  await R('filter on a stream', { filter: { prefix: ['pg-'] } });
  await R('filter option not set', { noFilter: false, count: 1 });
  await R('stream $all by name', { stream: '$all', count: 1 });
  await R('metadata stream $$pg-tb', { stream: '$$pg-tb' });
  await R('link resolved', { stream: 'pg-lnk', resolve: true });
  await R('revision 18446744073709551615', { revision: '18446744073709551615' });
  await R('count 0', { count: 0 }, { ms: 1200 });
}

/** where grpc-status travels: alone in the response headers (trailers-only) or after messages in trailers */
async function frames() {
  section('HTTP/2 level of Read: which headers carry the status');
  const h2 = http2.connect('http://127.0.0.1:' + port);
  h2.on('error', () => {});
  for (const [label, o] of [
    ['page with events', { all: 'start', filter: { prefix: ['pg-'] }, count: 2 }],
    ['empty page', { all: 'start', filter: { prefix: ['zzz'] } }],
    ['error', { stream: 'pg-tomb' }],
    ['missing stream', { stream: 'nothing' }],
  ])
    await new Promise((resolve) => {
      const body = Buffer.from(readRequest(o).serializeBinary()),
        head = Buffer.alloc(5);
      head.writeUInt32BE(body.length, 1);
      const out = [];
      let bytes = 0;
      const q = h2.request({
        ':method': 'POST',
        ':path': STREAMS + 'Read',
        'content-type': 'application/grpc',
        te: 'trailers',
      });
      const pick = (h) =>
        `:status ${h[':status'] ?? '-'} content-type ${h['content-type'] ?? '-'} grpc-status ${h['grpc-status'] ?? '-'} grpc-message ${h['grpc-message'] ?? '-'}`;
      q.on('response', (h, flags) =>
        out.push(`headers{${pick(h)}}${flags & 1 ? ' END_STREAM' : ''}`),
      );
      q.on('trailers', (h) => out.push((bytes ? 'data ' : 'no data ') + `trailers{${pick(h)}}`));
      q.on('data', (d) => {
        bytes += d.length;
      });
      q.on('error', () => {});
      q.on('close', () => {
        log(label, out.join(' '));
        resolve();
      });
      q.end(Buffer.concat([head, body]));
    });
  h2.close();
}
async function serverFeatures() {
  section('GetSupportedMethods and Gossip');
  const f = await unary(
    '/event_store.client.server_features.ServerFeatures/GetSupportedMethods',
    S.Empty,
    SupportedMethods,
    new S.Empty(),
  );
  if (f.error) log('GetSupportedMethods', status(f.error));
  else {
    log(
      'server version',
      f.value
        .getEventStoreServerVersion()
        .split('.')
        .map((x) => '#')
        .join('.'),
    );
    for (const t of f.value
      .getMethodsList()
      .map(
        (m) => `${m.getServiceName()} / ${m.getMethodName()} [${m.getFeaturesList().join(', ')}]`,
      )
      .sort())
      log('method', t);
  }
  const g = await unary(
    '/event_store.client.gossip.Gossip/Read',
    S.Empty,
    ClusterInfo,
    new S.Empty(),
  );
  if (g.error) log('Gossip', status(g.error));
  else
    for (const m of g.value.getMembersList()) {
      const age = Math.abs(Date.now() - Number(BigInt(m.getTimeStamp()) / 10000n));
      log(
        'member',
        `state ${caseName(MemberInfo.VNodeState, m.getState())} alive ${m.getIsAlive()} instance_id ${caseName(S.UUID.ValueCase, m.getInstanceId().getValueCase())} address ${m.getHttpEndPoint().getAddress()} port ${m.getHttpEndPoint().getPort() === port ? '= ours' : 'other'} time_stamp in ${age < 3600e3 ? 'ticks (100 ns) since 1970' : 'another unit'}`,
      );
    }
  const u = await unary(
    '/event_store.client.streams.Streams/NoSuchMethod',
    S.Empty,
    S.Empty,
    new S.Empty(),
  );
  log('unknown method', u.error ? status(u.error) : 'OK');
}

/** last, because it ends the process of a real 24.2.0 */
async function lastStep() {
  section('Last: append to the stream named $$ (metadata of nothing)');
  const s = new Session();
  s.send({ corr: 'c1', stream: '$$', exp: 'any', events: [ev('b220')] });
  const [a] = await s.take(1);
  log(
    'stream $$',
    a
      ? (await answerText(a.r)).replace(/ position \(.*/, ' position')
      : '(no answer) ' + (s.ended ? 'CALL ENDED' : ''),
  );
  await sleep(500);
  const r = await read({ stream: 'a', count: 1 }, { ms: 3000 });
  log('9 s later', r.status === 'grpc 0 OK' ? 'server alive' : 'SERVER GONE');
}
(async () => {
  await batchAppend();
  await badAppends();
  await readAll();
  await readStream();
  await frames();
  await serverFeatures();
  await lastStep();
  process.exit(0);
})().catch((e) => {
  console.error('FATAL', e);
  process.exit(1);
});
