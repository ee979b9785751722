// One page, served by `next start`, by the page server in front of it, and by nginx as a
// static file, in turns; see ../run. The medians go into README.md.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { ask } from './lib/http.mjs';
import { build, checkFolder, install, workFolder } from './lib/build.mjs';
import { counters, freePort, Program, sleep, startNext, startPageServer } from './lib/process.mjs';

const ROUNDS = 15;
const SECONDS = 2;
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

function load(port, path) {
  const text = execFileSync('wrk', ['-t1', `-c${CONNECTIONS}`, `-d${SECONDS}s`, `http://127.0.0.1:${port}${path}`], { encoding: 'utf8' });
  if (/Non-2xx|Socket errors/.test(text)) throw new Error(text);
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(text)[1]);
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
  { name: '`next start`', port: next.port, path: PATH, rates: [] },
  { name: 'page-server', port: server.port, path: PATH, rates: [] },
  { name: 'nginx, a static file', port: nginx.port, path: `${PATH}.html`, rates: [] },
];
for (const { port, path } of subjects) load(port, path);
const { proxied } = await counters(server);
for (let round = 0; round < ROUNDS; round += 1) {
  for (const { port, path, rates } of round % 2 ? [...subjects].reverse() : subjects) rates.push(load(port, path));
}
if ((await counters(server)).proxied !== proxied) throw new Error('the page server has asked Next.js meanwhile');
await Promise.all([server.end(), nginx.end(), next.end()]);

const [, ours, theirs] = subjects;
const ratio = median(ours.rates.map((rate, round) => rate / theirs.rates[round]));
const number = (value) => Math.round(value).toLocaleString('en').replaceAll(',', ' ');
const rows = subjects.map(({ name, rates }) => `| ${name} | ${number(median(rates))} | ${number(Math.min(...rates))} – ${number(Math.max(...rates))} |`);
const text = `| requests a second | median | lowest – highest |
|---|--:|--:|
${rows.join('\n')}

Median of ${ROUNDS} pairs: **${ratio.toFixed(2)} × nginx**. A page of ${number(page.body.length)} bytes of HTML, not compressed; wrk with ${CONNECTIONS} connections
and ${SECONDS} s a turn, on the same machine (${cpus().length} processors, ${cpus()[0].model.trim()}).`;
console.log(text);
const readme = join(checkFolder, '../README.md');
writeFileSync(readme, readFileSync(readme, 'utf8').replace(/(<!-- figures -->\n)[^]*(<!-- end -->)/, (_, begin, end) => `${begin}${text}\n${end}`));
