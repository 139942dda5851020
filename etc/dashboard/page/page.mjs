/* Reads /metrics every two seconds, and shows its figures as text and plots. */
import {Figures, PAST_S} from './figures.mjs';

const EVERY_MS = 2000, LIMIT_MS = 5000, COLUMN_S = 5, PROMISE_S = 10;
const PARTS = ['incr-serve', 'incr-validate', 'incr-publish', 'incr-consume',
	'incr-flush']; /* others come and go */
const figures = new Figures();
const $ = id => document.getElementById(id);
const clock = () => performance.now() / 1000;
let readAt; /* clock of the last reading */

/* -- texts: all by textContent, whatever a label has --------------------------- */

const or = write => n => Number.isNaN(n ?? NaN) ? '–' : write(n);
const count = or(n => n < 1e7 ? Math.round(n).toLocaleString('en') :
	Intl.NumberFormat('en', {notation: 'compact',
		maximumSignificantDigits: 3}).format(n));
const rate = or(n => (n > 0 && n < 9.95 ? n.toFixed(n < 0.995 ? 2 : 1) :
	count(n)) + '/s');
const age = or(s => s < 100 ? Math.floor(Math.max(s, 0)) + ' s' :
	s < 3600 ? Math.floor(s / 60) + ' min' : s < 86400 ?
	(s / 3600).toFixed(1) + ' h' : (s / 86400).toFixed(1) + ' d');
const seconds = or(s => s === 0 ? '0 s' : s < 0.00995 ? (s * 1000).toFixed(1) + ' ms' :
	s < 0.9995 ? Math.round(s * 1000) + ' ms' : s < 99.95 ?
	s.toFixed(1) + ' s' : age(s));
const bytes = or(n => (n / 1e6).toFixed(1) + ' MB');

/* A text that did not change is not told again to a screen reader. */
function put(id, text, value) {
	const e = $(id);
	if (e.textContent !== text)
		e.textContent = text;
	if (value !== undefined)
		e.dataset.value = value;
}

function element(name, text, value) {
	const e = document.createElement(name);
	e.textContent = text;
	if (value !== undefined)
		e.dataset.value = value;
	return e;
}

/* Rows of [text, value] each; the first heads its row. */
function table(id, rows) {
	$(id).replaceChildren(...rows.map(row => {
		const tr = document.createElement('tr');
		row.forEach(([text, value], i) => {
			const cell = element(i ? 'td' : 'th', text, value);
			if (i === 0)
				cell.scope = 'row';
			tr.append(cell);
		});
		return tr;
	}));
	$(id).closest('section').hidden = rows.length === 0;
}

/* -- plots --------------------------------------------------------------------- */

const css = name => () =>
	getComputedStyle(document.documentElement).getPropertyValue(name);
const plots = [];

/* lines(): [label, timeline, is a gauge] of each; there may be more of them. */
function plot(id, write, lines, promise) {
	const at = $(id), axis = {stroke: css('--text'), ticks: {stroke:
		css('--line')}, grid: {stroke: css('--line'), width: 1}};
	const axes = [{...axis, values: (_, ticks) => ticks.map(s =>
		new Date(s * 1000).toTimeString().slice(0, 5))},
	{...axis, size: 64, values: (_, ticks) => ticks.map(write)}];
	const dashed = {label: 'promise', stroke: css('--bad'), dash: [4, 4],
		points: {show: false}};
	let u, n;

	plots.push(anew => {
		const now = figures.now, shown = lines(), width = at.clientWidth;
		const first = Math.floor((now - PAST_S) / COLUMN_S) + 1;
		const x = Array.from({length: PAST_S / COLUMN_S},
			(_, i) => (first + i) * COLUMN_S);
		const data = [x.map(s => s + figures.unixNow - now), ...shown.map(
			([, line, gauge]) => x.map(s =>
				line.column(now, s, s + COLUMN_S, gauge)))];
		if (promise)
			data.push(x.map(() => PROMISE_S));
		if (n === shown.length && width === u.width && !anew) {
			u.setData(data);
			return;
		}
		u?.destroy();
		n = shown.length;
		u = new uPlot({width, height: 180, axes, legend: {live: false},
			cursor: {show: false}, scales: {y: {range: (_, min, max) =>
				[0, Math.max(max * 1.1, 1)]}},
			series: [{}, ...shown.map(([label], i) => ({label, width: 2,
				stroke: css('--line-' + i % 6), points: {show: false}})),
			...promise ? [dashed] : []]}, data, at);
	});
}

/* -- what is shown ------------------------------------------------------------- */

