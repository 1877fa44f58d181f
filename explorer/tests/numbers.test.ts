// Digits as Python writes them: ties go to the even digit, and ≈ marks a sum that is not exact.

import assert from "node:assert/strict";
import { test } from "node:test";

import { addsUp, dividesTo, multipliesTo, show } from "../src/arithmetic/numbers.ts";

test("ties round to the even digit", () => {
  assert.deepEqual(show(0.03125, false), { text: "0.0312", rounded: true });
  assert.deepEqual(show(0.09375, false), { text: "0.0938", rounded: true });
  assert.deepEqual(show(-0.03125, false), { text: "-0.0312", rounded: true });
  assert.equal(show(1000050000, false).text, "1e9");
});

test("short forms", () => {
  assert.deepEqual(show(2.5, false), { text: "2.5", rounded: false });
  assert.equal(show(2e-7, false).text, "2e-7");
  assert.equal(show(12345678901, true).text, "12345678901");
  assert.equal(show(-0, false).text, "0");
  assert.equal(show(-Infinity, false).text, "-inf");
});

test("what is shown adds up, or does not", () => {
  const [tenth, third] = [show(0.1, false), show(1 / 3, false)];
  assert.ok(addsUp([tenth, show(0.2, false)], show(0.1 + 0.2, false)));
  assert.ok(!addsUp([third, third, third], show(1, false)));
  assert.ok(multipliesTo([tenth, tenth], show(0.01, false)));
  assert.ok(!dividesTo(show(1, false), 3, third));
  assert.ok(dividesTo(show(1, false), 4, show(0.25, false)));
});
