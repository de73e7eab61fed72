import type { PricedLine, Rounding } from '#libs/contracts';
import { grouped } from '../table.js';

const DIGITS = 9;
const SCALE = 10n ** BigInt(DIGITS);

const ROUNDED: Readonly<Record<Rounding, string>> = {
  up: 'rounded up',
  down: 'rounded down',
  half_even: 'rounded half to even',
};

/** How a line's price came about: `374 × 1 / 1,000 = 0.374, rounded up = 1`. */
export function lineArithmetic(line: PricedLine): string {
  const { quantity, unit_credits, per, rounding, fixed = 0n, credits } = line;
  const amount = BigInt(quantity) * unit_credits;
  const product = `${grouped(quantity)} × ${grouped(unit_credits)}`;
  const divided = per === 1 ? product : `${product} / ${grouped(per)}`;
  const is_whole = amount % BigInt(per) === 0n;
  const rounded = is_whole ? '' : ` ${quotient(amount, BigInt(per))}, ${ROUNDED[rounding]} =`;
  if (fixed === 0n) return `${divided} =${rounded} ${grouped(credits)}`;
  const variable = grouped(credits - fixed);
  return `${divided} =${rounded} ${variable}, and ${grouped(fixed)} fixed = ${grouped(credits)}`;
}

/** As a decimal of at most nine places; `≈` when it has more. */
function quotient(amount: bigint, by: bigint): string {
  const scaled = (amount * SCALE) / by;
  const exact = (amount * SCALE) % by === 0n;
  const places = (scaled % SCALE).toString().padStart(DIGITS, '0').replace(/0+$/, '');
  return `${exact ? '' : '≈ '}${grouped(scaled / SCALE)}.${places || '0'}`;
}
