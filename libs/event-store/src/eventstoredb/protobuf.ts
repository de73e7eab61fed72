/**
 * As much of protobuf's wire format as the two hot messages need. Whole numbers are JavaScript numbers:
 * revisions and log positions stay below 2^53, and what does not is no safe integer afterwards.
 */

const BITS_31 = 0x7fff_ffff;

/** Bytes that a varint takes. */
export function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) size += 1;
  return size;
}

/** Writes a varint; returns the offset behind it. */
export function putVarint(bytes: Buffer, offset: number, value: number): number {
  let at = offset;
  let rest = value;
  while (rest > BITS_31) {
    bytes[at++] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
  }
  while (rest > 0x7f) {
    bytes[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[at++] = rest;
  return at;
}

/** Size of a length-delimited field with a tag of one byte. */
export const fieldSize = (length: number): number => 1 + varintSize(length) + length;

/** Writes such a field's tag and length; returns the offset of its content. */
export function putField(bytes: Buffer, offset: number, tag: number, length: number): number {
  bytes[offset] = tag;
  return putVarint(bytes, offset + 1, length);
}

/** A field's number and wire type, as one number. */
export const varintTag = (field: number): number => field * 8;
export const lengthTag = (field: number): number => field * 8 + 2;

/** Reads the fields of one message, which may lie within another. Throws on what is no message. */
export class MessageReader {
  #at: number;

  constructor(
    readonly bytes: Buffer,
    from = 0,
    readonly end = bytes.length,
  ) {
    this.#at = from;
    if (end > bytes.length) throw new RangeError('the message is cut off');
  }

  /** The next field's tag; 0 at the end. */
  tag(): number {
    return this.#at < this.end ? this.varint() : 0;
  }

  varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#at < this.end ? this.bytes[this.#at++] : undefined;
      if (byte === undefined) throw new RangeError('the message is cut off');
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }

  text(): string {
    const from = this.#content();
    return this.bytes.toString('utf8', from, this.#at);
  }

  /** Of ASCII alone, which is faster. */
  ascii(): string {
    const from = this.#content();
    return this.bytes.toString('latin1', from, this.#at);
  }

  message(): MessageReader {
    const from = this.#content();
    return new MessageReader(this.bytes, from, this.#at);
  }

  skip(tag: number): void {
    switch (tag & 7) {
      case 0:
        this.varint();
        return;
      case 1:
        return this.#advance(8);
      case 2:
        this.#content();
        return;
      case 5:
        return this.#advance(4);
      default:
        throw new RangeError(`wire type ${tag & 7}`);
    }
  }

  /** Goes behind the content of a length-delimited field; returns where it begins. */
  #content(): number {
    const length = this.varint();
    const from = this.#at;
    this.#advance(length);
    return from;
  }

  #advance(length: number): void {
    if (this.#at + length > this.end) throw new RangeError('the message is cut off');
    this.#at += length;
  }
}
