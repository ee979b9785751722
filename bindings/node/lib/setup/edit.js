'use strict';
// Changes to a text as a list of {start, end, text}, and what they look like.

/** How lines end in a text. */
const endingOf = (text) => (text.includes('\r\n') ? '\r\n' : '\n');

/** The text with all changes made, which must not overlap; their lines end as the text's. */
function applied(text, edits) {
  const ending = endingOf(text);
  let out = text;
  for (const { start, end, text: added } of [...edits].sort((a, b) => b.start - a.start || b.end - a.end)) {
    out = out.slice(0, start) + added.replaceAll('\n', ending) + out.slice(end);
  }
  return out;
}

const linesOf = (text) => (text === '' ? [] : text.replace(/\n$/, '').split('\n'));

/** Lengths of the longest common subsequences of what is left of both lists. */
function commonLengths(a, b) {
  const lengths = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      lengths[i][j] = a[i] === b[j] ? lengths[i + 1][j + 1] + 1 : Math.max(lengths[i + 1][j], lengths[i][j + 1]);
    }
  }
  return lengths;
}

/** All lines of both, each with ' ', '-' or '+' before it. */
function marked(a, b) {
  const lengths = commonLengths(a, b);
  const out = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    const same = i < a.length && j < b.length && a[i] === b[j];
    const removed = !same && i < a.length && (j === b.length || lengths[i + 1][j] >= lengths[i][j + 1]);
    out.push(same ? ` ${a[i]}` : removed ? `-${a[i]}` : `+${b[j]}`);
    if (same || removed) i += 1;
    if (!removed) j += 1;
  }
  return out;
}

/** What changes, with two lines around it, for people to read. */
function diff(name, before, after) {
  const lines = marked(linesOf(before), linesOf(after));
  const near = lines.map((_, at) => lines.slice(Math.max(0, at - 2), at + 3).some((line) => line[0] !== ' '));
  const out = [`--- ${name}`, `+++ ${name}`];
  lines.forEach((line, at) => {
    if (near[at]) out.push(line);
    else if (near[at - 1] && near.indexOf(true, at) !== -1) out.push(' ...');
  });
  return out.join('\n');
}

module.exports = { applied, diff, endingOf };
