import assert from "node:assert/strict";
import { test } from "node:test";
import { Queue } from "./frames.ts";

test("so many run at once, in the order in which they came, each once", () => {
  const ran: string[] = [];
  const queue = new Queue<string>(2, (item) => ran.push(item));
  for (const item of ["a", "b", "c", "d"]) queue.add(item);
  assert.deepEqual(ran, ["a", "b"]);
  queue.add("a");
  queue.finish("b");
  assert.deepEqual(ran, ["a", "b", "c"]);
  queue.finish("a");
  queue.finish("c");
  assert.deepEqual(ran, ["a", "b", "c", "d"]);
});

test("what leaves before its turn is not run, and may come back", () => {
  const ran: string[] = [];
  const queue = new Queue<string>(1, (item) => ran.push(item));
  for (const item of ["a", "b", "c"]) queue.add(item);
  queue.leave("b");
  queue.finish("a");
  assert.deepEqual(ran, ["a", "c"]);
  queue.add("b");
  queue.finish("c");
  assert.deepEqual(ran, ["a", "c", "b"]);
});
