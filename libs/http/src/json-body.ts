import type { FastifyInstance, FastifyRequest } from 'fastify';
import { pathOf } from './field-errors.js';
import { invalidRequest, Problem, problemDetails } from './problem.js';

const JSON_TYPES = [
  'application/json',
  'application/cloudevents+json',
  'application/cloudevents-batch+json',
];

/** As fast as a decoder that puts U+FFFD in the place of what is not UTF-8. */
const UTF8 = new TextDecoder('utf-8', { fatal: true });

type Done = (error: Error | null, body?: unknown) => void;
type ParseJson = (request: FastifyRequest, text: string, done: Done) => void;

/** Reads a body as JSON, as it is and in UTF-8; other types are 415. */
export function takeJsonOnly(fastify: FastifyInstance): void {
  fastify.removeContentTypeParser('text/plain');
  const parse = fastify.getDefaultJsonParser('error', 'error') as ParseJson;
  // Bytes, not a string: decoded already, what is not UTF-8 would stand there as U+FFFD.
  const options = { parseAs: 'buffer' } as const;
  fastify.addContentTypeParser(JSON_TYPES, options, (request, bytes: Buffer, done: Done) => {
    const { 'content-encoding': encoding = 'identity' } = request.headers;
    if (encoding.toLowerCase() !== 'identity') return done(notDecoded(encoding));
    const text = textOf(bytes);
    if (text === undefined) return done(invalidRequest([{ path: '', message: 'must be UTF-8' }]));
    return parse(request, text, (error, body) => {
      done(error && (reservedKeyIn(text) ?? error), body);
    });
  });
}

function textOf(bytes: Buffer): string | undefined {
  try {
    return UTF8.decode(bytes);
  } catch {
    return undefined;
  }
}

const notDecoded = (encoding: string) =>
  new Problem(
    problemDetails(
      415,
      'unsupported_media_type',
      `Content-Encoding: ${encoding} is not taken; send the body as it is`,
    ),
    { 'accept-encoding': 'identity' },
  );

interface Place {
  readonly value: unknown;
  readonly key?: PropertyKey;
  readonly parent?: Place;
}

/** The parser refuses keys that could reach a prototype, in the words for what is not JSON. */
function reservedKeyIn(text: string): Problem | undefined {
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch {
    return undefined;
  }
  // A list, not a recursion: a body may nest deeper than the stack is.
  const places: Place[] = [{ value: root }];
  for (let place = places.pop(); place !== undefined; place = places.pop()) {
    const { value } = place;
    if (typeof value !== 'object' || value === null) continue;
    for (const [name, child] of Object.entries(value)) {
      const inside: Place = {
        value: child,
        key: Array.isArray(value) ? +name : name,
        parent: place,
      };
      if (isReserved(inside)) {
        return invalidRequest([{ path: pathTo(inside), message: 'must not be used as a key' }]);
      }
      places.push(inside);
    }
  }
  return undefined;
}

const isReserved = ({ key, parent }: Place): boolean =>
  key === '__proto__' || (key === 'prototype' && parent?.key === 'constructor');

function pathTo(place: Place): string {
  const keys: PropertyKey[] = [];
  for (let at: Place | undefined = place; at?.key !== undefined; at = at.parent) keys.push(at.key);
  return pathOf(keys.reverse());
}
