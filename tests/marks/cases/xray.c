// SPDX-License-Identifier: MIT
// XRay decides at code generation which functions get sleds: all that may are marked.
// FLAGS: -fxray-instrument
// EXPECT: always plain SLEDS noslots
// EXPECT: perhaps plain SLEDS noslots
// EXPECT: never plain private
__attribute__((xray_always_instrument)) int always(int x)
{
	return x + 1;
}

int perhaps(int x)
{
	return x + 2;
}

__attribute__((xray_never_instrument)) int never(int x)
{
	return x + 3;
}
