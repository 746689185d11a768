import assert from "node:assert/strict";
import { test } from "node:test";
import { readFields, readOutcome } from "./paying.ts";

test("fields for the bridge are an object of texts, or nothing", () => {
  assert.deepEqual(readFields('{"appId":"wx1","package":"prepay_id=1"}'), { appId: "wx1", package: "prepay_id=1" });
  for (const odd of ["", "{", "[]", "null", '"x"', '{"a":1}', '{"a":{"b":"c"}}']) assert.equal(readFields(odd), undefined);
});

test("only the exact word means that the window said ok", () => {
  assert.equal(readOutcome("get_brand_wcpay_request:ok"), "ok");
  assert.equal(readOutcome("get_brand_wcpay_request:cancel"), "cancel");
  for (const odd of [undefined, "", "ok", "get_brand_wcpay_request:fail", "get_brand_wcpay_request:ok "]) {
    assert.equal(readOutcome(odd), "fail");
  }
});
