import { withAdmin } from '#libs/message-bus';
import { describeError, parseConfiguration } from '#libs/platform';
import { accessEntries } from './access.js';

// This job opens nothing but Kafka, whatever the other two engines are.
const { message_bus } = parseConfiguration({
  ...process.env,
  EVENTSTORE_URL: 'embedded',
  POSTGRES_URL: 'embedded',
});
const acl = accessEntries();

try {
  if (message_bus.kind !== 'kafka') throw new Error('KAFKA_BROKERS names no brokers');
  await withAdmin({ ...message_bus, client_id: 'kafka-rights' }, (admin) =>
    admin.createAcls({ acl }),
  );
  process.stdout.write(`${acl.length} rights stand\n`);
} catch (error) {
  process.stderr.write(`kafka:rights: ${describeError(error)}\n`);
  process.exitCode = 1;
}
