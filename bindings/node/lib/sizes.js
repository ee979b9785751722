'use strict';

const MB = 2 ** 20;
const UNITS = { '': 1, B: 1, K: 2 ** 10, KB: 2 ** 10, M: MB, MB, G: 2 ** 30, GB: 2 ** 30, T: 2 ** 40, TB: 2 ** 40 };

/** Bytes from a number or from text such as "64MB"; undefined when wrong. */
function parseSize(value) {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
  if (typeof value !== 'string') return undefined;
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(value.trim());
  const unit = match && UNITS[match[2].toUpperCase()];
  if (!unit) return undefined;
  const bytes = Math.floor(Number(match[1]) * unit);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

module.exports = { MB, parseSize };
