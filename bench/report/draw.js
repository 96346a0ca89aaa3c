// SPDX-License-Identifier: MIT
//
// draw.js - shows the embedded document: tables by hand, charts by Chart.js. Every panel is
// one call of panel() and one chart. Ratios beyond LIMIT would press all others together:
// where they are not the subject, they are drawn at the edge with an arrow, and in figures.
'use strict';
const doc = JSON.parse(document.getElementById('document').textContent);
const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const color = { faster: css('--faster'), slower: css('--slower'), unclear: css('--unclear') };
const text = css('--text'), muted = css('--muted'), line = css('--line');
const palette = { program: css('--accent'), libraries: '#a9b6c3', translated: css('--faster'), optimizer: '#e0a03a' };
const series = ['#b9c4cf', css('--accent'), '#e0a03a', css('--faster'), '#8a5fbf', '#c8452e'];
const LIMIT = 1.5, FONT = css('--font');
const mood = r => r.verdict === 'faster' || r.verdict === 'slower' ? r.verdict : 'unclear';
const number = (x, digits = 3) => x.toFixed(digits);
const percent = (x, digits = 1) => `${x < 1 ? '−' : '+'}${number(Math.abs(100 * (x - 1)), digits)}`;
const byId = id => document.getElementById(id);
const kinds = {
	programs: 'Real programs', kernels: 'Kernels beyond a profile’s reach', emulation: 'Emulation: all code translated',
};
if (window.Chart) Object.assign(Chart.defaults.font, { family: FONT, size: 12 });

function make(tag, parent, content, className) {
	const element = parent.appendChild(document.createElement(tag));
	if (content !== undefined) element.textContent = content;
	if (className) element.className = className;
	return element;
}

// A name that may be broken after + and -, but nowhere else.
function breakable(tag, parent, words) {
	const element = make(tag, parent);
	words.split(/(?<=[+-])/).forEach((part, i) => {
		if (i) make('wbr', element);
		element.append(part);
	});
	return element;
}

function panel(parent, title, about, height) {
	const box = make('div', parent, undefined, 'panel');
	if (title) make('h3', box, title);
	if (about) make('p', box, about);
	const holder = make('div', box, undefined, 'canvas');
	holder.style.height = height + 'px';
	return make('canvas', holder);
}

const axis = (title, more) => Object.assign({
	grid: { color: line }, ticks: { color: muted }, border: { color: line },
	title: { display: !!title, text: title, color: muted },
}, more);
const names = more => axis('', { grid: { display: false }, ticks: { color: text, autoSkip: false }, ...more });

function lineAt(chart, value) {
	const at = chart.scales.x.getPixelForValue(value), area = chart.chartArea, ctx = chart.ctx;
	if (at < area.left || at > area.right) return;
	ctx.strokeStyle = muted;
	ctx.lineWidth = 1.5;
	ctx.beginPath();
	ctx.moveTo(at, area.top);
	ctx.lineTo(at, area.bottom);
	ctx.stroke();
}

// A dot where the estimate is, an arrow where it is beyond the edge.
function drawEstimate(ctx, x, y, edge) {
	ctx.beginPath();
	if (x <= edge) {
		ctx.arc(x, y, 4.5, 0, 7);
	} else {
		ctx.moveTo(edge - 8, y - 5);
		ctx.lineTo(edge + 1, y);
		ctx.lineTo(edge - 8, y + 5);
	}
	ctx.fill();
}

// The line at 1, the estimates, and all figures at the right.
const estimates = {
	id: 'estimates',
	beforeDatasetsDraw: chart => lineAt(chart, 1),
	afterDatasetsDraw(chart) {
		const ctx = chart.ctx, edge = chart.chartArea.right;
		ctx.textBaseline = 'middle';
		chart.$rows.forEach((row, i) => {
			const y = chart.getDatasetMeta(0).data[i].y, r = row.ratio;
			ctx.fillStyle = color[mood(r)];
			drawEstimate(ctx, chart.scales.x.getPixelForValue(r.value), y, edge);
			ctx.fillStyle = text;
			ctx.font = `600 12px ${FONT}`;
			ctx.fillText(number(r.value), edge + 12, y);
			ctx.fillStyle = muted;
			ctx.font = `11px ${FONT}`;
			ctx.fillText(`${number(r.low)} – ${number(r.high)}`, edge + 56, y);
		});
	},
};

