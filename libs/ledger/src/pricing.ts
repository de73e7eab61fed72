import {
  MAX_CREDITS,
  type Credits,
  type OperationId,
  type Price,
  type PriceBook,
  type PricedLine,
  type Rounding,
  type UsageItem,
} from '#libs/contracts';

type Quote =
  | { readonly kind: 'priced'; readonly lines: PricedLine[]; readonly credits: Credits }
  | { readonly kind: 'unknown_operation'; readonly operation: OperationId }
  | { readonly kind: 'price_too_large' };

/** What the items cost by this price book. Each line is rounded once; the lines are summed exactly. */
export function quote(items: readonly UsageItem[], price_book: PriceBook): Quote {
  const lines: PricedLine[] = [];
  let credits = 0n;
  for (const { operation, quantity } of items) {
    const price = priceOf(price_book, operation);
    if (!price) return { kind: 'unknown_operation', operation };
    const line = priceLine(operation, quantity, price);
    lines.push(line);
    credits += line.credits;
  }
  if (credits > MAX_CREDITS) return { kind: 'price_too_large' };
  return { kind: 'priced', lines, credits };
}

/** An operation may be called `constructor`: what every object inherits is no price. */
const priceOf = ({ prices }: PriceBook, operation: OperationId): Price | undefined =>
  Object.hasOwn(prices, operation) ? prices[operation] : undefined;

/** round(quantity × credits / per) + fixed. */
export const priceLine = (operation: OperationId, quantity: number, price: Price): PricedLine => ({
  operation,
  quantity,
  credits:
    divide(BigInt(quantity) * price.credits, BigInt(price.per), price.rounding) +
    (price.fixed ?? 0n),
  unit_credits: price.credits,
  per: price.per,
  rounding: price.rounding,
  ...(price.fixed !== undefined && { fixed: price.fixed }),
});

/** Whole-number division of a non-negative amount. `half_even`: a tie goes to the even neighbour. */
export function divide(amount: bigint, by: bigint, rounding: Rounding): bigint {
  const down = amount / by;
  const rest = amount % by;
  if (rest === 0n) return down;
  switch (rounding) {
    case 'down':
      return down;
    case 'up':
      return down + 1n;
    case 'half_even': {
      const twice = rest * 2n;
      if (twice === by) return down % 2n === 0n ? down : down + 1n;
      return twice > by ? down + 1n : down;
    }
  }
}
