import * as fs from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { StoredEvent } from './store.js';

/** Where the events of a server with `--dir` lie: groups of events, each of them whole or not there. */
export interface LogFile {
  readonly recovered: readonly StoredEvent[];
  /** Appends one group; it survives the death of the process and of the machine when this returns. */
  append(group: readonly StoredEvent[]): void;
  close(): void;
}

// A group: length of the payload, its checksum; the payload: length of the header, the header as JSON,
// and the bytes of all data and metadata one after the other.
const FRAME = 8;
const HEADER_LENGTH = 4;

type Header = (Omit<StoredEvent, 'data' | 'metadata'> & { data: number; metadata: number })[];

export function openLogFile(dir: string): LogFile {
  fs.mkdirSync(dir, { recursive: true });
  const path = join(dir, 'events.log');
  const file = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT);
  const { events, end } = recover(fs.readFileSync(path), path);
  fs.ftruncateSync(file, end);
  fs.fsyncSync(file);

  let at = end;
  return {
    recovered: events,
    append(group) {
      const bytes = encodeGroup(group);
      fs.writeSync(file, bytes, 0, bytes.length, at);
      fs.fdatasyncSync(file);
      at += bytes.length;
    },
    close: () => fs.closeSync(file),
  };
}

function encodeGroup(group: readonly StoredEvent[]): Buffer {
  const header: Header = group.map((event) => ({
    ...event,
    data: event.data.length,
    metadata: event.metadata.length,
  }));
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(HEADER_LENGTH);
  length.writeUInt32LE(json.length);
  const bytes = group.flatMap((event) => [event.data, event.metadata]);
  const payload = Buffer.concat([length, json, ...bytes]);
  const frame = Buffer.alloc(FRAME);
  frame.writeUInt32LE(payload.length, 0);
  frame.writeUInt32LE(crc32(payload), 4);
  return Buffer.concat([frame, payload]);
}

/**
 * The events of all whole groups and where they end. What follows is the group that was being written
 * when the process died: nobody was told that it is there. Throws when a damaged group is not the last.
 */
function recover(bytes: Buffer, path: string): { events: StoredEvent[]; end: number } {
  const events: StoredEvent[] = [];
  let at = 0;
  while (at + FRAME <= bytes.length) {
    const next = at + FRAME + bytes.readUInt32LE(at);
    if (next > bytes.length) break;
    const payload = bytes.subarray(at + FRAME, next);
    if (crc32(payload) !== bytes.readUInt32LE(at + 4)) {
      if (next === bytes.length) break;
      throw new Error(`${path}: the group at byte ${at} is damaged, and it is not the last one`);
    }
    events.push(...decodeGroup(payload));
    at = next;
  }
  return { events, end: at };
}

function decodeGroup(payload: Buffer): StoredEvent[] {
  let at = HEADER_LENGTH + payload.readUInt32LE(0);
  const header = JSON.parse(payload.toString('utf8', HEADER_LENGTH, at)) as Header;
  const take = (length: number) => payload.subarray(at, (at += length));
  return header.map((event) => ({
    ...event,
    data: take(event.data),
    metadata: take(event.metadata),
  }));
}