function warnings(f) {
	const ready = f.sum('ready'), back = f.counters.stepsBack.total, all = [];
	const late = [...f.queues.values()].filter(q => q.oldest > PROMISE_S);
	if (ready > 0 && f.running('incr-flush') === 0)
		all.push('No incr-flush runs: nothing is counted.');
	if (f.oldest() > PROMISE_S || f.flush.staleness > PROMISE_S)
		all.push('Increments wait for more than ten seconds' + (late[0] &&
			f.queues.size > 1 ? `: ${late.map(q => q.name).join(', ')}.` : '.'));
	for (const g of f.groups.values())
		if (g.missing > 0)
			all.push(`${g.program} on ${g.host}: ${g.missing} of ${g.most} gone.`);
	if (back > 0)
		all.push(`Redis or Postgres went back, ${count(back)} times; see incr-audit(1).`);
	if (f.flush.atRisk > 0)
		all.push('Statements are so slow that after a kill increments may be late.');
	return all;
}

function show(f) {
	const tiles = {in: [rate, f.rate(f.counters.in)],
		out: [rate, f.rate(f.counters.out)],
		invalid: [rate, f.rate(f.counters.rejected)],
		ready: [count, f.sum('ready')], taken: [count, f.sum('taken')],
		dead: [count, f.sum('rejected')], oldest: [seconds, f.oldest()],
		staleness: [seconds, f.flush.staleness],
		statement: [seconds, f.statementMean()], keys: [count, f.flush.keys]};
	for (const [id, [write, value]] of Object.entries(tiles))
		put(id, write(value), value);
	for (const id of ['oldest', 'staleness']) {
		$(id + '-meter').value = tiles[id][1] || 0;
		$(id).classList.toggle('bad', tiles[id][1] > PROMISE_S);
	}
	const all = warnings(f);
	if (all.join() !== [...$('warnings').children].map(e => e.textContent).join())
		$('warnings').replaceChildren(...all.map(text => element('li', text)));
	table('codes', [...f.codes.values()].filter(c => c.total > 0).sort((a, b) =>
		a.code < b.code ? -1 : 1).map(c => [[c.code], [rate(f.rate(c)),
		f.rate(c)], [count(c.total), c.total]]));
	table('queues', [...f.queues.values()].map(q => [[q.name || '–'], [count(q.ready),
		q.ready], [count(q.taken), q.taken], [count(q.rejected), q.rejected],
	[seconds(q.oldest), q.oldest]]));
	table('programs', [...f.groups.values()].filter(g => g.runs > 0 || g.most > 0)
		.map(g => [[g.program], [g.host], [count(g.runs), g.runs],
			[count(g.restarts), g.restarts], [g.runs === 0 ? '–' : age(f.unixNow -
			Math.max(...g.running.map(p => p.is.start ?? NaN)))],
			[bytes(g.running.reduce((a, p) => a + p.is.memory, 0))]]));
	plots.forEach(draw => draw());
}

/* fresh: figures of programs that run; stopped: none of any; lost: not read. */
function tell(state, text) {
	document.body.dataset.state = state;
	put('state', text);
}

async function read() {
	try {
		const got = await fetch('metrics', {cache: 'no-store',
			signal: AbortSignal.timeout(LIMIT_MS)});
		if (!got.ok)
			throw new Error(`answer ${got.status}`);
		const text = await got.text(), date = Date.parse(got.headers.get('date'));
		readAt = clock();
		figures.read(text, readAt, (date || Date.now()) / 1000);
		show(figures);
		const n = PARTS.reduce((a, part) => a + figures.running(part), 0);
		tell(...n > 0 ? ['fresh', `Fresh: ${n} processes run.`] :
			['stopped', 'Stopped: no process has told of itself for ten seconds.']);
	} catch (e) {
		tell('lost', `No metrics (${e.name === 'TimeoutError' ? 'no answer' :
			e.message})` + (readAt === undefined ? '.' :
			`: what is shown is ${age(clock() - readAt)} old.`));
	}
	setTimeout(read, EVERY_MS);
}

plot('plot-rate', rate, () => [['in', figures.counters.in.line],
	['out', figures.counters.out.line]]);
plot('plot-codes', rate, () => [...figures.codes.values()].filter(c =>
	c.total > 0).map(c => [c.code, c.line]));
plot('plot-ready', count, () => [['ready', figures.lines.ready, true]]);
plot('plot-age', seconds, () => [['oldest', figures.lines.oldest, true],
	['counted after', figures.lines.staleness, true]], true);
const drawAnew = () => readAt !== undefined && plots.forEach(draw => draw(true));
addEventListener('resize', drawAnew);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAnew);
read();
