import assert from "node:assert/strict";
import { test } from "node:test";
import { describeSize, readMessage } from "./imports.ts";

test("sizes are said in the unit that fits", () => {
  assert.equal(describeSize(900), "900 B");
  assert.equal(describeSize(165_667), "162 KB");
  assert.equal(describeSize(64 * 1024 * 1024), "64.0 MB");
});

test("only a JSON answer with a message has a message", () => {
  assert.equal(readMessage('{"message": "文件太大"}'), "文件太大");
  for (const body of ["", "<html>", "null", '{"message": 3}', "[]"]) assert.equal(readMessage(body), "");
});
