// What was found, as Markdown.
import { QUIET } from './quiet.mjs';
import { REASONS } from './reasons.mjs';
import { withSpread } from './statistics.mjs';

const line = (cells) => `| ${cells.join(' | ')} |`;

/** Columns of figures stand on the right. */
const isFigure = (cell) => /^([-+−]?[\d.]+( ?%| ?MB)?( \(.*\))?|–|never.*)$/.test(String(cell));
const rule = (head, lines) => head.map((_, at) => (at > 0 && lines.every((cells) => isFigure(cells[at])) ? '--:' : '---'));
const table = (head, lines) => [line(head), line(rule(head, lines)), ...lines.map(line)].join('\n');

const percent = (share) => `${Math.round(share * 100)} %`;

function verdict(reached) {
  if (reached === undefined) return 'not measured';
  return reached ? 'reached' : '**not reached**';
}

/** A line for each setting and subject, a column for each metric. */
function figuresTable({ row, figures }) {
  const metrics = Object.entries(row.metrics);
  const subjects = [...new Set(figures.rounds.map(({ subject }) => subject))];
  const lines = figures.settings.flatMap((setting) =>
    subjects.filter((subject) => figures.of(setting, subject, metrics[0][0]))
      .map((subject) => [setting, subject, ...metrics.map(([metric]) => withSpread(figures.of(setting, subject, metric)))]));
  return table(['', 'who', ...metrics.map(([, unit]) => unit)], lines);
}

/** Why a goal is missed that was missed: what the profiles taught. */
function reasonsList(goals) {
  const missed = new Set(goals.filter(({ reached }) => reached === false).map(({ number }) => number));
  const lines = [...missed].map((number) => `- ${number}: ${REASONS[number] ?? 'the reason is not known yet.'}`);
  return lines.length > 0 ? [`Not reached, and why ([performance.md](performance.md) has the profiles):\n\n${lines.join('\n')}`] : [];
}

const goalsTable = (goals) => table(['', 'goal', 'figure', ''], goals.map(({ number, goal, figure, reached }) => [number, goal, figure, verdict(reached)]));

/** ", 15 rounds", or from how many to how many where the settings differ. */
function roundsOf(figures) {
  if (!figures) return '';
  const counts = figures.settings.map((setting) => Math.max(0, ...figures.rounds.filter((round) => round.setting === setting).map(({ number }) => number + 1)));
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  return `, ${least === most ? '' : `${least} to `}${most} round${most === 1 ? '' : 's'}`;
}

function section(found, plot) {
  const { row, figures, tables, goals, seconds } = found;
  const parts = [`## ${row.title}`, row.about];
  if (plot) parts.push(`![${row.title}](${plot})`);
  if (figures && row.metrics) parts.push(figuresTable(found));
  for (const { title, head, lines } of tables) parts.push(...(title ? [`${title}:`] : []), table(head, lines));
  for (const [subject, problems] of figures?.problems ?? []) parts.push(...problems.map((problem) => `- ${subject}: ${problem}`));
  if (goals.length > 0) parts.push(goalsTable(goals));
  parts.push(`\`tests/bench/run ${row.name}\`, ${seconds} s${roundsOf(figures)}`);
  return parts.join('\n\n');
}

function preface({ sizes, on, complete }) {
  const warnings = [];
  if (sizes.smoke) warnings.push('**These figures are of the smoke form, with tiny counts: they show that everything runs, and mean nothing.**');
  if (!complete) warnings.push('**These are not all rows.**');
  if (on.busy > QUIET) warnings.push(`**The machine was busy when this began (${percent(on.busy)}): the figures are noise.**`);
  return `# Benchmarks

Written by \`tests/bench/run\`; not by hand. Medians of up to ${sizes.rounds} small rounds (each table says how many), with their quartiles in parentheses. In every round all take their
turn, in rotating order, each in a process of its own: ratios are of the same round, and only ratios mean anything on another machine. CPU is that of
all threads of the subject's process. A goal that is not reached says so; nothing fails by it.

${warnings.length > 0 ? `${warnings.join(' ')}\n\n` : ''}${table(['', ''], [
    ['taken', `${on.date}, commit ${on.commit}`], ['machine', `${on.cpu}, ${on.memory}, ${on.system}, Node.js ${on.node}`], ['busy at the beginning', `${percent(on.busy)} of the processors`], ['beside', on.packages.join(', ')],
  ])}`;
}

/** The whole document. `plots`: row name -> address of its picture. */
export function document(all, plots, about) {
  const goals = all.flatMap((found) => found.goals).sort((a, b) => a.number - b.number);
  const missing = about.left.map(({ name, reason }) => `- ${name}: ${reason}`);
  const parts = [preface(about), ...(goals.length > 0 ? ['## Goals', goalsTable(goals), ...reasonsList(goals)] : []), ...(missing.length > 0 ? [`Not measured:\n\n${missing.join('\n')}`] : [])];
  return `${[...parts, ...all.map((found) => section(found, plots.get(found.row.name)))].join('\n\n')}\n`;
}

/** One row for a terminal. */
export const rowText = (found) => section(found);
