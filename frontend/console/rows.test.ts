import assert from "node:assert/strict";
import { test } from "node:test";
import { contrastOf, readColour } from "./contrast.ts";
import { numberRow } from "./rows.ts";

test("a new row takes its number in every name", () => {
  assert.equal(numberRow('<input name="v-__prefix__-a"><label for="id_v-__prefix__-a">', 3), '<input name="v-3-a"><label for="id_v-3-a">');
});

test("colours are read as browsers print them", () => {
  assert.deepEqual(readColour("rgb(255, 0, 51)"), [1, 0, 0.2]);
  assert.deepEqual(readColour("color(srgb 1 0 0.5)"), [1, 0, 0.5]);
  assert.equal(readColour("rgba(0, 0, 0, 0)"), undefined);
  assert.equal(readColour("transparent"), undefined);
});

test("black on white has the highest contrast and a colour on itself none", () => {
  assert.equal(contrastOf([0, 0, 0], [1, 1, 1]), 21);
  assert.equal(contrastOf([0.2, 0.3, 0.4], [0.2, 0.3, 0.4]), 1);
});
