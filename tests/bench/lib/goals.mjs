// Goals that are limits of ratios between two subjects.
import { SHAPES } from './entries.mjs';
import { digits } from './statistics.mjs';

/**
 * subject ÷ other of the same round, at most `limit`, in every setting or in
 * those with a limit of their own (`limits`: label -> limit, null for none).
 * What was not measured is neither reached nor not.
 */
export function atMost(figures, { number, what, metric, subject, other, limit, limits = {} }) {
  const shown = [];
  let reached = true;
  let missing = false;
  for (const setting of figures.settings) {
    const most = setting in limits ? limits[setting] : limit;
    const found = most === null ? undefined : figures.ratio(setting, metric, subject, other);
    if (most === null || most === undefined) continue;
    if (!found) missing = true;
    else if (!(found.median <= most)) reached = false;
    shown.push(`${setting}: ${found ? digits(found.median) : 'not measured'}`);
  }
  const special = Object.entries(limits).filter(([, most]) => most !== null).map(([label, most]) => `≤ ${most} for ${label}`);
  return { number, goal: [`${what}${limit === undefined ? '' : ` ≤ ${limit} ×`}`, ...special].join(', '), figure: shown.join('; '), reached: reached && missing ? undefined : reached };
}

export const labelOf = (shape) => SHAPES[shape].label;
