import { connect } from 'node:net';
import type { Service } from './keeper.js';

/** The address of a server of this test run, which starts it when it is the first to ask. */
export async function kept(service: Service): Promise<string> {
  const port = process.env['TEST_KEEPER'];
  if (port === undefined) throw new Error('Jest ran without its globalSetup, test/keeper-setup');
  const socket = connect(Number(port), '127.0.0.1').setEncoding('utf8');
  socket.write(service);
  let answer = '';
  for await (const chunk of socket) answer += chunk;
  const { address, error } = JSON.parse(answer) as { address?: string; error?: string };
  if (address === undefined) throw new Error(error);
  return address;
}
