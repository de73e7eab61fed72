/** Lines of a transcript that the double does not print as the real server's run did, and why. */
export interface Difference {
  readonly reason: string;
  /** What the double prints for a line of the transcript; null: nothing. */
  readonly lines: Readonly<Record<string, string | null>>;
}

/** The 672 lines of the client's own calls: none differs. */
export const CLIENT_DIFFERENCES: readonly Difference[] = [];

export const RAW_DIFFERENCES: readonly Difference[] = [
  {
    reason:
      'The double says that it has the services that it has: no persistent subscriptions, users, ' +
      'operations, monitoring, redaction.',
    lines: {
      'method => event_store.client.monitoring.monitoring / stats []': null,
      'method => event_store.client.operations.operations / mergeindexes []': null,
      'method => event_store.client.operations.operations / resignnode []': null,
      'method => event_store.client.operations.operations / restartpersistentsubscriptions []':
        null,
      'method => event_store.client.operations.operations / setnodepriority []': null,
      'method => event_store.client.operations.operations / shutdown []': null,
      'method => event_store.client.operations.operations / startscavenge []': null,
      'method => event_store.client.operations.operations / stopscavenge []': null,
      'method => event_store.client.persistent_subscriptions.persistentsubscriptions / create [stream, all]':
        null,
      'method => event_store.client.persistent_subscriptions.persistentsubscriptions / delete [stream, all]':
        null,
      'method => event_store.client.persistent_subscriptions.persistentsubscriptions / getinfo [stream, all]':
        null,
      'method => event_store.client.persistent_subscriptions.persistentsubscriptions / list [stream, all]':
        null,
      'method => event_store.client.persistent_subscriptions.persistentsubscriptions / read [stream, all]':
        null,
      'method => event_store.client.persistent_subscriptions.persistentsubscriptions / replayparked [stream, all]':
        null,
      'method => event_store.client.persistent_subscriptions.persistentsubscriptions / restartsubsystem [stream, all]':
        null,
      'method => event_store.client.persistent_subscriptions.persistentsubscriptions / update [stream, all]':
        null,
      'method => event_store.client.redaction.redaction / geteventpositions []': null,
      'method => event_store.client.redaction.redaction / switchchunks []': null,
      'method => event_store.client.users.users / changepassword []': null,
      'method => event_store.client.users.users / create []': null,
      'method => event_store.client.users.users / delete []': null,
      'method => event_store.client.users.users / details []': null,
      'method => event_store.client.users.users / disable []': null,
      'method => event_store.client.users.users / enable []': null,
      'method => event_store.client.users.users / resetpassword []': null,
      'method => event_store.client.users.users / update []': null,
    },
  },
  {
    reason: 'grpc-js sends an empty grpc-message beside status 0, where Kestrel sends none.',
    lines: {
      'page with events => headers{:status 200 content-type application/grpc grpc-status - grpc-message -} data trailers{:status - content-type - grpc-status 0 grpc-message -}':
        'page with events => headers{:status 200 content-type application/grpc grpc-status - grpc-message -} data trailers{:status - content-type - grpc-status 0 grpc-message }',
      'empty page => headers{:status 200 content-type application/grpc grpc-status 0 grpc-message -} END_STREAM':
        'empty page => headers{:status 200 content-type application/grpc grpc-status 0 grpc-message } END_STREAM',
      'missing stream => headers{:status 200 content-type application/grpc grpc-status - grpc-message -} data trailers{:status - content-type - grpc-status 0 grpc-message -}':
        'missing stream => headers{:status 200 content-type application/grpc grpc-status - grpc-message -} data trailers{:status - content-type - grpc-status 0 grpc-message }',
    },
  },
  {
    reason: 'What no service handles is answered by grpc-js, in its own words.',
    lines: {
      'unknown method => grpc 12 UNIMPLEMENTED "Method is unimplemented."':
        'unknown method => grpc 12 UNIMPLEMENTED ' +
        '"The server does not implement the method /event_store.client.streams.Streams/NoSuchMethod"',
    },
  },
];
