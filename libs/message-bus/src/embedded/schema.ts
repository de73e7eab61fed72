import type { Migration } from '#libs/platform';
import { migrate } from '#libs/platform';
import type pg from 'pg';

export const SCHEMA = 'bus';

/** Topics and their numbers, as the rows hold them. */
export interface Topics {
  /** Throws for a topic that this bus was not opened with. */
  readonly idOf: (topic: string) => number;
  readonly nameOf: (id: number) => string;
  readonly partitions: number;
}

/** The function from its name on; `last_at` is the time that a partition's next batch gets. */
const appendFunction = (last_at: string) =>
  `bus.append(p_topics int2[], p_partitions int4[], p_counts int4[], p_bytes int4[],
                           p_payloads text[])
returns table (r_index int8, r_base int8, r_at timestamptz) language plpgsql as $$
declare v_at timestamptz;
begin
  perform 1 from bus.partition b join unnest(p_topics, p_partitions) u(t, p)
    on b.topic = u.t and b.partition = u.p
  order by b.topic, b.partition for update of b;
  v_at := clock_timestamp();
  return query
  with counted as (
    update bus.partition b
    set next_offset = b.next_offset + u.n, last_at = ${last_at}
    from unnest(p_topics, p_partitions, p_counts, p_bytes, p_payloads)
      with ordinality u(t, p, n, bytes, payload, i)
    where b.topic = u.t and b.partition = u.p
    returning u.*, b.next_offset - u.n as base, b.last_at),
  written as (
    insert into bus.batch (topic, partition, base_offset, last_offset, at, bytes, payload)
    select t, p, base, base + n - 1, last_at, bytes, payload from counted)
  select i, base, last_at from counted;
end $$;
`;

/** Append only. */
const migrations: readonly Migration[] = [
  {
    name: 'record batches and offsets',
    sql: `
create table bus.topic (
  id int2 generated always as identity primary key,
  name text not null unique,
  partitions int4 not null
);

-- One hot row per partition: so much free space that every update stays on its page.
create table bus.partition (
  topic int2 not null,
  partition int4 not null,
  next_offset int8 not null default 0,
  last_at timestamptz not null default '-infinity',
  primary key (topic, partition)
) with (fillfactor = 10);

-- A row per partition and append, as Kafka stores it. The key is the last offset, so that a reader
-- in the middle of a batch finds it.
create table bus.batch (
  topic int2 not null,
  partition int4 not null,
  last_offset int8 not null,
  base_offset int8 not null,
  at timestamptz not null,
  bytes int4 not null,
  payload text not null,
  primary key (topic, partition, last_offset)
);
alter table bus.batch alter payload set storage external;

create table bus.consumer_group (
  id int4 generated always as identity primary key,
  name text not null unique
);

create table bus.consumer_offset (
  consumer_group int4 not null,
  topic int2 not null,
  partition int4 not null,
  next_offset int8,
  epoch int8 not null default 0,
  primary key (consumer_group, topic, partition)
) with (fillfactor = 10);

-- One call for everything that a process has queued. Offsets have no gaps, and readers see them in
-- order, because the counters are locked until the commit; in one order, so that two appends never
-- wait for each other. The time is taken under the lock: it never goes back within a partition.
create function ${appendFunction('greatest(b.last_at, v_at)')}`,
  },
  {
    // Every start used to take numbers for topics and groups that were there already.
    name: 'numbers go on from those in use',
    sql: `
select setval('bus.topic_id_seq', coalesce(max(id), 1), max(id) is not null) from bus.topic;
select setval('bus.consumer_group_id_seq', coalesce(max(id), 1), max(id) is not null)
from bus.consumer_group;
`,
  },
  {
    // Else one moment with the clock a year ahead would stamp whatever follows for a year.
    name: 'a clock that was put right is followed back',
    sql: `create or replace function ${appendFunction(
      `case when b.last_at > v_at + interval '1 minute' then v_at else greatest(b.last_at, v_at) end`,
    )}`,
  },
];

/** Brings the schema up to date and makes the topics; refuses another number of partitions. */
export async function prepare(
  pool: pg.Pool,
  names: readonly string[],
  partitions: number,
): Promise<Topics> {
  await migrate(pool, SCHEMA, migrations);
  // A row that conflicts has taken a number all the same, so only what is missing is tried.
  await pool.query(
    `with made as (
       insert into bus.topic (name, partitions)
       select wanted.name, $2 from unnest($1::text[]) wanted(name)
       where not exists (select from bus.topic t where t.name = wanted.name)
       on conflict (name) do nothing returning id)
     insert into bus.partition (topic, partition)
     select made.id, p from made cross join generate_series(0, $2 - 1) p`,
    [names, partitions],
  );
  const { rows } = await pool.query<{ id: number; name: string; partitions: number }>(
    'select id, name, partitions from bus.topic where name = any($1)',
    [names],
  );
  for (const row of rows) {
    if (row.partitions === partitions) continue;
    throw new Error(
      `topic ${row.name} has ${row.partitions} partitions, not ${partitions}: the number is fixed ` +
        'for life, because it decides which messages are in order',
    );
  }
  const ids = new Map(rows.map((row) => [row.name, row.id]));
  const byId = new Map(rows.map((row) => [row.id, row.name]));
  const found = <T>(value: T | undefined, topic: string | number): T => {
    if (value === undefined) throw new Error(`no such topic: ${topic}`);
    return value;
  };
  return {
    idOf: (topic) => found(ids.get(topic), topic),
    nameOf: (id) => found(byId.get(id), id),
    partitions,
  };
}
