// Prints the results: one line each, the details of a failure below it.
'use strict';

const DETAILS = 12;

class Report {
  passed = 0;
  failed = 0;

  ok(name) {
    this.passed += 1;
    console.log(`ok - ${name}`);
  }

  notOk(name, details = []) {
    this.failed += 1;
    console.log(`not ok - ${name}`);
    for (const line of details.slice(0, DETAILS)) console.log(`#   ${line}`);
    if (details.length > DETAILS) console.log(`#   and ${details.length - DETAILS} more`);
  }

  check(name, failures) {
    if (failures.length === 0) this.ok(name);
    else this.notOk(name, failures);
  }

  note(text) {
    console.log(`# ${text}`);
  }

  end() {
    console.log(`conformance: ${this.passed} passed, ${this.failed} failed`);
    return this.failed === 0 && this.passed > 0;
  }
}

const short = (value) => {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text === undefined || text.length <= 120 ? text : `${text.slice(0, 120)}… (${text.length})`;
};

/** One difference in one line. */
function describe({ row, op, cls, kind, key, path, expected, actual, request }) {
  const where = [`row ${row}`, cls, op, kind, short(String(key).split('/$').pop())].filter(Boolean).join(' ');
  return `${where}: ${path} is ${short(actual)}, expected ${short(expected)}${request ? ` (${short(request)})` : ''}`;
}

module.exports = { Report, describe };
