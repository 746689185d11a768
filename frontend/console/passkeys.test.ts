import assert from "node:assert/strict";
import { test } from "node:test";
import { toBytes, toText } from "./passkeys.ts";

test("what the server writes comes back as it was", () => {
  for (const text of ["", "AA", "_-8", "c29tZSBieXRlcw", "__79_A"]) assert.equal(toText(toBytes(text)), text);
});

test("bytes are those of base64url", () => {
  assert.deepEqual([...new Uint8Array(toBytes("-_8"))], [0xfb, 0xff]);
});