function rangeOf(rows, logarithmic) {
	const low = Math.min(0.98, ...rows.map(r => r.ratio.low)), high = Math.max(1.02, ...rows.map(r => r.ratio.high));
	if (logarithmic) return { type: 'logarithmic', min: low * 0.9, max: high * 1.1 };
	const near = rows.filter(r => r.ratio.value <= LIMIT).map(r => r.ratio.high);
	const max = high > LIMIT ? Math.min(LIMIT, Math.max(1.1, ...near)) : high;
	const pad = (max - low) * 0.06;
	return { min: low - pad, max: max + pad };
}

function forest(canvas, rows, logarithmic) {
	const range = rangeOf(rows, logarithmic);
	return new Chart(canvas, {
		type: 'bar',
		data: {
			labels: rows.map(r => r.name),
			datasets: [{
				data: rows.map(r => [Math.min(r.ratio.low, range.max), Math.min(r.ratio.high, range.max)]),
				borderRadius: 3, borderSkipped: false, barThickness: 9,
				backgroundColor: rows.map(r => color[mood(r.ratio)] + '55'),
			}],
		},
		options: {
			indexAxis: 'y', animation: false, maintainAspectRatio: false, layout: { padding: { right: 146 } },
			scales: {
				x: axis('CPU time relative to -O2', { ...range, ticks: {
					color: muted, callback: v => logarithmic && !Number.isInteger(v) ? '' : +v.toFixed(2),
				} }),
				y: names(),
			},
			plugins: {
				legend: { display: false },
				tooltip: { callbacks: { label: item => describe(rows[item.dataIndex]) } },
			},
		},
		plugins: [{ id: 'rows', beforeInit: c => { c.$rows = rows; } }, estimates],
	});
}

function describe(row) {
	const r = row.ratio;
	const said = [`${number(r.value)}  (95 %: ${number(r.low)} to ${number(r.high)})`, r.verdict, `${r.rounds} rounds`];
	if (r.more_rounds) said.push(`${r.more_rounds} more for ±${100 * doc.precision} %`);
	if (row.seconds) said.push(`median ${number(row.seconds)} s`);
	return said;
}

const rowsOf = results => Object.entries(results).filter(([, r]) => (r.ratio || r).verdict !== 'the same')
	.map(([variant, r]) => ({ name: variant, ratio: r.ratio || r, seconds: r.cpu_s && r.cpu_s.median }));
const heightOf = n => 74 + 24 * n;
const title = e => `${e.program} / ${e.input}`;

function drawHead() {
	const when = doc.started.replace('T', ' ').replace('+00:00', ' UTC');
	byId('what').textContent = `${doc.machine.processor}, ${doc.machine.processors} processors, `
		+ `Linux ${doc.machine.kernel}. ${when}, revision ${doc.revision}, ${doc.rounds} rounds`
		+ `${doc.interrupted ? ', interrupted' : ''}.`;
	for (const row of doc.failures) {
		byId('failures').hidden = false;
		make('li', byId('failures').querySelector('ul'), `${row.program}/${row.input}, ${row.variant}: ${row.reason}`);
	}
	const shown = ['pgo-same', 'pgo-other', 'pgo-same+bolt', 'dynopt', 'dynopt-eager', 'pgo-same+dynopt', 'jumpstations', 'again'];
	const means = doc.summary.programs || {};
	for (const variant of shown.filter(n => means[n])) {
		const card = make('div', byId('cards'), undefined, 'card'), r = means[variant];
		make('span', card, r.inputs < r.of ? `${variant}, ${r.inputs} of ${r.of} inputs` : variant);
		make('b', card, `${percent(r.value)} %`, mood(r));
		make('span', card, `${percent(r.low)} to ${percent(r.high)} %`);
	}
}

