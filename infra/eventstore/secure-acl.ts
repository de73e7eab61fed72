import { Command } from 'commander';
import { openEventStoreDb } from '#libs/event-store';
import { describeError, redact } from '#libs/platform';

const names = (text: string) => text.split(',').map((name) => name.trim());

const { writers, readers } = new Command('eventstore:acl')
  .description(
    'Closes the event store at EVENTSTORE_URL: only these users write and read, only ' +
      "administrators delete. The server's own default lets every user do everything. The URL must " +
      'name an administrator. Again is harmless.',
  )
  .requiredOption('--writers <users>', 'users or groups that append, separated by commas', names)
  .requiredOption('--readers <users>', 'those that only read', names)
  .parse()
  .opts<{ writers: string[]; readers: string[] }>();

const url = process.env['EVENTSTORE_URL'];
if (url === undefined || url === '') {
  process.stderr.write('eventstore:acl: EVENTSTORE_URL is not set\n');
  process.exit(2);
}

const store = await openEventStoreDb({
  url,
  on_failure: (error) => process.stderr.write(`${redact(String(error))}\n`),
});
try {
  const changed = await store.secureDefaultAcl({ writers, readers });
  process.stdout.write(changed ? 'the default access list is set\n' : 'it was set before\n');
} catch (error) {
  // Some of the client's errors have no message, but a name.
  const why = describeError(error) || (error as Error).constructor.name;
  process.stderr.write(`eventstore:acl: ${why}\n`);
  process.exitCode = 1;
} finally {
  await store.close();
}
