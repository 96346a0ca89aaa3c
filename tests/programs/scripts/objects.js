// SPDX-License-Identifier: MIT
// Objects, prototypes, closures, exceptions, JSON, regular expressions, sorting.
function Point(x, y) { this.x = x; this.y = y; }
Point.prototype.add = function (o) { return new Point(this.x + o.x, this.y + o.y); };
var p = new Point(0, 0);
for (var i = 0; i < 20000; i++) p = p.add(new Point(i, -i / 2));
print(JSON.stringify(p));

var rows = [];
for (var i = 0; i < 500; i++)
	rows.push({ id: i, name: 'n' + (i * 7919 % 1009), tags: [i % 3, String(i % 5), i % 2 === 0] });
var text = JSON.stringify(rows);
var back = JSON.parse(text, function (k, v) { return k === 'id' ? v * 2 : v; });
back.sort(function (a, b) { return a.name < b.name ? -1 : a.name > b.name ? 1 : a.id - b.id; });
print(text.length, back[0].name, back[250].id, JSON.stringify(back[499]));

function deep(n) {
	try {
		if (n === 0) throw new RangeError('bottom');
		return deep(n - 1);
	} catch (e) {
		if (n % 5 === 0) throw new Error(e.message + ' ' + n);
		throw e;
	} finally {
		deep.calls = (deep.calls || 0) + 1;
	}
}
try { deep(23); } catch (e) { print(e.name + ': ' + e.message, deep.calls); }
try { null.x; } catch (e) { print(e instanceof TypeError); }

var out = 'The rain in Spain stays mainly in the plain'.replace(/(\w+)ain/g, function (m, h) { return h.toUpperCase() + 'AIN'; });
print(out, /^(a+)+$/.test('aaaaaaaaaaaaaab'), 'a,b;c'.split(/[,;]/).join('|'));
var compose = [1, 2, 3, 4].map(function (k) { return function (x) { return x * k; }; })
	.reduce(function (f, g) { return function (x) { return g(f(x)); }; });
print(compose(2));
var log = [];
var target = new Proxy({}, { get: function (t, k) { log.push(String(k)); return k; } });
print(target.one + target.two, log.join());
print(Object.keys({ b: 1, a: 2, 10: 3, 2: 4 }).join(), typeof undefined, [1, [2, [3]]].toString());
