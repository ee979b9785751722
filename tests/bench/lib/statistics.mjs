// Medians with their spread.

function quantile(sorted, part) {
  const at = (sorted.length - 1) * part;
  const below = Math.floor(at);
  const above = Math.ceil(at);
  if (sorted[below] === sorted[above]) return sorted[below]; // both may be infinite
  return sorted[below] + (sorted[above] - sorted[below]) * (at - below);
}

/** {median, low, high}: the quartiles of the rounds. */
export function summary(values) {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  if (sorted.length === 0) return undefined;
  return { median: quantile(sorted, 0.5), low: quantile(sorted, 0.25), high: quantile(sorted, 0.75) };
}

/** Of a round's a by the same round's b, so that a slow moment of the machine hits both. */
export const pairedRatio = (a, b) => summary(a.slice(0, b.length).map((value, round) => value / b[round]));

/** Three digits that count, as people write them. */
export function digits(value) {
  if (value === undefined) return '–';
  if (value === Infinity) return 'never';
  if (value === 0) return '0';
  const size = Math.floor(Math.log10(Math.abs(value)));
  return size >= 2 ? String(Math.round(value)) : value.toFixed(Math.min(3, 2 - size));
}

export function withSpread(found) {
  if (!found || found.low === found.high) return digits(found?.median);
  return `${digits(found.median)} (${digits(found.low)}–${digits(found.high)})`;
}
