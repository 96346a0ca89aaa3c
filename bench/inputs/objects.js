// SPDX-License-Identifier: MIT
// Objects, strings, JSON, regular expressions, sorting. objects_rounds says how often.
var rounds = Number(objects_rounds);
var state = 12345;
function random(n) {
	state = (state * 69069 + 1) % 4294967296;
	return Math.floor(state / 65536) % n;
}
function record(i) {
	return { id: i, name: 'name' + random(400), tags: ['a' + random(9), 'b' + random(9)],
		size: random(10000), nested: { left: i % 7, right: 'r' + (i % 11) } };
}
function once(round) {
	var list = [], groups = {}, i, text, words, count = 0;
	for (i = 0; i < 300; i++) list.push(record(i));
	text = JSON.stringify(list);
	list = JSON.parse(text);
	list.sort(function (a, b) { return a.name < b.name ? -1 : a.name > b.name ? 1 : a.id - b.id; });
	list.forEach(function (r) {
		(groups[r.name] = groups[r.name] || []).push(r.size + r.nested.left);
	});
	words = text.split('"').filter(function (w) { return /^name[0-9]*7$/.test(w); });
	for (i in groups) count += groups[i].reduce(function (a, b) { return a + b; }, 0);
	print(round, text.length, list[0].name, Object.keys(groups).length, words.length, count);
}
for (var r = 1; r <= rounds; r++) once(r);
