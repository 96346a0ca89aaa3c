// SPDX-License-Identifier: MIT
// Arithmetic: Mandelbrot, matrix product on typed arrays, a sieve. numeric_rounds says how often.
var rounds = Number(numeric_rounds);
function mandelbrot(size) {
	var inside = 0;
	for (var y = 0; y < size; y++) {
		for (var x = 0; x < size; x++) {
			var cr = 2.5 * x / size - 2, ci = 2 * y / size - 1, zr = 0, zi = 0, n = 0;
			while (n < 50 && zr * zr + zi * zi < 4) {
				var t = zr * zr - zi * zi + cr;
				zi = 2 * zr * zi + ci;
				zr = t;
				n++;
			}
			if (n === 50) inside++;
		}
	}
	return inside;
}
function matrix(n) {
	var a = new Float64Array(n * n), b = new Float64Array(n * n), trace = 0;
	for (var i = 0; i < n * n; i++) { a[i] = i % 17; b[i] = i % 13; }
	for (i = 0; i < n; i++)
		for (var k = 0; k < n; k++) trace += a[i * n + k] * b[k * n + i];
	return trace;
}
function sieve(n) {
	var composite = new Uint8Array(n + 1), primes = 0;
	for (var i = 2; i <= n; i++) {
		if (composite[i]) continue;
		primes++;
		for (var j = i * i; j <= n; j += i) composite[j] = 1;
	}
	return primes;
}
for (var r = 1; r <= rounds; r++) print(r, mandelbrot(24), matrix(40), sieve(8000));