// Tables of ratios, a row for each input, a column for each variant; cell() fills one.
function matrix(table, experiments, variants, cell) {
	const head = make('tr', table);
	make('th', head, '');
	variants.forEach(v => breakable('th', head, v));
	for (const e of experiments) {
		const row = make('tr', table);
		make('td', row, title(e));
		variants.forEach(v => cell(make('td', row), e, v));
	}
}

// Stronger colour for a larger difference, none where none was seen.
function tint(cell, ratio, kind) {
	if (kind === 'unclear') return;
	const strength = Math.min(1, Math.abs(Math.log(ratio)) / 0.25);
	cell.style.background = color[kind] + Math.round(22 + 110 * strength).toString(16).padStart(2, '0');
}

const variantsOf = (experiments, of) => [...new Set(experiments.flatMap(e => Object.keys(of(e))))].filter(v => v !== 'O2');

function drawOverview() {
	const some = doc.experiments.filter(e => e.kind !== 'emulation');
	byId('overview-section').hidden = !some.length;
	if (!some.length) return;
	matrix(byId('overview'), some, variantsOf(some, e => e.results), (cell, e, v) => {
		const r = e.results[v] && e.results[v].ratio;
		if (!r) return void make('span', cell, '–');
		make('b', cell, percent(r.value));
		make('small', cell, `${percent(r.low)}…${percent(r.high)}`);
		tint(cell, r.value, mood(r));
	});
}

function drawRatios() {
	for (const [kind, variants] of Object.entries(doc.summary)) {
		const rows = rowsOf(variants);
		if (rows.length) forest(panel(byId('summary'), kinds[kind] || kind, '', heightOf(rows.length)), rows, kind === 'emulation');
	}
	for (const e of doc.experiments) {
		const rows = rowsOf(e.results), about = doc.programs[e.program].inputs[e.input].about;
		const base = e.results[e.baseline].cpu_s.median;
		if (rows.length) forest(panel(byId('experiments'), title(e) + (e.kind === 'emulation' ? ', emulation' : ''),
			`${about}; -O2 takes ${number(base, 2)} s`, heightOf(rows.length)), rows, e.kind === 'emulation');
	}
}

function bars(canvas, labels, datasets, title, stacked) {
	return new Chart(canvas, {
		type: 'bar',
		data: { labels, datasets: datasets.map(d => ({ barPercentage: 0.85, maxBarThickness: 16, ...d })) },
		options: {
			indexAxis: 'y', animation: false, maintainAspectRatio: false,
			scales: { x: axis(title, { stacked, beginAtZero: true }), y: names({ stacked }) },
			plugins: { legend: { position: 'top', align: 'start', labels: { color: text, boxWidth: 12, boxHeight: 12 } } },
		},
	});
}

function drawInstructions() {
	const counted = doc.experiments.filter(e => e.instructions && e.instructions[e.baseline]);
	byId('instructions-section').hidden = !counted.length;
	if (!counted.length) return;
	const variants = variantsOf(counted, e => e.instructions).filter(v => v !== 'again');
	if (variants.length) matrix(byId('instructions'), counted, variants, (cell, e, v) => {
		if (!e.instructions[v]) return void make('span', cell, '–');
		const ratio = e.instructions[v].total / e.instructions[e.baseline].total;
		make('b', cell, percent(ratio));
		if (Math.abs(ratio - 1) >= 0.0005) tint(cell, ratio, ratio < 1 ? 'faster' : 'slower');
	});
	if (window.Chart) drawShares(counted);
}

function drawShares(counted) {
	const translated = e => Object.keys(e.instructions).filter(n => e.instructions[n].share.translated > 0.01).slice(0, 1);
	const rows = counted.flatMap(e => [e.baseline, ...translated(e)].map(n =>
		({ name: n === e.baseline ? title(e) : n, share: e.instructions[n].share })));
	const parts = { program: 'the program’s file', libraries: 'libraries', translated: 'translated' };
	const sets = Object.keys(parts).map(part => ({
		label: parts[part], data: rows.map(r => 100 * (r.share[part] || 0)), backgroundColor: palette[part], stack: 'one',
	}));
	const canvas = panel(byId('share'), '', '', 96 + 22 * rows.length);
	const chart = bars(canvas, rows.map(r => r.name), sets, '% of executed instructions', true);
	chart.options.scales.x.max = 100;
	chart.update();
}

