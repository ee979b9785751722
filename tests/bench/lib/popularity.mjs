// Which keys are asked for: Zipf's law, as popularity of pages is.
import { randomFrom } from './entries.mjs';

/** A function that draws keys 0 … keys - 1, with `skew` as Zipf's exponent. */
export function zipf(keys, skew, seed) {
  const cumulated = new Float64Array(keys);
  let sum = 0;
  for (let i = 0; i < keys; i += 1) cumulated[i] = sum += (i + 1) ** -skew;
  const random = randomFrom(seed);
  return () => {
    const wanted = random() * sum;
    let low = 0;
    let high = keys - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (cumulated[middle] < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

// What a shop consists of: of twenty keys so many of each shape.
const MIX = [['page-4', 12], ['fetch-2', 7], ['page-40', 1]].flatMap(([shape, count]) => Array(count).fill(shape));

/** The shape of a key of the mixed load; neighbours in rank differ. */
export const shapeOf = (key) => MIX[(key * 7) % MIX.length];
