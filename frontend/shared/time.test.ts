import assert from "node:assert/strict";
import { test } from "node:test";
import { countdownParts, describeRemaining, fill, pollDelay } from "./time.ts";

const words = { minutes: "{m} 分 {s} 秒", hours: "{h} 小时 {m} 分", days: "{d} 天 {h} 小时" };

test("the time left is said in the two largest units", () => {
  assert.equal(describeRemaining(14 * 60_000 + 5_000, words), "14 分 05 秒");
  assert.equal(describeRemaining(3 * 3_600_000 + 61_000, words), "3 小时 1 分");
  assert.equal(describeRemaining(49 * 3_600_000, words), "2 天 1 小时");
});

test("a part of a second still counts as one, and the past as none", () => {
  assert.equal(describeRemaining(1, words), "0 分 01 秒");
  assert.equal(describeRemaining(-5_000, words), "0 分 00 秒");
});

test("a text keeps the names it has no value for", () => {
  assert.equal(fill("{a} 到 {b}", { a: 1 }), "1 到 {b}");
});

test("polling grows patient and never faster than once a second", () => {
  assert.equal(pollDelay(2, 0), 2_000);
  assert.equal(pollDelay(0, 0), 1_000);
  assert.equal(pollDelay(2, 61_000), 5_000);
  assert.equal(pollDelay(2, 301_000), 15_000);
});

test("what is left is split into its parts, rounded up", () => {
  assert.deepEqual(countdownParts(90_061_000), { days: 1, hours: 1, minutes: 1, seconds: 1 });
  assert.deepEqual(countdownParts(1), { days: 0, hours: 0, minutes: 0, seconds: 1 });
  assert.deepEqual(countdownParts(-5), { days: 0, hours: 0, minutes: 0, seconds: 0 });
});
