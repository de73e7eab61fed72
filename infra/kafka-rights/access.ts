import { GROUPS, TOPICS, type Topic } from '#libs/contracts';
import kafkajs, { type AclEntry } from 'kafkajs';

interface Rights {
  /** Its user at the brokers. */
  readonly user: string;
  readonly reads: readonly Topic[];
  readonly writes: readonly Topic[];
  /** Groups that it joins. */
  readonly joins?: readonly string[];
  /** Groups whose offsets it looks at. */
  readonly watches?: readonly string[];
}

const { usage, requests, decisions, dead_letters } = TOPICS;

/** What each process does on the message bus, and therefore all that it may do. */
export const RIGHTS: readonly Rights[] = [
  {
    user: 'usage-gateway',
    reads: [decisions],
    writes: [requests],
    // Its readiness asks for offsets, to see that the brokers answer.
    watches: [GROUPS.writer],
  },
  {
    user: 'ledger-writer',
    reads: [usage, requests],
    // Requests: what has fallen due, asked for by the sweep.
    writes: [decisions, dead_letters, requests],
    joins: [GROUPS.writer],
  },
  { user: 'projector', reads: [dead_letters], writes: [], joins: [GROUPS.dead_letters] },
  { user: 'finance-api', reads: [], writes: [] },
  {
    user: 'reconcile',
    reads: [usage, requests, dead_letters],
    // A redriven dead letter goes back to the topic on which it stood.
    writes: [usage, requests],
    watches: [GROUPS.writer, GROUPS.dead_letters],
  },
  // Who may publish usage may not mint credits.
  { user: 'product', reads: [], writes: [usage] },
];

const { AclOperationTypes: may, AclResourceTypes: of } = kafkajs;

/** As entries for the brokers: everything that is not among them is refused. */
export const accessEntries = (): AclEntry[] => RIGHTS.flatMap(entriesOf);

function entriesOf({ user, reads, writes, joins = [], watches = [] }: Rights): AclEntry[] {
  const entry = (type: number, name: string, operation: number): AclEntry => ({
    principal: `User:${user}`,
    host: '*',
    permissionType: kafkajs.AclPermissionTypes.ALLOW,
    operation,
    resourceType: type,
    resourceName: name,
    resourcePatternType: kafkajs.ResourcePatternTypes.LITERAL,
  });
  return [
    // Every process checks partitions and settings of all topics before it starts.
    ...Object.values(TOPICS).flatMap((topic) => [
      entry(of.TOPIC, topic, may.DESCRIBE),
      entry(of.TOPIC, topic, may.DESCRIBE_CONFIGS),
    ]),
    ...reads.map((topic) => entry(of.TOPIC, topic, may.READ)),
    ...writes.map((topic) => entry(of.TOPIC, topic, may.WRITE)),
    ...joins.map((group) => entry(of.GROUP, group, may.READ)),
    ...watches.map((group) => entry(of.GROUP, group, may.DESCRIBE)),
  ];
}
