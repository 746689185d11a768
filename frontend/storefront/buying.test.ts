import assert from "node:assert/strict";
import { test } from "node:test";
import { nextIndex } from "../shared/suggest.ts";
import { clampQuantity, dueOf } from "./buying.ts";

test("a quantity stays inside its limits, whatever is typed", () => {
  assert.equal(clampQuantity("3", 1, 5), 3);
  assert.equal(clampQuantity("0", 1, 5), 1);
  assert.equal(clampQuantity("99", 1, 5), 5);
  for (const text of ["", "-2", "1.5", "1e3", "两", "99999999999"]) assert.equal(clampQuantity(text, 1, 5), 1);
});

test("limits that contradict each other give the least", () => {
  assert.equal(clampQuantity("7", 2, 0), 2);
});

test("the selection goes around the ends", () => {
  assert.equal(nextIndex(-1, 1, 3), 0);
  assert.equal(nextIndex(-1, -1, 3), 2);
  assert.equal(nextIndex(2, 1, 3), 0);
  assert.equal(nextIndex(0, -1, 3), 2);
  assert.equal(nextIndex(0, 1, 0), -1);
});

test("what is paid follows the choice and the part that the wallet pays", () => {
  assert.equal(dueOf({ due: "99.60", partDue: "49.30" }, false), 996_000);
  assert.equal(dueOf({ due: "99.60", partDue: "49.30" }, true), 493_000);
  assert.equal(dueOf({}, true), undefined);
});
