// Plays one sequence of operations against a server on 127.0.0.1:PORT (insecure, empty) and prints one line per step.
// node steps.mjs PORT prints what transcript-23.10.8.txt holds of a real server. Copied from the script that recorded it, but for
// two things: bad events go over a client of their own (the client does not survive the server's second answer to them), and
// a subscription is watched until it is quiet instead of for a fixed time.
import crypto from 'node:crypto';
import lib from '@eventstore/db-client';
const {
  jsonEvent,
  binaryEvent,
  NO_STREAM,
  ANY,
  STREAM_EXISTS,
  START,
  END,
  BACKWARDS,
  FORWARDS,
  streamNameFilter,
  eventTypeFilter,
  excludeSystemEvents,
} = lib;
/** Waits until the subscription whose messages fill `seen` has caught up or failed and then is quiet. */
const settled = async (seen) => {
  for (let length = -1, quiet = 0; ;) {
    await sleep(50);
    quiet = seen.length === length ? quiet + 50 : 0;
    length = seen.length;
    if (length > 0 && quiet >= (/^(CU|ERR)/.test(seen[length - 1]) ? 400 : 1200)) return;
  }
};
const sleep = (ms) => new Promise((r) => setTimeout(r, ms));
const CRED = { username: 'x', password: 'y' };
const client = (port, q = '') =>
  lib.EventStoreDBClient.connectionString(`esdb://127.0.0.1:${port}?tls=false${q}`);
const port = +process.argv[2];
const log = (l, v) => process.stdout.write(`${l} => ${v}\n`);
const uid = (s) => {
  const h = crypto.createHash('sha1').update(s).digest('hex');
  return `${h.slice(0, 8)}-${h.slice(8, 12)}-4${h.slice(13, 16)}-8${h.slice(17, 20)}-${h.slice(20, 32)}`;
};
const js = (v) =>
  JSON.stringify(v, (k, x) =>
    typeof x === 'bigint'
      ? x + 'n'
      : x instanceof Uint8Array || x?.type === 'Buffer'
        ? 'bytes' + (x.length ?? x.data.length)
        : x,
  );
const err = (e) =>
  'ERR ' +
  js({
    cls: e?.constructor?.name,
    type: e?.type,
    code: e?.code,
    exp: e?.expectedVersion,
    act: e?.actualVersion,
    stream: e?.streamName,
    max: e?.maxAppendSize,
    msg: e?.message?.replace(/\d{2,}/g, '#').slice(0, 200),
  });