// Every run as a dot: what the intervals were made from.
function drawRuns() {
	for (const e of doc.experiments.filter(e => e.kind !== 'emulation')) {
		const variants = Object.keys(e.samples).filter(v => e.samples[v].length);
		const limit = LIMIT * e.results[e.baseline].cpu_s.median, times = variants.flatMap(v => e.samples[v].map(s => s.cpu_s));
		const most = 1.03 * Math.max(...times.filter(t => t <= limit));
		const all = variants.flatMap(v => e.samples[v].map(s =>
			({ x: Math.min(s.cpu_s, most), y: v, far: s.cpu_s > most, s })));
		new Chart(panel(byId('rounds'), title(e), '', 84 + 20 * variants.length), {
			type: 'scatter',
			data: { datasets: [{
				data: all, pointRadius: 3.5, pointStyle: all.map(p => p.far ? 'triangle' : 'circle'), pointRotation: 90,
				backgroundColor: all.map(p => (p.y === e.baseline ? text : css('--accent')) + '77'), borderWidth: 0,
			}] },
			options: {
				animation: false, maintainAspectRatio: false,
				scales: {
					x: axis('CPU s', { grace: '5%' }),
					y: names({ type: 'category', labels: variants, offset: true, grid: { color: line } }),
				},
				plugins: { legend: { display: false }, tooltip: { callbacks: {
					label: p => `${p.raw.y}, round ${p.raw.s.round + 1}: ${number(p.raw.s.cpu_s)} s`,
				} } },
			},
		});
	}
}

function drawFigures() {
	const figures = byId('figures');
	const row = (cells, tag, className) => {
		const tr = make('tr', figures, undefined, className);
		cells.forEach(c => make(tag, tr, c));
	};
	row(['', 'CPU s', 'quartiles', 'wall s', 'MiB', 'helpers s', 'ratio', '95 % interval', 'verdict', 'more', 'insns'], 'th');
	for (const e of doc.experiments) {
		row([`${title(e)} (${e.kind}, n = ${e.n})`], 'td', 'group');
		figures.lastChild.firstChild.colSpan = 11;
		for (const [variant, r] of Object.entries(e.results)) {
			const count = e.instructions && e.instructions[variant] && e.instructions[e.baseline]
				? number(e.instructions[variant].total / e.instructions[e.baseline].total) : '';
			row([variant, number(r.cpu_s.median), `${number(r.cpu_s.quartile_1)}–${number(r.cpu_s.quartile_3)}`,
				number(r.wall_s), number(r.peak_kib / 1024, 1), number(r.helper_s), number(r.ratio.value),
				`${number(r.ratio.low)}–${number(r.ratio.high)}`, r.ratio.verdict, r.ratio.more_rounds || '', count], 'td');
		}
	}
}

function drawSkipped() {
	const grouped = new Map();
	for (const s of doc.skipped) {
		const key = s.variant + '\n' + s.reason;
		grouped.set(key, [...(grouped.get(key) || []), `${s.program}/${s.input}`]);
	}
	byId('skipped-section').hidden = !grouped.size;
	for (const [key, where] of grouped) {
		const tr = make('tr', byId('skipped')), [variant, reason] = key.split('\n');
		make('td', tr, variant);
		make('td', tr, where.length > 3 ? `${where.length} inputs` : where.join(', '), 'text');
		make('td', tr, reason, 'text');
	}
	byId('absent-section').hidden = !Object.keys(doc.absent).length;
	facts(byId('absent'), doc.absent);
}

function facts(table, rows) {
	for (const [key, value] of Object.entries(rows)) {
		const tr = make('tr', table);
		make('td', tr, key, 'text');
		make('td', tr, value, 'text');
	}
}

