/**
 * Arrays as `pg` parameters in Postgres' binary format: `pg` sends a Buffer as it is, which costs half
 * the CPU of array text and has no quoting rules. The statement must say the type (`$1::int8[]`, or the
 * signature of the function that it calls). Elements may be null; text must not hold NUL (U+0000),
 * which Postgres refuses.
 */
type Elements<T> = readonly (T | null)[];

const OID = { bytea: 17, int8: 20, int2: 21, int4: 23, text: 25, uuid: 2950 } as const;

const HEADER_BYTES = 20;
const LENGTH_BYTES = 4;
const NULL_LENGTH = -1;

/** The header, and where the first element goes. An array without elements has no dimension. */
function allocate(oid: number, elements: Elements<unknown>, data_bytes: number): Buffer {
  if (elements.length === 0) {
    const empty = Buffer.alloc(12);
    empty.writeInt32BE(oid, 8);
    return empty;
  }
  const buffer = Buffer.allocUnsafe(HEADER_BYTES + elements.length * LENGTH_BYTES + data_bytes);
  buffer.writeInt32BE(1, 0); // dimensions
  buffer.writeInt32BE(elements.includes(null) ? 1 : 0, 4);
  buffer.writeInt32BE(oid, 8);
  buffer.writeInt32BE(elements.length, 12);
  buffer.writeInt32BE(1, 16); // the first subscript
  return buffer;
}

function fixedWidth<T>(
  oid: number,
  width: number,
  elements: Elements<T>,
  write: (buffer: Buffer, element: T, at: number) => void,
): Buffer {
  let present = 0;
  for (const element of elements) if (element !== null) present++;
  const buffer = allocate(oid, elements, present * width);
  let at = HEADER_BYTES;
  for (const element of elements) {
    at = buffer.writeInt32BE(element === null ? NULL_LENGTH : width, at);
    if (element === null) continue;
    write(buffer, element, at);
    at += width;
  }
  return buffer;
}

export function textArray(elements: Elements<string>): Buffer {
  const lengths = elements.map((text) => (text === null ? NULL_LENGTH : Buffer.byteLength(text)));
  const data_bytes = lengths.reduce((sum, length) => sum + Math.max(length, 0), 0);
  const buffer = allocate(OID.text, elements, data_bytes);
  let at = HEADER_BYTES;
  for (const [index, text] of elements.entries()) {
    at = buffer.writeInt32BE(lengths[index] ?? NULL_LENGTH, at);
    if (text !== null) at += buffer.write(text, at);
  }
  return buffer;
}

export function byteaArray(elements: Elements<Uint8Array>): Buffer {
  const data_bytes = elements.reduce((sum, bytes) => sum + (bytes?.length ?? 0), 0);
  const buffer = allocate(OID.bytea, elements, data_bytes);
  let at = HEADER_BYTES;
  for (const bytes of elements) {
    at = buffer.writeInt32BE(bytes?.length ?? NULL_LENGTH, at);
    if (bytes === null) continue;
    buffer.set(bytes, at);
    at += bytes.length;
  }
  return buffer;
}

/** A bytea array from hexadecimal text. Throws RangeError for what is not. */
export function hexArray(elements: Elements<string>): Buffer {
  const digits = elements.reduce((sum, hex) => sum + (hex?.length ?? 0), 0);
  const buffer = allocate(OID.bytea, elements, digits / 2);
  let at = HEADER_BYTES;
  for (const hex of elements) {
    const length = hex === null ? NULL_LENGTH : hex.length / 2;
    if (!Number.isInteger(length)) throw new RangeError(`not hexadecimal: ${hex}`);
    at = buffer.writeInt32BE(length, at);
    if (hex === null) continue;
    if (buffer.write(hex, at, 'hex') !== length) throw new RangeError(`not hexadecimal: ${hex}`);
    at += length;
  }
  return buffer;
}

/** Throws RangeError for what does not fit into 16 bits. */
export const int2Array = (elements: Elements<number>): Buffer =>
  fixedWidth(OID.int2, 2, elements, (buffer, element, at) => {
    buffer.writeInt16BE(whole(element), at);
  });

/** Throws RangeError for what does not fit into 32 bits. */
export const int4Array = (elements: Elements<number>): Buffer =>
  fixedWidth(OID.int4, 4, elements, (buffer, element, at) => {
    buffer.writeInt32BE(whole(element), at);
  });

/** Throws RangeError for what does not fit into 64 bits, and for a number that is not a safe integer. */
export const int8Array = (elements: Elements<number | bigint>): Buffer =>
  fixedWidth(OID.int8, 8, elements, (buffer, element, at) => {
    if (typeof element === 'bigint') {
      buffer.writeBigInt64BE(element, at);
      return;
    }
    // Two 32-bit halves: several times faster than making a bigint of every number.
    const high = Math.floor(whole(element) / 0x1_0000_0000);
    buffer.writeInt32BE(high, at);
    buffer.writeUInt32BE(element - high * 0x1_0000_0000, at + 4);
  });

const UUID_BYTES = 16;

/** From text with hyphens or from 16 bytes. Throws RangeError for what is neither. */
export const uuidArray = (elements: Elements<string | Uint8Array>): Buffer =>
  fixedWidth(OID.uuid, UUID_BYTES, elements, (buffer, element, at) => {
    if (typeof element !== 'string') {
      if (element.length !== UUID_BYTES) throw new RangeError(`${element.length} bytes for a uuid`);
      buffer.set(element, at);
      return;
    }
    const hex = element.replaceAll('-', '');
    if (hex.length !== 2 * UUID_BYTES || buffer.write(hex, at, 'hex') !== UUID_BYTES) {
      throw new RangeError(`not a uuid: ${element}`);
    }
  });

function whole(element: number): number {
  if (!Number.isSafeInteger(element)) throw new RangeError(`not a safe integer: ${element}`);
  return element;
}
