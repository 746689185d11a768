import assert from "node:assert/strict";
import { test } from "node:test";
import { sameOrigin } from "./http.ts";

const page = "http://dian.localhost:8000/orders/1";

test("addresses of the own origin are made whole", () => {
  assert.equal(sameOrigin("/state", page), "http://dian.localhost:8000/state");
  assert.equal(sameOrigin("?q=1", page), "http://dian.localhost:8000/orders/1?q=1");
});

test("another origin, another port and other schemes are refused", () => {
  for (const url of ["https://evil.example/", "//evil.example/", "http://dian.localhost:8001/", "javascript:alert(1)", "data:,x", "http://"]) {
    assert.equal(sameOrigin(url, page), undefined, url);
  }
});
