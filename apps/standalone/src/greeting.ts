/** What a newcomer can paste after the first start. */
export const greeting = (url: string, key: string, data_dir: string): string => `
usage-ledger is ready on ${url}      API docs: ${url}/docs
The data is kept in ${data_dir}. Stop with Ctrl+C; what is acknowledged survives kill -9.

Development key (kept in the data directory; tenant dev):
  export LEDGER_DEV_KEY=${key}

Try it in another terminal:
  # 50 credits for an account
  curl -sw '\\n' ${url}/v1/accounts/acct-1/grants -H "Authorization: Bearer ${key}" \\
    -H 'Content-Type: application/json' -d '{"request_id":"grant-1","credits":"50","kind":"pack"}'
  # an image costs 20; sent twice, it is charged once
  curl -sw '\\n' ${url}/v1/usage -H "Authorization: Bearer ${key}" \\
    -H 'Content-Type: application/json' -d '{"request_id":"img-1","account_id":"acct-1","operation":"image.generation"}'
  # a video costs 100: rejected, with price and shortfall
  curl -sw '\\n' ${url}/v1/usage -H "Authorization: Bearer ${key}" \\
    -H 'Content-Type: application/json' -d '{"request_id":"vid-1","account_id":"acct-1","operation":"video.generation"}'
  # what is left, and why
  curl -sw '\\n' '${url}/v1/accounts/acct-1/balance?at_least=2' -H "Authorization: Bearer ${key}"
  curl -sw '\\n' ${url}/v1/accounts/acct-1/requests/img-1 -H "Authorization: Bearer ${key}"

`;