(async () => {
  const c = client(port);
  let cur = '';
  const ev = (id, data = { id }, o = {}) =>
    jsonEvent({ id: uid(cur + id), type: o.type ?? 'T', data, ...o });
  const posOk = async (stream, r) => {
    if (!r.position) return 'nopos';
    try {
      for await (const x of c.readStream(stream, {
        direction: BACKWARDS,
        fromRevision: r.nextExpectedRevision,
        maxCount: 1,
      }))
        return x.event.position.commit === r.position.commit &&
          x.event.position.prepare === r.position.prepare
          ? 'pos=event'
          : 'pos!=event';
    } catch (e) {
      return 'pos/read:' + e.type;
    }
    return 'pos/none';
  };
  const drainStream = async (s, o = {}) => {
    const out = [];
    try {
      for await (const x of c.readStream(s, o))
        out.push(x.event.revision + ':' + (x.event.data?.id ?? typeof x.event.data));
    } catch (e) {
      return out.join(',') + ' ' + err(e);
    }
    return out.join(',') || '(empty)';
  };
  for (const [P, O] of [
    ['b', {}],
    ['c', { credentials: CRED }],
  ]) {
    cur = P;
    const nm = (s) => `diff${P}-${s}`;
    const A = async (label, s, evs, o = {}, on = c) => {
      try {
        const r = await on.appendToStream(nm(s), evs, { ...O, ...o });
        log(
          `${P} append ${label}`,
          'OK ' +
            js({ s: r.success, next: r.nextExpectedRevision }) +
            ' ' +
            (await posOk(nm(s), r)),
        );
        return r;
      } catch (e) {
        log(`${P} append ${label}`, err(e));
      }
    };
    const B = async (label, s, evs) => {
      const own = client(port);
      await A(label, s, evs, {}, own);
      await own.dispose();
    };
    const R = (l, s, o) => drainStream(nm(s), o).then((x) => log(`${P} read ${l}`, x));
    const E = (x) => ({ expectedRevision: x });
    for (const [n, x] of [
      ['no_stream', NO_STREAM],
      ['any', ANY],
      ['exists', STREAM_EXISTS],
      ['0', 0n],
      ['5', 5n],
    ]) {
      await A(`missing stream exp ${n}`, 'm' + n, ev('m' + n), E(x));
    }
    for (const [n, x] of [
      ['no_stream', NO_STREAM],
      ['any', ANY],
      ['exists', STREAM_EXISTS],
      ['0', 0n],
      ['1', 1n],
    ]) {
      const s = 'e' + n;
      await A(`seed`, s, ev(s), E(NO_STREAM));
      await A(`existing(rev0) exp ${n}`, s, ev(s + 'x'), E(x));
    }
    // idempotency matrix
    const s = 'idem';
    const e = [0, 1, 2, 3, 4].map((i) => ev('i' + i));
    await A('idem seed e0e1', s, [e[0], e[1]], E(NO_STREAM));
    await A('idem e2e3e4 at 1', s, [e[2], e[3], e[4]], E(1n));
    for (const [n, evs] of [
      ['e0', [e[0]]],
      ['e0e1', [e[0], e[1]]],
      ['e0e1e2', [e[0], e[1], e[2]]],
      ['all5', e],
      ['all5+new', [...e, ev('n1')]],
      ['e1e0', [e[1], e[0]]],
      ['e0,new', [e[0], ev('n2')]],
      ['new,e0', [ev('n3'), e[0]]],
    ])
      await A(`idem no_stream ${n}`, s, evs, E(NO_STREAM));
    for (const [n, evs] of [
      ['e2', [e[2]]],
      ['e2e3e4', [e[2], e[3], e[4]]],
      ['e2e3e4+new', [e[2], e[3], e[4], ev('n4')]],
      ['e3', [e[3]]],
      ['e2,e4', [e[2], e[4]]],
      ['new', [ev('n5')]],
      ['empty', []],
    ])
      await A(`idem exp1 ${n}`, s, evs, E(1n));
    for (const [n, evs] of [
      ['e4', [e[4]]],
      ['e0e1', [e[0], e[1]]],
      ['all5', e],
      ['e0,new', [e[0], ev('n6')]],
      ['new,e0', [ev('n7'), e[0]]],
      ['e0,e2', [e[0], e[2]]],
      ['e1e0', [e[1], e[0]]],
      ['empty', []],
    ])
      await A(`idem any ${n}`, s, evs, E(ANY));
    for (const [n, evs] of [
      ['e4', [e[4]]],
      ['e0,new', [e[0], ev('n8')]],
      ['empty', []],
    ])
      await A(`idem exists ${n}`, s, evs, E(STREAM_EXISTS));
    await R('idem', s);
    await A('idem current rev same id e4', 'idem2', [ev('z0'), ev('z1')], E(NO_STREAM));
    await A('z1 at current', 'idem2', [ev('z1')], E(1n));
    await A('z1 at 0', 'idem2', [ev('z1')], E(0n));
    await A('z1 any', 'idem2', [ev('z1')], E(ANY));
    await R('idem2', 'idem2');
    await A('same id in other stream', 'idem3', [ev('z0')], E(NO_STREAM));
    await A('dup ids in one append', 'idem4', [ev('d'), ev('d')], E(NO_STREAM));
    await A('dup retry', 'idem4', [ev('d'), ev('d')], E(NO_STREAM));
    await A('dup single any', 'idem4', [ev('d')], E(ANY));
    await R('idem4', 'idem4');
    // empty
    for (const [n, x] of [
      ['any', ANY],
      ['no_stream', NO_STREAM],
      ['exists', STREAM_EXISTS],
      ['0', 0n],
    ])
      await A(`empty on missing exp ${n}`, 'emptym', [], E(x));
    await R('emptym', 'emptym');
    for (const [n, x] of [
      ['any', ANY],
      ['no_stream', NO_STREAM],
      ['exists', STREAM_EXISTS],
      ['0', 0n],
      ['1', 1n],
      ['2', 2n],
    ])
      await A(`empty on idem2(rev2) exp ${n}`, 'idem2', [], E(x));
    // content
    await A('undefined-ish data', 'ct', [
      ev('u', {}),
      ev('n', null),
      ev('a', [1, 2]),
      ev('st', 'str'),
      ev('num', 5),
    ]);
    await A('binary + meta', 'ct', [
      binaryEvent({
        id: uid(P + 'bin'),
        type: 'Bin',
        data: Buffer.from([1, 2]),
        metadata: Buffer.from([3]),
      }),
      binaryEvent({ id: uid(P + 'bin2'), type: 'Bin', data: Buffer.alloc(0) }),
    ]);
    await A('json + json meta', 'ct', [ev('jm', { id: 1 }, { metadata: { a: 1 } })]);
    for await (const x of c.readStream(nm('ct'))) {
      const { created, position, ...rest } = x.event;
      log(
        `${P} event ${x.event.revision}`,
        js({
          ...rest,
          createdType: created?.constructor?.name,
          link: x.link,
          commit: typeof x.commitPosition,
          keys: Object.keys(x.event).sort().join(),
        }),
      );
    }
    await B('type empty', 'ty', ev('te', {}, { type: '' }));
    await A('type $sys', 'ty', ev('ts', {}, { type: '$foo' }));
    await A('type unicode', 'ty', ev('tu', {}, { type: 'тип-☃' }));
    await A('type 2000 long', 'ty', ev('tl', {}, { type: 'x'.repeat(2000) }));
    await A('id uppercase', 'ty', [{ ...ev('up'), id: uid(P + 'up').toUpperCase() }]);
    await B('id bad', 'ty', [{ ...ev('bad'), id: 'nope' }]);
    await B('id zero', 'ty', [{ ...ev('zero'), id: '00000000-0000-0000-0000-000000000000' }]);
    for await (const x of c.readStream(nm('ty')))
      log(
        `${P} ty`,
        x.event.revision +
          ' ' +
          x.event.type.slice(0, 20) +
          x.event.type.length +
          ' ' +
          (x.event.id === uid(P + 'up')),
      );
    try {
      await c.appendToStream('', ev('sn'), O);
      log(P + ' stream name empty', 'OK');
    } catch (x) {
      log(P + ' stream name empty', err(x));
    }
    try {
      const r = await c.appendToStream('$sys' + P, ev('sn2'), O);
      log(P + ' stream $sys', 'OK ' + r.nextExpectedRevision);
    } catch (x) {
      log(P + ' stream $sys', err(x));
    }
    try {
      const r = await c.appendToStream('$$nometa' + P, ev('sn3'), O);
      log(P + ' stream $$x', 'OK ' + r.nextExpectedRevision);
    } catch (x) {
      log(P + ' stream $$x', err(x));
    }
    try {
      const r = await c.appendToStream('ünï ☃ ' + P, ev('sn4'), O);
      log(
        P + ' stream unicode',
        'OK ' + r.nextExpectedRevision + (await drainStream('ünï ☃ ' + P)),
      );
    } catch (x) {
      log(P + ' stream unicode', err(x));
    }
    try {
      await c.appendToStream('$all', ev('sn5'), O);
      log(P + ' stream $all', 'OK');
    } catch (x) {
      log(P + ' stream $all', err(x));
    }
    // sizes
    const bin = (n, m = 0, t = 'B') =>
      binaryEvent({
        type: t,
        data: Buffer.alloc(n, 1),
        ...(m ? { metadata: Buffer.alloc(m, 2) } : {}),
      });
    for (const [l, x] of [
      ['1048576', [bin(1048576)]],
      ['1048577', [bin(1048577)]],
      ['1048576+meta 1000', [bin(1048576, 1000)]],
      ['0 + meta 1048577', [bin(0, 1048577)]],
      ['1 + meta 900000 x2', [bin(1, 900000), bin(1, 900000)]],
      ['2x524288', [bin(524288), bin(524288)]],
      ['2x524289', [bin(524289), bin(524289)]],
      ['long type', [bin(1048576, 0, 'B'.repeat(500))]],
      ['3 MiB one', [bin(3 << 20)]],
      ['5 MiB 500', Array.from({ length: 500 }, () => bin(10500))],
      ['4000 tiny', Array.from({ length: 4000 }, () => bin(10))],
      ['20 MiB one', [bin(20 << 20)]],
    ])
      await A('size ' + l, 'size', x);
    // metadata $tb, $maxCount, $maxAge
    const ten = (k) => Array.from({ length: 10 }, (_, i) => ev(k + i, { id: i }));
    await A('tb seed', 'tb', ten('tb'), E(NO_STREAM));
    const M = async (l, s2, m, o = {}) => {
      try {
        const r = await c.setStreamMetadata(nm(s2), m, o);
        log(`${P} meta ${l}`, 'OK ' + js({ n: r.nextExpectedRevision, p: !!r.position }));
      } catch (x) {
        log(`${P} meta ${l}`, err(x));
      }
      try {
        const g = await c.getStreamMetadata(nm(s2));
        log(
          `${P} getmeta ${l}`,
          js({
            m: g.metadata,
            revType: typeof g.metastreamRevision,
            small: g.metastreamRevision < 20n,
          }),
        );
      } catch (x) {
        log(`${P} getmeta ${l}`, err(x));
      }
    };
    await M('tb4', 'tb', { truncateBefore: 4 });
    await R('tb all', 'tb');
    await R('tb from 2', 'tb', { fromRevision: 2n });
    await R('tb from 2 max 3', 'tb', { fromRevision: 2n, maxCount: 3 });
    await R('tb back from 6', 'tb', { fromRevision: 6n, direction: BACKWARDS });
    await R('tb back from 3', 'tb', { fromRevision: 3n, direction: BACKWARDS });
    await R('tb start max 1', 'tb', { maxCount: 1 });
    await A('tb retry truncated', 'tb', ten('tb'), E(NO_STREAM));
    await A('tb retry trunc exp2', 'tb', ten('tb').slice(3, 5), E(2n));
    await M('tb beyond', 'tb', { truncateBefore: 100 });
    await R('tb beyond', 'tb');
    await A('after tb beyond exp 9', 'tb', ev('tbx'), E(9n));
    await R('tb beyond2', 'tb');
    await M('tb wrong rev', 'tb', { truncateBefore: 1 }, E(7n));
    await M('tb custom', 'tb', {
      custom: { a: 1 },
      maxAge: 1000,
      cacheControl: 5,
      acl: { readRoles: ['x'] },
    });
    await R('tb reset', 'tb');
    await A('mc seed', 'mc', ten('mc'), E(NO_STREAM));
    await M('mc3', 'mc', { maxCount: 3 });
    await R('mc', 'mc');
    await R('mc from 2 max 2', 'mc', { fromRevision: 2n, maxCount: 2 });
    await R('mc back', 'mc', { direction: BACKWARDS, fromRevision: END });
    await A('mc more', 'mc', ev('mcx', { id: 10 }));
    await R('mc after', 'mc');
    await A('ma seed', 'ma', ten('ma'), E(NO_STREAM));
    await M('ma 1s', 'ma', { maxAge: 1 });
    await sleep(2100);
    await R('ma expired', 'ma');
    await A('ma append exp 9', 'ma', ev('max', { id: 10 }), E(9n));
    await R('ma after', 'ma');
    await A('ma retry old', 'ma', ten('ma'), E(NO_STREAM));
    await M('metadata on missing stream', 'onlymeta', { maxCount: 5 });
    await A('only-meta exists', 'onlymeta', ev('om'), E(STREAM_EXISTS));
    await R('onlymeta', 'onlymeta');
    await M('metadata on missing 2', 'onlymeta2', { maxCount: 5 });
    await A('only-meta no_stream', 'onlymeta2', ev('om2'), E(NO_STREAM));
    await M('getmeta missing only', 'x', undefined).catch((x) => log('x', err(x)));
    try {
      log(P + ' getmeta none', js(await c.getStreamMetadata(nm('nothing'))));
    } catch (x) {
      log(P + ' getmeta none', err(x));
    }
    // reads
    await A('rd seed', 'rd', ten('rd'), E(NO_STREAM));
    for (const [l, o] of [
      ['start', {}],
      ['max0', { maxCount: 0 }],
      ['max 3', { maxCount: 3 }],
      ['from 9', { fromRevision: 9n }],
      ['from 10', { fromRevision: 10n }],
      ['from 100', { fromRevision: 100n }],
      ['from end fwd', { fromRevision: END }],
      ['back end', { fromRevision: END, direction: BACKWARDS }],
      ['back start', { fromRevision: START, direction: BACKWARDS }],
      ['back 0', { fromRevision: 0n, direction: BACKWARDS }],
      ['back 5 max 2', { fromRevision: 5n, direction: BACKWARDS, maxCount: 2 }],
      ['back 100', { fromRevision: 100n, direction: BACKWARDS }],
      ['back 100 max 3', { fromRevision: 100n, direction: BACKWARDS, maxCount: 3 }],
      ['back 12 max 5', { fromRevision: 12n, direction: BACKWARDS, maxCount: 5 }],
    ])
      await R(l, 'rd', o);
    await R('missing', 'nothing');
    await R('missing back', 'nothing', { direction: BACKWARDS, fromRevision: END });
    // delete
    const D = async (l, s2, x, tomb) => {
      try {
        const r = await c[tomb ? 'tombstoneStream' : 'deleteStream'](
          nm(s2),
          x === undefined ? O : { ...O, expectedRevision: x },
        );
        log(`${P} ${tomb ? 'tomb' : 'del'} ${l}`, 'OK ' + js({ pos: !!r.position }));
      } catch (y) {
        log(`${P} ${tomb ? 'tomb' : 'del'} ${l}`, err(y));
      }
    };
    for (const [l, x] of [
      ['any', ANY],
      ['no_stream', NO_STREAM],
      ['exists', STREAM_EXISTS],
      ['0', 0n],
    ]) {
      await D('missing ' + l, 'dm' + l, x, false);
      await R('dm', 'dm' + l);
      await D('missing ' + l, 'tm' + l, x, true);
      await R('tm', 'tm' + l);
      await A('after tm', 'tm' + l, ev('tm' + l));
    }
    for (const [l, x] of [
      ['any', ANY],
      ['default', undefined],
      ['no_stream', NO_STREAM],
      ['exists', STREAM_EXISTS],
      ['2', 2n],
      ['1', 1n],
      ['9', 9n],
    ])
      for (const tomb of [false, true]) {
        const s2 = 'd' + l + tomb;
        await A('d seed', s2, [ev(s2 + 0), ev(s2 + 1), ev(s2 + 2)], E(NO_STREAM));
        await D('existing ' + l, s2, x, tomb);
        await R('after del', s2);
      }
    for (const [l, x] of [
      ['no_stream', NO_STREAM],
      ['any', ANY],
      ['exists', STREAM_EXISTS],
      ['2', 2n],
      ['1', 1n],
      ['0', 0n],
    ]) {
      const s2 = 'sd' + l;
      await A(
        'sd seed',
        s2,
        [ev(s2 + 0, { id: 0 }), ev(s2 + 1, { id: 1 }), ev(s2 + 2, { id: 2 })],
        E(NO_STREAM),
      );
      await D('sd', s2, ANY, false);
      await D('sd again', s2, ANY, false);
      await A('sd then append new exp ' + l, s2, ev(s2 + 'n', { id: 'n' }), E(x));
      await R('sd then', s2);
      await A('sd then again at 3', s2, ev(s2 + 'n2', { id: 'n2' }), E(3n));
      try {
        log(P + ' sd meta', js((await c.getStreamMetadata(nm(s2))).metadata));
      } catch (y) {
        log('sd meta', err(y));
      }
      await A(
        'sd retry original seed',
        s2,
        [ev(s2 + 0, { id: 0 }), ev(s2 + 1, { id: 1 }), ev(s2 + 2, { id: 2 })],
        E(NO_STREAM),
      );
      await R('sd back', s2, { direction: BACKWARDS, fromRevision: END });
      await R('sd from 1', s2, { fromRevision: 1n });
    }
    {
      const s2 = 'sdret';
      const q = [ev('q0'), ev('q1')];
      await A('sdret seed', s2, q, E(NO_STREAM));
      await D('sdret', s2, ANY, false);
      await A('sdret retry of seed on a soft-deleted stream no_stream', s2, q, E(NO_STREAM));
      await R('sdret', s2);
      await A('sdret retry any', s2, q, E(ANY));
      await R('sdret', s2);
    }
    {
      const s2 = 'ts';
      const q = [ev('ts0'), ev('ts1')];
      await A('ts seed', s2, q, E(NO_STREAM));
      await D('ts', s2, ANY, true);
      for (const [l, x] of [
        ['no_stream', NO_STREAM],
        ['any', ANY],
        ['exists', STREAM_EXISTS],
        ['1', 1n],
        ['0', 0n],
      ]) {
        await A('tombstoned retry ' + l, s2, q, E(x));
        await A('tombstoned new ' + l, s2, ev('tsn' + l), E(x));
      }
      await A('tombstoned empty', s2, [], E(ANY));
      await R('ts', s2);
      await R('ts back', s2, { direction: BACKWARDS, fromRevision: END });
      await D('ts again', s2, ANY, true);
      await D('ts del', s2, ANY, false);
      await M('ts meta', 'ts', { maxCount: 1 });
    }
  }
  // $all reads (user streams of this run only), relative positions
  const all = [];
  for await (const x of c.readAll()) all.push(x);
  const user = all.filter((x) => x.event.streamId.startsWith('diff'));
  log('all user events', user.length);
  log(
    'all order',
    user
      .map((x) => x.event.streamId + '@' + x.event.revision + ':' + x.event.type.slice(0, 16))
      .slice(0, 100000)
      .join(' ').length +
      ' ' +
      crypto
        .createHash('sha1')
        .update(user.map((x) => x.event.streamId + '@' + x.event.revision).join(' '))
        .digest('hex')
        .slice(0, 8),
  );
  log(
    'all monotonic',
    all.every((x, i) => i === 0 || x.event.position.commit > all[i - 1].event.position.commit),
  );
  log(
    'commit=prepare',
    all.every((x) => x.event.position.commit === x.event.position.prepare),
  );
  log(
    '$streamDeleted in $all',
    all.filter((x) => x.event.type === '$streamDeleted').length +
      ' rev ' +
      all.find((x) => x.event.type === '$streamDeleted')?.event.revision,
  );
  log(
    '$metadata type',
    [
      ...new Set(
        all
          .filter((x) => x.event.streamId.startsWith('$$diff'))
          .map((x) => x.event.type + '/' + x.event.contentType),
      ),
    ].join(),
  );
  const mid = all.indexOf(user[20]);
  const at = all[mid].event.position;
  const key = (x) => x.event.streamId + '@' + x.event.revision;
  const RA = async (l, o) => {
    const out = [];
    try {
      for await (const x of c.readAll({ maxCount: 3, ...o }))
        out.push(key(x).replace(/^\$.*/, '$sys'));
    } catch (e) {
      out.push(err(e));
    }
    log('readAll ' + l, out.join(' '));
  };
  await RA('from event pos (incl?)', { fromPosition: at });
  await RA('from event pos +1', {
    fromPosition: { commit: at.commit + 1n, prepare: at.prepare + 1n },
  });
  await RA('from event pos -1', {
    fromPosition: { commit: at.commit - 1n, prepare: at.prepare - 1n },
  });
  await RA('back from event pos', { fromPosition: at, direction: BACKWARDS });
  await RA('back from pos+1', {
    fromPosition: { commit: at.commit + 1n, prepare: at.prepare + 1n },
    direction: BACKWARDS,
  });
  await RA('end fwd', { fromPosition: END });
  await RA('start back', { fromPosition: START, direction: BACKWARDS });
  await RA('beyond end', { fromPosition: { commit: 10n ** 15n, prepare: 10n ** 15n } });
  await RA('beyond end back', {
    fromPosition: { commit: 10n ** 15n, prepare: 10n ** 15n },
    direction: BACKWARDS,
  });
  await RA('prepare > commit', { fromPosition: { commit: at.commit, prepare: at.commit + 5n } });
  // links
  {
    await c.appendToStream('lk-src', [
      jsonEvent({ type: 'S', data: { n: 0 } }),
      jsonEvent({ type: 'S', data: { n: 1 } }),
    ]);
    await c.appendToStream('lk', [
      binaryEvent({ type: '$>', data: Buffer.from('0@lk-src') }),
      binaryEvent({ type: '$>', data: Buffer.from('7@lk-src') }),
      binaryEvent({ type: '$>', data: Buffer.from('0@nostream') }),
      jsonEvent({ type: 'P', data: 1 }),
    ]);
    for (const rl of [false, true]) {
      const o = [];
      for await (const x of c.readStream('lk', { resolveLinkTos: rl }))
        o.push(
          `${x.event?.type}/${x.event?.streamId}@${x.event?.revision} link:${x.link?.type}@${x.link?.revision}`,
        );
      log('links ' + rl, o.join(' | '));
    }
  }
  // subscriptions
  const sub = async (l, mk, act) => {
    const o = [];
    let s;
    try {
      s = mk();
      s.on('error', (e) => o.push(err(e)))
        .on('confirmation', () => o.push('conf'))
        .on('caughtUp', () => o.push('CU'))
        .on('fellBehind', () => o.push('FB'))
        .on('end', () => o.push('end'))
        .on('close', () => o.push('close'))
        .on('data', (x) => o.push(x.event ? key(x) : 'noevent(link)'));
      await settled(o);
      if (act) {
        await act(o);
        await settled(o);
      }
    } catch (e) {
      o.push('THROW ' + err(e));
    }
    log('sub ' + l, o.join(' '));
    try {
      await s?.unsubscribe();
    } catch {}
  };
  const S = (n, o) => () => c.subscribeToStream(n, o);
  await sub('stream start', S('diffc-rd', {}));
  await sub('stream from 3', S('diffc-rd', { fromRevision: 3n }));
  await sub('stream from 9 (last)', S('diffc-rd', { fromRevision: 9n }));
  await sub('stream from 100', S('diffc-rd', { fromRevision: 100n }), async () => {
    await c.appendToStream('diffc-rd', jsonEvent({ type: 'T', data: {} }));
  });
  await sub('stream end + append', S('diffc-rd', { fromRevision: END }), async () => {
    await c.appendToStream('diffc-rd', jsonEvent({ type: 'T', data: {} }));
  });
  await sub('missing stream + append', S('diff-late', {}), async (o) => {
    o.push('|');
    await c.appendToStream('diff-late', jsonEvent({ type: 'T', data: {} }));
  });
  await sub('soft-deleted stream', S('diffc-dmany', {}));
  await sub('soft deleted real', S('diffc-danyfalse', {}), async (o) => {
    o.push('|');
    await c.appendToStream('diffc-danyfalse', jsonEvent({ type: 'T', data: {} }));
  });
  await sub('tombstoned stream', S('diffc-ts', {}));
  await sub('truncated stream', S('diffc-mc', {}));
  await sub('delete while live', S('diff-late', {}), async (o) => {
    o.push('|soft');
    await c.deleteStream('diff-late');
    await sleep(500);
    o.push('|append');
    await c.appendToStream('diff-late', jsonEvent({ type: 'T', data: {} }));
    await sleep(500);
    o.push('|tomb');
    await c.tombstoneStream('diff-late');
  });
  await sub('links resolved', S('lk', { resolveLinkTos: true }));
  await sub('links raw', S('lk', {}));
  const lastUser = (p) => {
    let k = '(none)',
      n = 0;
    for (const x of user)
      if (x.event.position.commit <= p.commit) {
        k = key(x);
        n++;
      }
    return n + ':' + k;
  };
  // filtered subs: record order of checkpoint relative to events
  const fsub = async (l, mkFilter, o = {}, act) => {
    const out = [];
    let cp = 0,
      firstCp,
      lastCp,
      n = 0;
    const s = c.subscribeToAll({
      fromPosition: START,
      ...o,
      filter: mkFilter(async (_s, p) => {
        cp++;
        lastCp = lastUser(p);
        firstCp ??= lastCp;
        out.push('cp');
      }),
    });
    s.on('error', (e) => out.push(err(e)))
      .on('confirmation', () => out.push('conf'))
      .on('caughtUp', () => out.push('CU'))
      .on('data', (x) => {
        n++;
        out.push('e');
      });
    await settled(out);
    if (act) {
      out.push('|');
      await act();
      await settled(out);
    }
    log(
      'fsub ' + l,
      `events ${n} cps ${cp} first ${firstCp} last ${lastCp} seq ${out.join('').replace(/e+/g, (m) => 'e' + m.length + ' ')}`,
    );
    await s.unsubscribe();
  };
  await fsub('prefix diffb-rd,diffc-rd win32 int1', (f) =>
    streamNameFilter({
      prefixes: ['diffb-rd', 'diffc-rd'],
      maxSearchWindow: 32,
      checkpointInterval: 1,
      checkpointReached: f,
    }),
  );
  await fsub('prefix diff win32 int1', (f) =>
    streamNameFilter({
      prefixes: ['diff'],
      maxSearchWindow: 32,
      checkpointInterval: 1,
      checkpointReached: f,
    }),
  );
  await fsub('prefix none win32 int1', (f) =>
    streamNameFilter({
      prefixes: ['zzz'],
      maxSearchWindow: 32,
      checkpointInterval: 1,
      checkpointReached: f,
    }),
  );
  await fsub('prefix none win10 int5', (f) =>
    streamNameFilter({
      prefixes: ['zzz'],
      maxSearchWindow: 10,
      checkpointInterval: 5,
      checkpointReached: f,
    }),
  );
  await fsub('regex ^diffb-i', (f) =>
    streamNameFilter({ regex: '^diffb-i', checkpointReached: f }),
  );
  await fsub('type prefix T', (f) =>
    eventTypeFilter({ prefixes: ['T'], maxSearchWindow: 32, checkpointReached: f }),
  );
  await fsub('type regex ^B', (f) =>
    eventTypeFilter({ regex: '^Bi', maxSearchWindow: 32, checkpointReached: f }),
  );
  await fsub('excludeSystem', (f) =>
    excludeSystemEvents({ maxSearchWindow: 32, checkpointReached: f }),
  );
  await fsub(
    'from pos exclusive?',
    (f) => streamNameFilter({ prefixes: ['diffb-'], maxSearchWindow: 500, checkpointReached: f }),
    { fromPosition: user[20].event.position },
  );
  await fsub(
    'from END, live 100 nonmatching + 1 match',
    (f) =>
      streamNameFilter({
        prefixes: ['lv-'],
        maxSearchWindow: 10,
        checkpointInterval: 1,
        checkpointReached: f,
      }),
    { fromPosition: END },
    async () => {
      for (let i = 0; i < 50; i++)
        await c.appendToStream('other-x', jsonEvent({ type: 'T', data: {} }));
      await c.appendToStream('lv-1', jsonEvent({ type: 'T', data: {} }));
      for (let i = 0; i < 50; i++)
        await c.appendToStream('other-x', jsonEvent({ type: 'T', data: {} }));
    },
  );
  await fsub('two prefixes', (f) =>
    streamNameFilter({ prefixes: ['diffb-rd', 'lk'], checkpointReached: f }),
  );
  {
    const out = [];
    const s = c.subscribeToAll({ fromPosition: user[20].event.position });
    s.on('error', () => {}).on('data', (x) => out.length < 3 && out.push(key(x)));
    await settled(out);
    log('unfiltered $all from pos', out.join(' ') + ' (pos event was ' + key(user[20]) + ')');
    await s.unsubscribe();
  }
  {
    let got = [],
      s = c.subscribeToAll({ fromPosition: { commit: 10n ** 15n, prepare: 10n ** 15n } });
    s.on('error', (e) => got.push(err(e)))
      .on('caughtUp', () => got.push('CU'))
      .on('confirmation', () => got.push('conf'))
      .on('data', () => got.push('e'));
    await sleep(800);
    await c.appendToStream('other-x', jsonEvent({ type: 'T', data: {} }));
    await sleep(500);
    log('sub $all beyond end + append', got.join(' '));
  }
  process.exit(0);
})().catch((e) => {
  console.error('FATAL', e);
  process.exit(1);
});
process.on('unhandledRejection', (e) => {
  console.log('UNHANDLED ' + e?.message);
});
