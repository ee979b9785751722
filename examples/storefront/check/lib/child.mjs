// Every process that a check starts is started here, so that none outlives it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';

const running = new Set();

export function startChild(command, args, options) {
  const child = spawn(command, args, options);
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

/** Runs a program to its end; its exit code. */
export async function runChild(command, args, options) {
  const [code] = await once(startChild(command, args, options), 'exit');
  return code;
}

export function endChildren() {
  for (const child of running) child.kill('SIGKILL');
}