function drawMachine() {
	const m = doc.machine, noise = doc.noise;
	facts(byId('machine'), {
		processor: `${m.processor}, ${m.processors} processors${m.virtual ? ', virtual' : ''}`,
		kernel: m.kernel, system: m.system, governor: m.governor,
		'address randomization': m.address_randomization, 'huge pages': m.huge_pages,
		'load average': `${m.load_before.join(', ')} before; ${m.load_after.join(', ')} after`,
		'baseline moved by itself': `${number(100 * noise.baseline_quartile_spread, 1)} % (middle half of its runs, over inputs)`,
		'others kept busy': `${number(noise.others_busy_processors, 2)} processors (median over runs)`,
		'stolen by the host': `${number(100 * noise.stolen_share, 1)} %`, took: `${Math.round(doc.seconds / 60)} minutes`,
		...m.tools,
	});
}

// What dynopt says of its runs; a figure that a version of it does not give stays empty.
function reportRow(e, variant, r) {
	const t = r.totals || {}, own = e.results[variant] && e.results[variant].over;
	const base = e.results[own ? own.variant : e.baseline];
	const milli = ns => ns === undefined ? '' : number(ns / 1e6, 1);
	const kib = bytes => bytes === undefined ? '' : Math.round(bytes / 1024);
	const refused = (t.refused || []).map(x => `${x.status} ${x.count}`).join(', ');
	const memory = e.results[variant] ? number((e.results[variant].peak_kib - base.peak_kib) / 1024, 1) : '';
	return [title(e), variant, t.heads, t.translated, milli(r.before_main_ns), milli(r.agent_cpu_ns), memory, r.flips,
		r.flips ? milli(r.flip_ns / r.flips) : '', kib(t.cache_used), refused];
}

function drawReports() {
	const rows = doc.experiments.flatMap(e => Object.entries(e.reports)
		.filter(([, r]) => (r.totals || {}).translated).map(([variant, r]) => [e, variant, r]));
	byId('reports-section').hidden = !rows.length;
	if (!rows.length) return;
	const put = (cells, tag) => {
		const tr = make('tr', byId('reports'));
		cells.forEach((c, i) => make(tag, tr, c === undefined ? '' : c, i === 1 || i === 10 ? 'text' : ''));
	};
	put(['', 'variant', 'heads', 'translated', 'ms to the first', 'agent CPU ms', 'MiB added', 'patches', 'ms a patch', 'cache KiB',
		'refused'], 'th');
	rows.forEach(row => put(reportRow(...row), 'td'));
	if (window.Chart) drawStart(rows);
}

function drawStart(rows) {
	const parts = { build_ns: 'reading modules', translate_ns: 'translating', apply_ns: 'patching' };
	const some = rows.filter(([, , r]) => r.totals.translate_ns !== undefined);
	const sets = Object.keys(parts).map((part, i) => ({
		label: parts[part], data: some.map(([, , r]) => (r.totals[part] || 0) / 1e6), backgroundColor: series[i + 1], stack: 'one',
	}));
	if (some.length) bars(panel(byId('start'), 'Time until the program starts', 'wall time by phase', 110 + 24 * some.length),
		some.map(([e, v]) => `${title(e)}, ${v}`), sets, 'ms', true);
}

function drawSharing() {
	byId('sharing-section').hidden = !doc.sharing.length;
	if (!doc.sharing.length || !window.Chart) return;
	const variants = [...new Set(doc.sharing.flatMap(s => Object.keys(s.variants)))];
	const sets = variants.map((v, i) => ({
		label: v, data: doc.sharing.map(s => s.variants[v] ? s.variants[v].pss_kib / 1024 : null),
		backgroundColor: series[i % series.length],
	}));
	const canvas = panel(byId('sharing'), `${doc.sharing[0].processes} processes at once`, 'pages that they share count once',
		110 + doc.sharing.length * (12 + 16 * variants.length));
	bars(canvas, doc.sharing.map(s => `${s.program} / ${s.input}`), sets, 'MiB', false);
}

drawHead();
drawOverview();
drawFigures();
drawSkipped();
drawMachine();
drawInstructions();
drawReports();
drawSharing();
if (window.Chart) {
	drawRatios();
	drawRuns();
} else {
	make('p', byId('summary'), 'No charts: Chart.js (package libjs-chart.js) was not installed when this page was made.');
}
