import { accountKey, accountStream } from '#libs/contracts';
import type { EventReader } from '#libs/event-store';
import { unparkAccount } from '#libs/read-models';
import type { Pool } from 'pg';
import { EXIT, NotFound, type ExitCode } from '../exit-code.js';
import type { Output } from '../output.js';
import { foldStream } from '../fold-stream.js';

/**
 * Lets an account be decided again. Its stream is folded first: throws InvariantBroken, and leaves it
 * parked, when the account still contradicts itself.
 */
export async function unpark(
  ports: { readonly pool: Pool; readonly store: Pick<EventReader, 'readStream'> },
  { tenant_id, account_id }: { readonly tenant_id: string; readonly account_id: string },
  out: Output,
): Promise<ExitCode> {
  const key = accountKey(tenant_id, account_id);
  let revision = -1;
  for await (const { head } of foldStream(ports.store, accountStream(key))) ({ revision } = head);
  if (!(await unparkAccount(ports.pool, tenant_id, account_id))) {
    throw new NotFound(`${key} is not parked`);
  }
  out.report('unparked', { tenant_id, account_id, revision }, () =>
    [
      `${key} is decided again; its stream folds up to revision ${revision}`,
      `its dead letters: usage-ledger redrive --account ${account_id} --tenant ${tenant_id}`,
    ].join('\n'),
  );
  return EXIT.fine;
}
