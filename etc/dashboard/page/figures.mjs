/*
 * The figures of a system, made of its Prometheus texts, one reading after the
 * other: the definitions of incr-top, lib/top/figures.h, of which this is a
 * shorter writing.  Pure.  Seconds are of a clock that does not step, but for
 * those that are said to count from 1970.
 *
 *	const f = new Figures();
 *	f.read(text, now, unixNow);	once per reading
 */
export const PAST_S = 600;
const SPREAD_S = 10, WINDOW_S = 5, MEAN_S = 60, LASTING_S = 30, STARTED_S = 5;
const VALUE_MAX = 1e18, SAMPLES_MAX = 200000;

/* What a sample is to us, and as what. */
const USES = new Map(Object.entries({
	incr_published_total: ['counter', 'in'],
	incr_flushed_total: ['counter', 'out'],
	incr_rejected_total: ['counter', 'rejected'],
	incr_queue_steps_back_total: ['counter', 'stepsBack'],
	incr_ledger_steps_back_total: ['counter', 'stepsBack'],
	incr_http_requests_total: ['answers'],
	incr_flush_duration_seconds_sum: ['statement', 'sum'],
	incr_flush_duration_seconds_count: ['statement', 'count'],
	incr_queue_ready: ['queue', 'ready'],
	incr_queue_unacked: ['queue', 'taken'],
	incr_queue_rejected: ['queue', 'rejected'],
	incr_queue_oldest_seconds: ['queue', 'oldest'],
	incr_flush_staleness_seconds: ['flush', 'staleness'],
	incr_flush_keys: ['flush', 'keys'],
	incr_flush_promise_at_risk: ['flush', 'atRisk'],
	incr_updated_timestamp_seconds: ['process', 'updated'],
	process_start_time_seconds: ['process', 'start'],
	process_resident_memory_bytes: ['process', 'memory'],
}));

/* The samples of a text that are of use; a line that is none is left out. */
export function samples(text) {
	const line = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?[ \t]+(\S+)/gm;
	const label = /([a-zA-Z_]\w*)="((?:[^"\\\n]|\\.)*)"/g, all = [];

	for (const [, name, inside = '', number] of text.matchAll(line)) {
		const value = Number(number), [kind, field] = USES.get(name) ?? [];
		if (!kind || !(value >= 0 && value <= VALUE_MAX))
			continue;
		const labels = Object.fromEntries([...inside.matchAll(label)].map(
			([, l, v]) => [l, v.replace(/\\(.)/g,
				(_, c) => c === 'n' ? '\n' : c)]));
		all.push({kind, field, value, labels, series: name + inside});
		if (all.length === SAMPLES_MAX)
			break;
	}
	return all;
}

/* One figure, second by second; what came at one moment came in since the last
 * such moment, ten seconds at most: incr-flush adds once per statement. */
export class Timeline {
	constructor(now) {
		this.first = this.last = Math.floor(now);
		this.bins = new Map();
		this.steps = [{at: now, total: 0}];
	}
	advance(now) {
		this.last = Math.max(this.last, Math.floor(now));
		this.first = Math.max(this.first, this.last - PAST_S + 1);
		for (const s of this.bins.keys())
			if (s < this.first)
				this.bins.delete(s);
	}
	add(s, value) {
		this.bins.set(s, (this.bins.get(s) ?? 0) + value);
	}
	grow(now, increase) {
		const step = this.steps.at(-1);
		const from = Math.max(step.at, now - SPREAD_S);

		this.advance(now);
		if (!(increase > 0))
			return;
		if (now <= from)
			this.add(this.last, increase);
		else
			for (let s = Math.floor(from); s <= this.last; s++)
				this.add(s, increase * (Math.min(now, s + 1) -
					Math.max(from, s)) / (now - from));
		this.steps.push({at: now, total: step.total + increase});
		this.steps = this.steps.slice(-64);
	}
	reach(now, value) {
		this.advance(now);
		this.bins.set(this.last,
			Math.max(this.bins.get(this.last) ?? 0, value));
	}
	gap() {
		const [a, b] = this.steps.slice(-2);
		return b ? Math.min(b.at - a.at, SPREAD_S) : 1;
	}
	/* Until when what has grown is known. */
	known(now) {
		const {at} = this.steps.at(-1);
		return now - at > this.gap() * 1.5 + 1 ? now : at;
	}
	rate(now) {
		const to = this.known(now);
		const since = to - Math.max(WINDOW_S, this.gap());
		let i = this.steps.length - 1;

		while (i > 0 && this.steps[i - 1].at >= since)
			i--;
		return to <= this.steps[i].at || to > now ? 0 :
			(this.steps.at(-1).total - this.steps[i].total) /
			(to - this.steps[i].at);
	}
	/* Of the seconds from..to: the mean, or the highest; null: unknown. */
	column(now, from, to, highest) {
		const end = highest ? Math.floor(now) + 1 :
			Math.floor(this.known(now));
		let all = 0, n = 0;

		for (let s = Math.max(from, this.first);
			s < Math.min(to, end, this.last + 1); s++, n++) {
			const value = this.bins.get(s) ?? 0;
			all = highest ? Math.max(all, value) : all + value;
		}
		return n === 0 ? null : highest ? all : all / n;
	}
}

const byName = new Intl.Collator('en', {numeric: true}).compare;
const highest = (a, b) => a > b || Number.isNaN(b) ? a : b;

