// One page, served by `next start`, by the page server in front of it, and by nginx as a
// static file, in turns; see ../run. The medians go into README.md.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { ask } from './lib/http.mjs';
import { build, checkFolder, install, workFolder } from './lib/build.mjs';
import { counters, freePort, Program, sleep, startNext, startPageServer } from './lib/process.mjs';

const ROUNDS = 25;
const SECONDS = 1;
const TICKS_PER_SECOND = 100;
const CONNECTIONS = 16;
const PATH = '/long';

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

/** As Debian configures it, without a log, and with connections that stay. */
async function startNginx(body) {
  const folder = join(workFolder, 'nginx');
  const port = await freePort();
  mkdirSync(join(folder, 'html'), { recursive: true });
  writeFileSync(join(folder, `html${PATH}.html`), body);
  writeFileSync(join(folder, 'nginx.conf'), `worker_processes auto; daemon off; pid nginx.pid; error_log error.log;
events { worker_connections 768; }
http { access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; types { text/html html; }
server { listen 127.0.0.1:${port} reuseport; root html; } }\n`);
  const nginx = new Program('/usr/sbin/nginx', ['-p', `${folder}/`, '-c', 'nginx.conf']);
  await sleep(500);
  return Object.assign(nginx, { port });
}

const childrenOf = (pid) => readdirSync(`/proc/${pid}/task`).flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim().split(' ').filter(Boolean));

/** CPU time of a server and of those that it has started, in µs. */
function cpuOf(pid) {
  const ticks = [pid, ...childrenOf(pid)].map((one) => readFileSync(`/proc/${one}/stat`, 'latin1').replace(/^.*\) /s, '').split(' ').slice(11, 13).reduce((sum, value) => sum + Number(value), 0));
  return (ticks.reduce((sum, value) => sum + value, 0) * 1e6) / TICKS_PER_SECOND;
}

/** One turn: {rate, cpu} in requests a second, and in µs of the server's CPU for each. */
function load({ program, path, turns }) {
  const before = cpuOf(program.child.pid);
  const text = execFileSync('wrk', ['-t1', `-c${CONNECTIONS}`, `-d${SECONDS}s`, `http://127.0.0.1:${program.port}${path}`], { encoding: 'utf8' });
  if (/Non-2xx|Socket errors/.test(text)) throw new Error(text);
  const [, requests] = /(\d+) requests in/.exec(text);
  const [, rate] = /Requests\/sec:\s+([\d.]+)/.exec(text);
  turns.push({ rate: Number(rate), cpu: (cpuOf(program.child.pid) - before) / Number(requests) });
}

install();
const folder = build('open');
rmSync(join(folder, '.cache'), { recursive: true, force: true });
const next = await startNext(folder);
const server = await startPageServer(folder, next.port);
let page;
for (let times = 0; times < 5; times += 1) page = await ask(server.port, PATH);
const nginx = await startNginx(page.body);
const subjects = [
  { name: '`next start`', program: next, path: PATH, turns: [] },
  { name: 'page-server', program: server, path: PATH, turns: [] },
  { name: 'nginx, a static file', program: nginx, path: `${PATH}.html`, turns: [] },
];
for (const subject of subjects) load({ ...subject, turns: [] });
const { proxied } = await counters(server);
for (let round = 0; round < ROUNDS; round += 1) {
  for (const subject of round % 2 ? [...subjects].reverse() : subjects) load(subject);
}
if ((await counters(server)).proxied !== proxied) throw new Error('the page server has asked Next.js meanwhile');
await Promise.all([server.end(), nginx.end(), next.end()]);

const [, ours, theirs] = subjects;
const ratio = median(ours.turns.map(({ rate }, round) => rate / theirs.turns[round].rate));
const number = (value) => Math.round(value).toLocaleString('en').replaceAll(',', ' ');
const rows = subjects.map(({ name, turns }) => {
  const rates = turns.map(({ rate }) => rate);
  const cpu = median(turns.map((turn) => turn.cpu));
  return `| ${name} | ${number(median(rates))} | ${number(Math.min(...rates))} – ${number(Math.max(...rates))} | ${cpu < 100 ? cpu.toFixed(1) : number(cpu)} |`;
});
const text = `| | requests a second | lowest – highest | µs of CPU for a request |
|---|--:|--:|--:|
${rows.join('\n')}

Median of ${ROUNDS} pairs: **${ratio.toFixed(2)} × nginx**. A page of ${number(page.body.length)} bytes of HTML, not compressed; wrk with ${CONNECTIONS} connections
and ${SECONDS} s a turn, on the same machine (${cpus().length} processors, ${cpus()[0].model.trim()}; load average at the end ${loadavg()[0].toFixed(1)},\nof which the measurement itself is about 2).`;
console.log(text);
const readme = join(checkFolder, '../README.md');
writeFileSync(readme, readFileSync(readme, 'utf8').replace(/(<!-- figures -->\n)[^]*(<!-- end -->)/, (_, begin, end) => `${begin}${text}\n${end}`));
