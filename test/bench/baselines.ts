import type { Pool } from 'pg';
import type { Runner } from './round.js';
import { uuidOf, type BenchRequest, type Totals } from './workload.js';

/** What teams build first: a balance column and a table of requests. */
const SCHEMA = `
create table account(id text primary key, balance bigint not null check (balance >= 0),
  seq bigint not null default 0) with (fillfactor = 50);
create table ledger(account_id text not null, request_id uuid not null, seq bigint not null default 0,
  operation text not null, units bigint not null check (units > 0), outcome text not null,
  balance_after bigint, created_at timestamptz not null default now(),
  primary key (account_id, request_id));

-- One set-based call per batch: arrival order kept per account, exact greedy accept or reject.
create function consume_batch(p_accounts text[], p_reqs uuid[], p_ops text[], p_units bigint[])
returns int language plpgsql as $$
declare r record; v_acc text; v_bal bigint; v_seq bigint; n int := 0;
  o_acc text[]; o_req uuid[]; o_op text[]; o_units bigint[]; o_seq bigint[]; o_out text[]; o_bal bigint[];
begin
  perform 1 from account where id = any(p_accounts) order by id for update;
  for r in
    select u.*, a.balance, a.seq as seq0
    from (select distinct on (t.account_id, t.request_id) t.*
          from unnest(p_accounts, p_reqs, p_ops, p_units)
            with ordinality as t(account_id, request_id, operation, units, ord)
          order by t.account_id, t.request_id, t.ord) u
    join account a on a.id = u.account_id
    where not exists (select 1 from ledger l
                      where l.account_id = u.account_id and l.request_id = u.request_id)
    order by u.account_id, u.ord
  loop
    if v_acc is distinct from r.account_id then
      v_acc := r.account_id; v_bal := r.balance; v_seq := r.seq0;
    end if;
    v_seq := v_seq + 1; n := n + 1;
    if r.units <= v_bal then v_bal := v_bal - r.units; o_out := o_out || 'consumed'::text;
    else o_out := o_out || 'rejected'::text; end if;
    o_acc := o_acc || r.account_id; o_req := o_req || r.request_id; o_op := o_op || r.operation;
    o_units := o_units || r.units; o_seq := o_seq || v_seq; o_bal := o_bal || v_bal;
  end loop;
  if n = 0 then return 0; end if;
  insert into ledger(account_id, request_id, operation, units, seq, outcome, balance_after)
    select * from unnest(o_acc, o_req, o_op, o_units, o_seq, o_out, o_bal);
  update account a set balance = t.bal, seq = t.seq
    from (select distinct on (x.acc) x.acc, x.bal, x.seq
          from unnest(o_acc, o_bal, o_seq) as x(acc, bal, seq) order by x.acc, x.seq desc) t
    where a.id = t.acc;
  return n;
end $$;`;

/** A request as the table takes it. */
const rowOf = (request: BenchRequest): BenchRequest => ({
  ...request,
  request_id: uuidOf(request.request_id),
});

const INITIAL_BALANCE = 1_000_000_000_000;
const CLIENTS = 32;
const BATCH = 500;

async function prepare(pool: Pool, accounts: number): Promise<void> {
  await pool.query(SCHEMA);
  await pool.query(
    `insert into account(id, balance) select 'acct-' || i, $1 from generate_series(0, $2 - 1) i`,
    [INITIAL_BALANCE, accounts],
  );
}

async function totals(pool: Pool): Promise<Totals> {
  const { rows } = await pool.query<{ unique: string; credits: string }>(
    `select count(*)::text as unique, coalesce(sum(units), 0)::text as credits
     from ledger where outcome = 'consumed'`,
  );
  return { unique: Number(rows[0]!.unique), credits: Number(rows[0]!.credits) };
}

/** DIY naive: a transaction of four round trips per request, 32 clients. */
export async function naiveBaseline(pool: Pool, accounts: number): Promise<Runner> {
  await prepare(pool, accounts);
  return {
    totals: () => totals(pool),
    prepare(requests) {
      const rows = requests.map(rowOf);
      return async () => {
        let next = 0;
        const client = async () => {
          const connection = await pool.connect();
          try {
            while (next < rows.length) await consumeOne(connection, rows[next++]!);
          } finally {
            connection.release();
          }
        };
        await Promise.all(Array.from({ length: CLIENTS }, client));
      };
    },
  };
}

async function consumeOne(
  connection: { query(sql: string, values?: unknown[]): Promise<{ rowCount: number | null }> },
  { account_id, request_id, operation, credits }: BenchRequest,
): Promise<void> {
  await connection.query('begin');
  const inserted = await connection.query(
    `insert into ledger(account_id, request_id, operation, units, outcome)
     values ($1, $2, $3, $4, 'consumed') on conflict (account_id, request_id) do nothing`,
    [account_id, request_id, operation, credits],
  );
  if (inserted.rowCount === 0) {
    await connection.query('rollback');
    return;
  }
  const charged = await connection.query(
    `update account set balance = balance - $2, seq = seq + 1
     where id = $1 and balance >= $2 returning balance`,
    [account_id, credits],
  );
  if (charged.rowCount === 0) {
    await connection.query(
      `update ledger set outcome = 'rejected' where account_id = $1 and request_id = $2`,
      [account_id, request_id],
    );
  }
  await connection.query('commit');
}

/** DIY batched: the smartest SQL, one set-based call per 500 requests, one client. */
export async function batchedBaseline(pool: Pool, accounts: number): Promise<Runner> {
  await prepare(pool, accounts);
  return {
    totals: () => totals(pool),
    prepare(requests) {
      const rows = requests.map(rowOf);
      return async () => {
        for (let at = 0; at < rows.length; at += BATCH) {
          const batch = rows.slice(at, at + BATCH);
          await pool.query('select consume_batch($1, $2, $3, $4)', [
            batch.map(({ account_id }) => account_id),
            batch.map(({ request_id }) => request_id),
            batch.map(({ operation }) => operation),
            batch.map(({ credits }) => credits),
          ]);
        }
      };
    },
  };
}
