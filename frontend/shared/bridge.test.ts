import assert from "node:assert/strict";
import { test } from "node:test";
import { PAY } from "../storefront/paying.ts";
import { RECEIVE, readFields, readOutcome } from "./bridge.ts";

test("fields for the bridge are an object of texts, or nothing", () => {
  assert.deepEqual(readFields('{"appId":"wx1","package":"prepay_id=1"}'), { appId: "wx1", package: "prepay_id=1" });
  for (const odd of ["", "{", "[]", "null", '"x"', '{"a":1}', '{"a":{"b":"c"}}']) assert.equal(readFields(odd), undefined);
});

test("only the exact word means that the window said ok", () => {
  for (const { word } of [PAY, RECEIVE]) {
    assert.equal(readOutcome(`${word}:ok`, word), "ok");
    for (const gone of ["cancel", "close"]) assert.equal(readOutcome(`${word}:${gone}`, word), "cancel");
    for (const odd of [undefined, "", "ok", `${word}:fail`, `${word}:ok `]) assert.equal(readOutcome(odd, word), "fail");
  }
  assert.equal(readOutcome("get_brand_wcpay_request:ok", RECEIVE.word), "fail");
});
