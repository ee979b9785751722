// Lines "ok - …" and "not ok - …", for people and for tests/run.
let passed = 0;
let failed = 0;

export async function check(what, work) {
  try {
    await work();
    passed += 1;
    console.log(`ok - ${what}`);
  } catch (error) {
    failed += 1;
    console.log(`not ok - ${what}\n${String(error?.stack ?? error).replace(/^/gm, '    ').slice(0, 3000)}`);
  }
}

export const totals = () => ({ passed, failed });
