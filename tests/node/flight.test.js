'use strict';
// Which results are text to their last byte. What React makes of each kind of
// row, tests/e2e asks the one of an installed Next.js.
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { inPackage } = require('./support');

const { isAllText } = inPackage('lib/flight.js');

const VIEWS = 'AbGLMOSUVglmos';
const isText = (...parts) => isAllText(Buffer.concat(parts.map((part) => Buffer.from(part))));

const row = (text, id = '1') => `${id}:${text}\n`;
const long = (tag, text) => `2:${tag}${Buffer.byteLength(text).toString(16)},${text}`;

// One of each kind.
const ROWS = [
  row('{"a":"$2"}', '0'), row('["$","div",null,{"children":"é€😀"}]', 'a0f'), row('"$undefined"'), row('-1.5'), row('0'), row('true'), row('false'),
  row('null'), row('I["chunk.js",["a"],"default"]'), row('HL["/a.css","style"]', ''), row('E{"digest":"1"}'), row('R'), row('X'), row('x'), row('C'),
  row('C"$3"'), long('T', 'a row\n1:o3,abc that is none, é€😀'), long('T', ''),
];

test('rows of text', () => {
  for (const text of ROWS) assert.ok(isText(text), text);
  assert.ok(isText(ROWS.join('')));
  assert.ok(isText(ROWS.toReversed().join('')));
});

test('one row of a kind whose bytes are handed out, or of one that is not known, and it is not', () => {
  const digits = new Set('"[{-0123456789');
  const known = new Set('CEHIRTXrx');
  for (let code = 0; code < 256; code++) {
    const tag = String.fromCharCode(code);
    if (digits.has(tag) || known.has(tag)) continue;
    for (const other of [Buffer.from(`3:${tag}3,abc`, 'latin1'), Buffer.from(`3:${tag}\n`, 'latin1')]) {
      assert.ok(!isText(other), `${code}`);
      assert.ok(!isText(ROWS.join(''), other, ROWS.join('')), `${code} among others`);
    }
  }
  for (const tag of VIEWS) assert.ok(!isText(long('T', 'text'), long(tag, '12345678')), tag);
  for (const word of ['truth', 'nul', 'f', 'n8,12345678', 't8,true\n']) assert.ok(!isText(row(word)), word);
});

test('what is cut off, or no rows at all, is not', () => {
  const whole = Buffer.from(ROWS.join(''));
  const ends = new Set();
  let end = 0;
  for (const text of ROWS) ends.add((end += Buffer.byteLength(text)));
  for (let size = 0; size < whole.length; size++) assert.equal(isAllText(whole.subarray(0, size)), ends.has(size), `${size}`);
  for (const text of ['', 'hello', '\n', ':', '1:', '1:T', '1:T,', '1:T2', '1:T2,a', '1:T-1,', '1:TA,', '1:T1 ,a', 'g:0\n', ' 1:0\n', 'A:0\n', '1:0\n\n']) {
    assert.equal(isText(text), text === '1:T,', JSON.stringify(text));
  }
});
