// SPDX-License-Identifier: MIT
// Arithmetic, typed arrays, bit operations, recursion: the executor's hot paths.
function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
print(fib(20));
var size = 20000, sieve = new Uint8Array(size), primes = 0;
for (var i = 2; i < size; i++) {
	if (sieve[i]) continue;
	primes++;
	for (var j = i * 2; j < size; j += i) sieve[j] = 1;
}
print(primes);
var x = 1, hash = 0;
for (var i = 0; i < 100000; i++) {
	x = (Math.imul ? Math.imul(x, 1103515245) : x * 1103515245) + 12345 | 0;
	hash = (hash << 5) - hash + (x >>> 16) | 0;
}
print(x, hash);
var a = new Float64Array(64), s = 0;
for (var i = 0; i < 64; i++) a[i] = Math.sin(i) * 100;
for (var r = 0; r < 200; r++) for (var i = 0; i < 64; i++) s += a[i] * a[63 - i] / (r + 1);
print(s.toFixed(6), (0.1 + 0.2).toString(), (255).toString(16), parseInt('z', 36), 1 / -0, -7 % 3);
switch (primes % 4) { case 0: print('zero'); break; case 2: print('two'); break; default: print('odd'); }
