import { accountKey, GENESIS, type AccountKey, type AccountRequest } from '#libs/contracts';
import type { AccountAnswer, AccountToLookUp } from '#libs/read-models';
import type { IncomingRequest, RequestsByAccount } from './incoming-requests.js';
import { unknownAccount, type KnownAccount } from './known-account.js';
import type { Index, ReadSide } from './read-side.js';

/** Answers for these accounts; the original decisions found for their requests go into `index`. */
export async function lookUp(
  by_account: RequestsByAccount,
  cached: ReadonlyMap<AccountKey, KnownAccount>,
  index: Index,
  read_side: ReadSide,
): Promise<ReadonlyMap<AccountKey, AccountAnswer>> {
  const accounts: AccountToLookUp[] = [];
  const incoming: IncomingRequest<AccountRequest>[] = [];
  for (const [key, queue] of by_account) {
    const { tenant_id, account_id } = queue[0]!.request;
    const head = cached.get(key)?.head.revision ?? GENESIS.revision;
    accounts.push({ key, tenant_id, account_id, head });
    incoming.push(...queue);
  }
  const requests = incoming.map(({ request }) => request);
  const answers = await read_side.lookUp({ accounts, requests });
  for (const [i, decision] of answers.decisions.entries()) {
    if (decision) index.set(incoming[i]!, decision);
  }
  return new Map(accounts.map(({ key }, i) => [key, answers.accounts[i]!]));
}

/** The account as the read side has it; undefined when its snapshot is of no use. */
export function atSnapshot(request: AccountRequest, row: AccountAnswer): KnownAccount | undefined {
  const { snapshot } = row;
  switch (snapshot.kind) {
    case 'not_newer':
      return unknownAccount(request);
    case 'unusable':
      return undefined;
    case 'account': {
      const { account, head } = snapshot;
      const key = accountKey(request.tenant_id, request.account_id);
      return { key, head, account, floor: head.revision, answers: new Map() };
    }
  }
}
