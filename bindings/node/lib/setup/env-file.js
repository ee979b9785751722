'use strict';
// The lines of nextcache in .env.production.

const COMMENT = '# nextcache: where the cache is kept, the memory of each process, the bound of the directory.';
const DEFAULTS = [
  ['NEXT_CACHE_DIR', '.cache/nextcache'],
  ['NEXT_CACHE_MAX_MEMORY_SIZE', '50MB'],
  ['NEXT_CACHE_MAX_DISK_SIZE', '1GB'],
];

/** As Next.js reads it: `NAME=value`, or `NAME: value`. */
const variableOf = (line) => /^\s*(?:export\s+)?([\w.-]+)(?:\s*=|:\s)/.exec(line)?.[1];

/** The text with a line for each setting that it has none for. */
function withVariables(text) {
  const known = text.split('\n').map(variableOf);
  const missing = DEFAULTS.filter(([name]) => !known.includes(name));
  if (missing.length === 0) return text;
  const before = text === '' || text.endsWith('\n') ? text : `${text}\n`;
  const block = [COMMENT, ...missing.map(([name, value]) => `${name}=${value}`)];
  return `${before}${before === '' ? '' : '\n'}${block.join('\n')}\n`;
}

/** The text without any line for a variable of ours. */
function withoutVariables(text) {
  const lines = text.split('\n').filter((line) => line.trimEnd() !== COMMENT && !variableOf(line)?.startsWith('NEXT_CACHE_'));
  const rest = lines.join('\n');
  return rest.trim() === '' ? '' : rest.replace(/\n{2,}$/, '\n');
}

module.exports = { withVariables, withoutVariables };
