interface Place {
  readonly account_id: string;
  readonly revision: number | null;
}

const FIRST_BYTES = 16;

/** A set of decisions: one bit for each event of an account, however many rows of the file are its. */
export class DecisionSet {
  readonly #accounts = new Map<string, Uint8Array>();

  /** False when it is in it already. What has no place on a stream is never in it. */
  add({ account_id, revision }: Place): boolean {
    if (revision === null) return true;
    const byte = revision >> 3;
    const bit = 1 << (revision & 7);
    const bits = this.#bitsFor(account_id, byte);
    const is_new = (bits[byte]! & bit) === 0;
    bits[byte]! |= bit;
    return is_new;
  }

  has({ account_id, revision }: Place): boolean {
    if (revision === null) return false;
    const byte = this.#accounts.get(account_id)?.[revision >> 3] ?? 0;
    return (byte & (1 << (revision & 7))) !== 0;
  }

  #bitsFor(account_id: string, byte: number): Uint8Array {
    const bits = this.#accounts.get(account_id);
    if (bits !== undefined && byte < bits.length) return bits;
    const larger = new Uint8Array(Math.max(byte + 1, FIRST_BYTES, 2 * (bits?.length ?? 0)));
    if (bits !== undefined) larger.set(bits);
    this.#accounts.set(account_id, larger);
    return larger;
  }
}