/* What a map has at a key, made if it is not there. */
function at(map, key, make) {
	if (!map.has(key))
		map.set(key, make());
	return map.get(key);
}

export class Figures {
	counters = {};
	lines = {};
	codes = new Map();
	processes = new Map();
	groups = new Map();
	series = new Map();
	statements = []; /* sum and count of each reading of the last minute */
	readings = 0;

	read(text, now, unixNow) {
		const all = samples(text), before = this.series;

		for (const name of ['in', 'out', 'rejected', 'stepsBack'])
			this.counters[name] ??= {line: new Timeline(now)};
		for (const name of ['ready', 'oldest', 'staleness'])
			this.lines[name] ??= new Timeline(now);
		[this.lastUnix, this.unixNow, this.now] = [this.unixNow, unixNow, now];
		this.queues = new Map();
		this.flush = {staleness: NaN, keys: NaN, atRisk: NaN};
		this.statements = this.statements.filter(r => r.now > now - MEAN_S);
		this.statements.push({now, sum: 0, count: 0});
		for (const t of this.totals())
			t.total = t.grown = 0;
		for (const p of this.processes.values())
			Object.assign(p, {known: true, seen: false, runs: false, is: {}});
		/* A process tells of its start behind its counters, perhaps. */
		all.forEach(s => this.readGauge(s));
		this.series = new Map();
		for (const s of all)
			this.readCounter(s, before.get(s.series));
		this.totals().forEach(t => t.line.grow(now, t.grown));
		/* Q, and its shards Q.2, Q.10. */
		this.queues = new Map([...this.queues].sort(([a], [b]) => byName(a, b)));
		for (const [name, value] of [['ready', this.sum('ready')], ['oldest',
			this.oldest()], ['staleness', this.flush.staleness]])
			if (!Number.isNaN(value))
				this.lines[name].reach(now, value);
		this.countProcesses();
		this.readings++;
	}
	totals() {
		return [...Object.values(this.counters), ...this.codes.values()];
	}
	readGauge({kind, field, value, labels: l}) {
		const {program, host = '', pidns, pid, queue = ''} = l;
		const of = kind === 'flush' ? this.flush : kind === 'queue' &&
			at(this.queues, queue, () => ({name: queue, ready: NaN,
				taken: NaN, rejected: NaN, oldest: NaN}));

		if (of)
			of[field] = highest(value, of[field]);
		if (!program)
			return;
		const p = at(this.processes, [program, host, pidns, pid].join(' '),
			() => ({program, host, is: {}, first: this.now}));
		p.seen = true;
		if (kind === 'process') {
			p.is[field] = value;
			p.runs = true;
		}
	}
	readCounter({kind, field, value, labels: l, series}, last) {
		if (!['counter', 'answers', 'statement'].includes(kind))
			return;
		const p = this.processes.get([l.program, l.host ?? '', l.pidns,
			l.pid].join(' '));
		/* Of a process that was there without it, or that began since. */
		const fresh = this.readings > 0 && p &&
			(p.known || p.is.start >= this.lastUnix - STARTED_S);
		const grown = last === undefined ? fresh ? value : 0 :
			last <= value ? value - last : value;

		this.series.set(series, value);
		if (kind === 'statement') {
			this.statements.at(-1)[field] += grown;
			return;
		}
		const t = kind === 'counter' ? this.counters[field] :
			at(this.codes, l.code, () => ({code: l.code, total: 0, grown: 0,
				line: new Timeline(this.now - (this.readings > 0))}));
		t.total += value;
		t.grown += grown;
	}
	/* As many run as ever, so each that has ended was followed by another. */
	countProcesses() {
		for (const [name, p] of this.processes) {
			const {start, updated = this.unixNow} = p.is;
			const g = at(this.groups, p.program + ' ' + p.host, () => ({
				program: p.program, host: p.host, most: 0, gone: 0}));
			if (!p.seen)
				this.processes.delete(name);
			if (!p.seen || Math.abs(start - p.began) > 2)
				g.gone++;
			p.began = start ?? p.began;
			p.lasts = p.runs && (updated - start >= LASTING_S ||
				this.now - p.first >= LASTING_S);
		}
		for (const g of this.groups.values()) {
			const own = [...this.processes.values()].filter(p =>
				p.program === g.program && p.host === g.host);
			g.running = own.filter(p => p.runs);
			g.runs = g.running.length;
			g.most = Math.max(g.most, own.filter(p => p.lasts).length);
			g.missing = Math.max(0, g.most - g.runs);
			g.restarts = Math.max(0, g.gone + own.length - g.runs - g.missing);
		}
	}

	/* Per second; NaN until there were two readings. */
	rate(t) {
		return this.readings < 2 ? NaN : t.line.rate(this.now);
	}
	/* Seconds of a statement, the mean of the last minute. */
	statementMean() {
		const add = what => this.statements.reduce((a, r) => a + r[what], 0);
		return add('count') > 0 ? add('sum') / add('count') : NaN;
	}
	/* Of all queues, and the oldest of all; NaN: nobody told. */
	sum(what) {
		return [...this.queues.values()].map(q => q[what]).filter(v => v >= 0)
			.reduce((a, b) => (a || 0) + b, NaN);
	}
	oldest() {
		return [...this.queues.values()].map(q => q.oldest)
			.reduce(highest, NaN);
	}
	running(program) {
		return [...this.processes.values()].filter(p => p.runs &&
			p.program === program).length;
	}
}
