import type { Pool, PoolClient } from 'pg';

/** Several statements that see the tables as they were at one moment. */
export async function inOneView<T>(
  pool: Pool,
  read: (client: PoolClient) => Promise<T>,
): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query('begin isolation level repeatable read, read only');
    const result = await read(client);
    await client.query('commit');
    client.release();
    return result;
  } catch (error) {
    client.release(true); // closing the connection ends the transaction, whatever state it is in
    throw error;
  }
}
