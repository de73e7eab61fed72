import type { PricedLine, Rounding } from '#libs/contracts';

const DIGITS = 9;
const SCALE = 10n ** BigInt(DIGITS);

const ROUNDED: Readonly<Record<Rounding, string>> = {
  up: 'rounded up',
  down: 'rounded down',
  half_even: 'rounded half to even',
};

/**
 * How the price of a line came about, in the words of every explanation: so many units, times the
 * credits per so many, rounded once, and the fixed part: `374 × 1 / 1,000 = 0.374, rounded up = 1`.
 * The price book that the price is of stands on the event, once for all of its lines.
 */
export function arithmeticOf(line: PricedLine): string {
  const { quantity, unit_credits, per, rounding, fixed = 0n, credits } = line;
  const amount = BigInt(quantity) * unit_credits;
  const product = `${grouped(quantity)} × ${grouped(unit_credits)}`;
  const divided = per === 1 ? product : `${product} / ${grouped(per)}`;
  const is_whole = amount % BigInt(per) === 0n;
  const exact = is_whole ? '' : ` ${quotient(amount, BigInt(per))}, ${ROUNDED[rounding]}`;
  const rounded = `${divided}${exact} = ${grouped(credits - fixed)}`;
  if (fixed === 0n) return rounded;
  return `${rounded}, and ${grouped(fixed)} fixed = ${grouped(credits)}`;
}

/** `= ` and a decimal of at most nine places; `≈ ` when it has more. */
function quotient(amount: bigint, by: bigint): string {
  const scaled = (amount * SCALE) / by;
  const exact = (amount * SCALE) % by === 0n;
  const places = (scaled % SCALE).toString().padStart(DIGITS, '0').replace(/0+$/, '');
  return `${exact ? '=' : '≈'} ${grouped(scaled / SCALE)}.${places || '0'}`;
}

const grouped = (value: number | bigint): string => value.toLocaleString('en-US');
