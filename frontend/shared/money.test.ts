import assert from "node:assert/strict";
import { test } from "node:test";
import { formatYuan, groupThousands, parseYuan } from "./money.ts";

test("yuan are read exactly, in ten-thousandths", () => {
  assert.equal(parseYuan("0"), 0);
  assert.equal(parseYuan("12.34"), 123_400);
  assert.equal(parseYuan("0.0123"), 123);
  assert.equal(parseYuan("999999.99"), 9_999_999_900);
});

test("anything but plain yuan is refused", () => {
  for (const text of ["", "-1", "+1", "1e3", "1,000", "１２", "1.23456", ".5", "1.", " 1", "NaN", "9999999999"]) {
    assert.equal(parseYuan(text), undefined, text);
  }
});

test("printing shows four decimals only below a fen", () => {
  assert.equal(formatYuan(123_400), "12.34");
  assert.equal(formatYuan(123), "0.0123");
  assert.equal(formatYuan(-50_000), "-5.00");
  assert.equal(formatYuan(0), "0.00");
});

test("reading what was printed gives the same amount", () => {
  for (const amount of [0, 1, 99, 100, 10_000, 123_456_789, 10 ** 13]) {
    assert.equal(parseYuan(formatYuan(amount)), amount);
  }
});

test("thousands are grouped in the whole part only", () => {
  assert.equal(groupThousands("1234567.80"), "1,234,567.80");
  assert.equal(groupThousands("999.0123"), "999.0123");
  assert.equal(groupThousands("1000"), "1,000");
});
