// Ways to break the reference handler: what goes wrong in real handlers, each
// with the field in which a replay must notice it. See selftest.js.
'use strict';

const withValue = (change) => (answer) => {
  if (answer?.value?.kind !== 'APP_PAGE') return answer;
  return { ...answer, value: { ...answer.value, ...change(answer.value) } };
};

function flipped(bytes) {
  const copy = Buffer.from(bytes);
  copy[copy.length >> 1] ^= 1;
  return copy;
}

module.exports = {
  'every get misses': { notice: '(answer)', singular: () => null },
  'marks are forgotten': { notice: '(answer)', deaf: true },
  'one character of the HTML': { notice: 'value.html', singular: withValue(({ html }) => ({ html: html.replace('<body>', '<bodY>') })) },
  'one bit of the RSC data': { notice: 'value.rscData', singular: withValue(({ rscData }) => ({ rscData: flipped(rscData) })) },
  'a Buffer becomes a Uint8Array': { notice: 'value.rscData', singular: withValue(({ rscData }) => ({ rscData: new Uint8Array(rscData) })) },
  'a Buffer goes through JSON': { notice: 'value.rscData', singular: withValue(({ rscData }) => ({ rscData: JSON.parse(JSON.stringify(rscData)) })) },
  'a Map becomes an object': { notice: 'value.segmentData', singular: withValue(({ segmentData }) => ({ segmentData: Object.fromEntries(segmentData) })) },
  'one segment is lost': {
    notice: 'value.segmentData./_tree',
    singular: withValue(({ segmentData }) => ({ segmentData: new Map([...segmentData].filter(([name]) => name !== '/_tree')) })),
  },
  'undefined becomes null': { notice: 'value.postponed', singular: withValue(() => ({ postponed: null })) },
  'undefined becomes absent': {
    notice: 'value.postponed',
    singular(answer) {
      const { postponed, ...value } = answer.value ?? {};
      return answer.value && postponed === undefined ? { ...answer, value } : answer;
    },
  },
  'a header is lost': { notice: 'value.headers', singular: withValue(() => ({ headers: {} })) },
  'the lifetime is not returned': { notice: 'cacheControl', singular: (answer) => ({ ...answer, cacheControl: undefined }) },
  'the age is wrong by a second': { notice: 'lastModified', singular: (answer) => ({ ...answer, lastModified: answer.lastModified - 1000 }) },
  'get throws': {
    notice: '(threw)',
    singular() {
      throw new Error('sabotage');
    },
  },
  'fractions of a millisecond are cut': { notice: 'timestamp', plural: (entry) => ({ ...entry, timestamp: Math.floor(entry.timestamp) }) },
  'one bit of a plural entry': { notice: 'value', plural: (entry) => ({ ...entry, bytes: flipped(Buffer.from(entry.bytes)) }) },
  'tags of a plural entry are lost': { notice: 'tags', plural: (entry) => ({ ...entry, tags: [] }) },
  'a stale entry does not say so': { notice: 'revalidate', plural: (entry) => ({ ...entry, revalidate: Math.max(entry.revalidate, 60) }) },
};
