// SPDX-License-Identifier: MIT
//
// draw.js - draws the embedded document with Chart.js. Every panel is one call of
// panel() and one chart; forest() is the chart of ratios with intervals.
'use strict';
const doc = JSON.parse(document.getElementById('document').textContent);
const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const color = { faster: css('--faster'), slower: css('--slower'), unclear: css('--unclear') };
const text = css('--text'), muted = css('--muted'), line = css('--line');
const mood = r => r.verdict === 'faster' || r.verdict === 'slower' ? r.verdict : 'unclear';
const number = (x, digits = 3) => x.toFixed(digits);
const byId = id => document.getElementById(id);

function make(tag, parent, content, className) {
	const element = parent.appendChild(document.createElement(tag));
	if (content !== undefined) element.textContent = content;
	if (className) element.className = className;
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

// The line at 1, the estimates as dots, their values in figures.
const estimates = {
	id: 'estimates',
	beforeDatasetsDraw(chart) {
		const at = chart.scales.x.getPixelForValue(1), area = chart.chartArea;
		if (at < area.left || at > area.right) return;
		chart.ctx.strokeStyle = muted;
		chart.ctx.lineWidth = 1.5;
		chart.ctx.beginPath();
		chart.ctx.moveTo(at, area.top);
		chart.ctx.lineTo(at, area.bottom);
		chart.ctx.stroke();
	},
	afterDatasetsDraw(chart) {
		const ctx = chart.ctx;
		chart.$rows.forEach((row, i) => {
			const bar = chart.getDatasetMeta(0).data[i], x = chart.scales.x.getPixelForValue(row.ratio.value);
			ctx.fillStyle = color[mood(row.ratio)];
			ctx.beginPath();
			ctx.arc(x, bar.y, 4.5, 0, 7);
			ctx.fill();
			ctx.fillStyle = text;
			ctx.font = '12px system-ui, sans-serif';
			ctx.textAlign = 'left';
			ctx.textBaseline = 'middle';
			ctx.fillText(number(row.ratio.value), chart.chartArea.right + 8, bar.y);
		});
	},
};

function forest(canvas, rows, logarithmic) {
	const low = Math.min(1, ...rows.map(r => r.ratio.low)), high = Math.max(1, ...rows.map(r => r.ratio.high));
	const pad = logarithmic ? 0 : Math.max(0.01, (high - low) * 0.06);
	const chart = new Chart(canvas, {
		type: 'bar',
		data: {
			labels: rows.map(r => r.name),
			datasets: [{
				data: rows.map(r => [r.ratio.low, r.ratio.high]), borderRadius: 3, borderSkipped: false, barThickness: 8,
				backgroundColor: rows.map(r => color[mood(r.ratio)] + '66'),
			}],
		},
		options: {
			indexAxis: 'y', animation: false, maintainAspectRatio: false, layout: { padding: { right: 48 } },
			scales: {
				x: axis('CPU time relative to -O2', logarithmic
					? { type: 'logarithmic', min: low * 0.9, max: high * 1.1 } : { min: low - pad, max: high + pad }),
				y: axis('', { grid: { display: false }, ticks: { color: text, autoSkip: false } }),
			},
			plugins: {
				legend: { display: false },
				tooltip: { callbacks: { label: item => describe(rows[item.dataIndex]) } },
			},
		},
		plugins: [{ id: 'rows', beforeInit: c => { c.$rows = rows; } }, estimates],
	});
	return chart;
}

function describe(row) {
	const r = row.ratio, said = [`${number(r.value)}  (95 %: ${number(r.low)} to ${number(r.high)})`, r.verdict,
		`${r.rounds} rounds`];
	if (r.more_rounds) said.push(`${r.more_rounds} more for ±${100 * doc.precision} %`);
	if (row.seconds) said.push(`median ${number(row.seconds)} s`);
	return said;
}

const rowsOf = results => Object.entries(results).filter(([, r]) => (r.ratio || r).verdict !== 'the same')
	.map(([name, r]) => ({ name, ratio: r.ratio || r, seconds: r.cpu_s && r.cpu_s.median }));
const heightOf = n => 70 + 23 * n;
const kinds = { programs: 'Real programs', kernels: 'Kernels beyond a profile’s reach', emulation: 'Emulation: all code translated' };

function drawHead() {
	const when = doc.started.replace('T', ' ').replace('+00:00', ' UTC');
	byId('what').textContent = `${doc.machine.processor}, ${doc.machine.processors} processors, Linux ${doc.machine.kernel}. `
		+ `${when}, revision ${doc.revision}, ${doc.rounds} rounds.`;
	for (const row of doc.failures) {
		byId('failures').hidden = false;
		make('li', byId('failures').querySelector('ul'), `${row.program}/${row.input}, ${row.variant}: ${row.reason}`);
	}
	const shown = ['again', 'jumpstations', 'pgo-same', 'pgo-other', 'pgo-same+bolt', 'dynopt', 'dynopt-eager', 'pgo-same+dynopt'];
	const means = doc.summary.programs || {};
	for (const name of shown.filter(n => means[n])) {
		const card = make('div', byId('cards'), undefined, 'card'), r = means[name];
		make('span', card, name);
		make('b', card, `${r.value < 1 ? '−' : '+'}${number(Math.abs(100 * (r.value - 1)), 1)} %`, mood(r));
		make('span', card, `${number(100 * (r.low - 1), 1)} to ${number(100 * (r.high - 1), 1)} %, ${r.inputs} inputs`);
	}
}

function drawRatios() {
	for (const [kind, variants] of Object.entries(doc.summary)) {
		const rows = rowsOf(variants);
		if (rows.length) forest(panel(byId('summary'), kinds[kind] || kind, '', heightOf(rows.length)), rows, kind === 'emulation');
	}
	for (const e of doc.experiments) {
		const rows = rowsOf(e.results), about = doc.programs[e.program].inputs[e.input].about;
		const base = e.results[e.baseline].cpu_s.median;
		const canvas = panel(byId('experiments'), `${e.program} / ${e.input}${e.kind === 'emulation' ? ', emulation' : ''}`,
			`${about}; -O2 takes ${number(base, 2)} s`, heightOf(rows.length));
		forest(canvas, rows, e.kind === 'emulation');
	}
}

const palette = ['#2f6fb3', '#e08a2b', '#0b8a6f', '#8a5fbf', '#c8452e', '#4aa3c7', '#7d8a98', '#b0792f', '#5b8c3a', '#d4679b',
	'#3b4f9e', '#9a9a2f', '#1f9e9e', '#a84c6b', '#6b7f2a', '#d0a03a', '#555f6b', '#7c3f8f', '#2a7d4f', '#b5533c'];

function bars(canvas, labels, datasets, title, more) {
	return new Chart(canvas, {
		type: 'bar', data: { labels, datasets },
		options: {
			animation: false, maintainAspectRatio: false, ...more.options,
			scales: { x: axis(more.horizontal ? title : '', more.x), y: axis(more.horizontal ? '' : title, more.y) },
			plugins: { legend: { position: 'bottom', labels: { color: text, boxWidth: 12 } } },
		},
	});
}

function drawInstructions() {
	const counted = doc.experiments.filter(e => e.instructions && e.instructions[e.baseline]);
	byId('instructions-section').hidden = !counted.length;
	if (!counted.length) return;
	const names = [...new Set(counted.flatMap(e => Object.keys(e.instructions)))].filter(n => n !== 'O2' && n !== 'again');
	const labels = counted.map(e => `${e.program}/${e.input}`);
	const of = (e, n) => e.instructions[n] ? 100 * (e.instructions[n].total / e.instructions[e.baseline].total - 1) : null;
	if (names.length) bars(panel(byId('instructions'), '', '', 380), labels, names.map((n, i) => ({
		label: n, data: counted.map(e => of(e, n)), backgroundColor: palette[i % palette.length],
	})), 'instructions against -O2, %', { options: {}, x: { grid: { display: false }, ticks: { color: text } } });
	const rows = counted.flatMap(e => Object.keys(e.instructions)
		.filter(n => n === e.baseline || e.instructions[n].share.translated)
		.map(n => ({ name: `${e.program}/${e.input}` + (n === e.baseline ? '' : `, ${n}`), share: e.instructions[n].share })));
	const parts = [['program', palette[0]], ['libraries', palette[6]], ['translated', palette[2]]];
	bars(panel(byId('share'), '', '', 90 + 24 * rows.length), rows.map(r => r.name), parts.map(([part, colour]) => ({
		label: part, data: rows.map(r => 100 * (r.share[part] || 0)), backgroundColor: colour, stack: 'one',
	})), '% of executed instructions', { horizontal: true, options: { indexAxis: 'y' }, x: { stacked: true, max: 100 },
		y: { stacked: true, grid: { display: false }, ticks: { color: text, autoSkip: false } } });
}

function drawRounds() {
	for (const e of doc.experiments.filter(e => e.kind !== 'emulation')) {
		const names = Object.keys(e.samples);
		new Chart(panel(byId('rounds'), `${e.program} / ${e.input}`, '', 240), {
			type: 'line',
			data: {
				labels: e.samples[e.baseline].map(s => s.round + 1),
				datasets: names.map((n, i) => ({
					label: n, data: e.samples[n].map(s => s.cpu_s), borderColor: palette[i % palette.length], borderWidth: n === 'O2' ? 3 : 1.2,
					pointRadius: 1.5, tension: 0,
				})),
			},
			options: {
				animation: false, maintainAspectRatio: false, scales: { x: axis('round'), y: axis('CPU s') },
				plugins: { legend: { position: 'right', labels: { color: text, boxWidth: 10, font: { size: 10 } } } },
			},
		});
	}
}

function drawTables() {
	const figures = byId('figures');
	const row = (cells, tag, className) => {
		const tr = make('tr', figures, undefined, className);
		cells.forEach(c => make(tag, tr, c));
	};
	row(['', 'median CPU s', 'quartiles', 'wall s', 'MiB', 'helpers s', 'ratio', '95 % interval', 'verdict', 'more rounds', 'instructions'], 'th');
	for (const e of doc.experiments) {
		row([`${e.program}/${e.input} (${e.kind}, n = ${e.n})`], 'td', 'group');
		for (const [name, r] of Object.entries(e.results)) {
			const count = e.instructions && e.instructions[name] && e.instructions[e.baseline]
				? number(e.instructions[name].total / e.instructions[e.baseline].total) : '';
			row([name, number(r.cpu_s.median), `${number(r.cpu_s.quartile_1)}–${number(r.cpu_s.quartile_3)}`, number(r.wall_s),
				number(r.peak_kib / 1024, 1), number(r.helper_s), number(r.ratio.value), `${number(r.ratio.low)}–${number(r.ratio.high)}`,
				r.ratio.verdict, r.ratio.more_rounds || '', count], 'td');
		}
	}
	drawReports();
	byId('skipped-section').hidden = !doc.skipped.length;
	const grouped = new Map();
	for (const s of doc.skipped) {
		const key = s.variant + '\n' + s.reason;
		grouped.set(key, [...(grouped.get(key) || []), `${s.program}/${s.input}`]);
	}
	for (const [key, where] of grouped) {
		const tr = make('tr', byId('skipped')), [variant, reason] = key.split('\n');
		make('td', tr, variant);
		make('td', tr, where.length > 3 ? `${where.length} inputs` : where.join(', '), 'text');
		make('td', tr, reason, 'text');
	}
	const m = doc.machine, noise = doc.noise;
	const facts = {
		processor: `${m.processor}, ${m.processors} processors${m.virtual ? ', virtual' : ''}`, kernel: m.kernel, system: m.system,
		governor: m.governor, 'address randomization': m.address_randomization, 'huge pages': m.huge_pages,
		'load average': `${m.load_before.join(', ')} before; ${m.load_after.join(', ')} after`,
		'baseline moved by itself': `${number(100 * noise.baseline_quartile_spread, 1)} % (middle half of its runs, median over inputs)`,
		'others kept busy': `${number(noise.others_busy_processors, 2)} processors (median over runs)`,
		'stolen by the host': `${number(100 * noise.stolen_share, 1)} %`, took: `${Math.round(doc.seconds / 60)} minutes`, ...m.tools,
	};
	for (const [name, value] of Object.entries(facts)) {
		const tr = make('tr', byId('machine'));
		make('td', tr, name);
		make('td', tr, value, 'text');
	}
}

// Only what a report has; a figure that a version of dynopt does not give stays empty.
function drawReports() {
	const rows = doc.experiments.flatMap(e => Object.entries(e.reports).map(([name, r]) => [e, name, r]));
	const milli = ns => ns === undefined ? '' : number(ns / 1e6, 1);
	byId('reports-section').hidden = !rows.length;
	if (!rows.length) return;
	const put = (cells, tag) => {
		const tr = make('tr', byId('reports'));
		cells.forEach((c, i) => make(tag, tr, c === undefined ? '' : c, i === 9 ? 'text' : ''));
	};
	put(['', 'variant', 'heads', 'translated', 'ms before main', 'agent CPU ms', 'flips', 'ms a flip', 'cache KiB', 'refused'], 'th');
	for (const [e, name, r] of rows) {
		const t = r.totals || {}, refused = (t.refused || []).map(x => `${x.status} ${x.count}`).join(', ');
		put([`${e.program}/${e.input}`, name, t.heads, t.translated, milli(r.before_main_ns), milli(r.agent_cpu_ns), r.flips,
			r.flips ? milli(r.flip_ns / r.flips) : '', t.cache_used === undefined ? '' : Math.round(t.cache_used / 1024), refused], 'td');
	}
}

drawHead();
drawTables();
if (window.Chart) {
	drawRatios();
	drawInstructions();
	drawRounds();
} else {
	make('p', byId('summary'), 'No charts: Chart.js (package libjs-chart.js) was not installed when this page was made.');
}
