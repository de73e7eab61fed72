import streams from '@eventstore/db-client/generated/streams_pb.js';
import { identifier, recordedEvent, type UuidForm } from './messages.js';
import { firstVisible } from './rules.js';
import { revisionText, type Store, type StoredEvent } from './store.js';

type Answer = streams.ReadResp;

/** How events are put into messages. */
export interface EventForm {
  readonly uuid_form: UuidForm;
  readonly resolve_links: boolean;
}

export function event(store: Store, stored: StoredEvent, form: EventForm): Answer {
  const message = new streams.ReadResp.ReadEvent();
  if (form.resolve_links && stored.type === '$>') {
    message.setLink(recordedEvent(stored, form.uuid_form));
    const target = linked(store, stored);
    if (target !== undefined) message.setEvent(recordedEvent(target, form.uuid_form));
  } else {
    message.setEvent(recordedEvent(stored, form.uuid_form));
  }
  message.setCommitPosition(String(stored.position));
  const answer = new streams.ReadResp();
  answer.setEvent(message);
  return answer;
}

/** The event that a link names as "revision@stream", if it can be read. */
function linked(store: Store, link: StoredEvent): StoredEvent | undefined {
  const [revision, ...name] = link.data.toString('utf8').split('@');
  const stream = name.join('@');
  const at = Number(revision);
  return at < firstVisible(store, stream) ? undefined : store.stream(stream)?.events[at];
}

export function streamNotFound(stream: string): Answer {
  const message = new streams.ReadResp.StreamNotFound();
  message.setStreamIdentifier(identifier(stream));
  const answer = new streams.ReadResp();
  answer.setStreamNotFound(message);
  return answer;
}

export function firstStreamPosition(revision: number): Answer {
  const answer = new streams.ReadResp();
  answer.setFirstStreamPosition(revisionText(revision));
  return answer;
}

export function lastStreamPosition(revision: number): Answer {
  const answer = new streams.ReadResp();
  answer.setLastStreamPosition(revisionText(revision));
  return answer;
}

export function confirmation(id: string): Answer {
  const message = new streams.ReadResp.SubscriptionConfirmation();
  message.setSubscriptionId(id);
  const answer = new streams.ReadResp();
  answer.setConfirmation(message);
  return answer;
}

export function checkpoint(commit: number, prepare: number): Answer {
  const message = new streams.ReadResp.Checkpoint();
  message.setCommitPosition(String(commit));
  message.setPreparePosition(String(prepare));
  const answer = new streams.ReadResp();
  answer.setCheckpoint(message);
  return answer;
}

export function caughtUp(): Answer {
  const answer = new streams.ReadResp();
  answer.setCaughtUp(new streams.ReadResp.CaughtUp());
  return answer;
}
