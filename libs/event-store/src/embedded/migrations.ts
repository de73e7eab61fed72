import type { Migration } from '#libs/platform';

export const SCHEMA = 'events';

/**
 * Positions count up by one without a gap in the order of commits: they are given under a lock that
 * is held to the end of the transaction. So whoever has read up to a position has missed nothing
 * before it, and needs no look back. Event ids are unique only within a stream.
 */
const eventTable = `
create table event (
  position bigint primary key,
  stream text collate "C" not null,
  revision int not null,
  event_id uuid not null,
  type text not null,
  data text not null,
  meta text not null,
  unique (stream, revision)
);
-- What is too long for a row is moved out of it, but not compressed: that costs more than it saves.
alter table event alter data set storage external;
`;

/**
 * A plan made before the table's statistics know how large it has become would read and sort all of
 * it; pages of a log are read along an index, whatever the statistics say.
 */
const ALONG_INDEX = 'set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off';

/**
 * Appends to several streams in one round trip: p_streams, p_expected and p_counts have an element per
 * stream, the others one per event, stream by stream in the same order; p_owner is the index of the
 * event's stream, p_revision follows from the expected revision. One stream must not occur twice.
 *
 * When everything fits, one row with the position before the first event; else one row per stream with
 * the position before its first event, null when nothing was written for it.
 */
const appendFunction = `
create function append(
  p_streams text[], p_expected int[], p_counts int[],
  p_owner int[], p_stream text[], p_revision int[], p_id uuid[], p_type text[], p_data text[],
  p_meta text[]
) returns table (r_appended boolean, r_revision int, r_position bigint)
language plpgsql set enable_seqscan = off set enable_bitmapscan = off as $$
declare
  v_head bigint;
  v_actual int[];
  v_fits boolean[];
  v_call record;
  v_next bigint;
  v_first int := 1;
begin
  -- A statement of its own: the next one gets a snapshot that has seen the appends before this one.
  perform pg_advisory_xact_lock(1702260340, 0);
  select coalesce(max(e.position), 0) into v_head from events.event e;
  v_actual := array(
    select coalesce((select e.revision from events.event e where e.stream = s.stream
                     order by e.revision desc limit 1), -1)
    from unnest(p_streams) with ordinality s(stream, n) order by s.n);

  if v_actual = p_expected then
    insert into events.event (position, stream, revision, event_id, type, data, meta)
      select v_head + e.n, e.stream, e.revision, e.id, e.type, e.data, e.meta
      from unnest(p_stream, p_revision, p_id, p_type, p_data, p_meta)
        with ordinality e(stream, revision, id, type, data, meta, n);
    r_appended := true;
    r_position := v_head;
    return next;
    return;
  end if;

  v_next := v_head;
  for v_call in
    select * from unnest(p_streams, p_expected, p_counts, v_actual)
      with ordinality s(stream, expected, counted, actual, n) order by s.n
  loop
    v_fits[v_call.n] := v_call.actual = v_call.expected;
    r_appended := true;
    r_revision := v_call.expected + v_call.counted;
    r_position := null;
    if v_fits[v_call.n] then
      r_position := v_next;
      v_next := v_next + v_call.counted;
    elsif exists (
      select from unnest(p_id[v_first : v_first + v_call.counted - 1]) with ordinality g(id, n)
      where g.id is distinct from (select e.event_id from events.event e
        where e.stream = v_call.stream and e.revision = v_call.expected + g.n::int))
    then
      r_appended := false;
      r_revision := v_call.actual;
    end if;
    v_first := v_first + v_call.counted;
    return next;
  end loop;

  insert into events.event (position, stream, revision, event_id, type, data, meta)
    select v_head + row_number() over (order by e.n),
      e.stream, e.revision, e.id, e.type, e.data, e.meta
    from unnest(p_owner, p_stream, p_revision, p_id, p_type, p_data, p_meta)
      with ordinality e(owner, stream, revision, id, type, data, meta, n)
    where v_fits[e.owner];
end $$;
`;

const EVENT_COLUMNS = 'e.position, e.stream, e.revision, e.event_id, e.type, e.data, e.meta';
const EVENT_TABLE = `(r_position bigint, r_stream text, r_revision int, r_event_id uuid, r_type text,
  r_data text, r_meta text)`;

/** Bytes of data on the page before this event. */
const bytesBefore = (order: string) =>
  `sum(octet_length(e.data)) over (order by e.${order}) - octet_length(e.data)`;

/**
 * A page ends before p_bytes of data are exceeded, but has at least one event. Of all streams: first a
 * row with the end of the log alone, as its position, then the events up to it.
 */
const readingFunctions = `
create function page_of_all(
  p_after bigint, p_until bigint, p_prefix text, p_count int, p_bytes bigint
) returns table ${EVENT_TABLE} language plpgsql stable ${ALONG_INDEX} as $$
begin
  select coalesce(max(e.position), 0) into r_position from events.event e;
  return next;
  return query
    select ${EVENT_COLUMNS} from (
      select e.*, ${bytesBefore('position')} as before
      from events.event e
      where e.position > p_after and e.position <= least(r_position, p_until)
        and left(e.stream, length(p_prefix)) = p_prefix
      order by e.position limit p_count
    ) e where e.before < p_bytes;
end $$;

create function page_of_stream(p_stream text, p_from int, p_count int, p_bytes bigint)
returns table ${EVENT_TABLE} language plpgsql stable ${ALONG_INDEX} as $$
begin
  return query
    select ${EVENT_COLUMNS} from (
      select e.*, ${bytesBefore('revision')} as before
      from events.event e where e.stream = p_stream and e.revision >= p_from
      order by e.revision limit p_count
    ) e where e.before < p_bytes;
end $$;

create function last_of_stream(p_stream text)
returns table ${EVENT_TABLE} language plpgsql stable ${ALONG_INDEX} as $$
begin
  return query
    select ${EVENT_COLUMNS} from events.event e
    where e.stream = p_stream order by e.revision desc limit 1;
end $$;
`;

export const MIGRATIONS: readonly Migration[] = [
  { name: 'event table', sql: eventTable },
  { name: 'append function', sql: appendFunction },
  { name: 'reading functions', sql: readingFunctions },
];
