import assert from "node:assert/strict";
import { test } from "node:test";
import { PAY } from "../storefront/paying.ts";
import { RECEIVE, readFields, readOutcome, startBridge } from "./bridge.ts";

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

type Line = { hidden: boolean; dataset: { bridgeSaid: string } };

/** Make a page's box with a button and its lines, as far as the bridge looks at them. */
function makeBox(fields: string) {
  const lines: Line[] = ["cancel", "fail", "ok", "absent"].map((bridgeSaid) => ({ hidden: true, dataset: { bridgeSaid } }));
  let press = () => {};
  const button = { disabled: false, addEventListener: (_name: string, act: () => void) => void (press = act) };
  const box = { dataset: { receiveBridge: fields }, querySelector: () => button, querySelectorAll: () => lines };
  return { box: box as unknown as HTMLElement, press: () => press(), said: () => lines.filter((line) => !line.hidden).map((line) => line.dataset.bridgeSaid) };
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 0));

test("a payout is confirmed at a press only, with the page's fields, and the word is said", async () => {
  const calls: [string, Record<string, string>][] = [];
  let answer = (_said: { err_msg?: string }) => {};
  const bridge = { invoke: (name: string, values: Record<string, string>, done: typeof answer) => void (calls.push([name, values]), (answer = done)) };
  Object.assign(globalThis, { window: { WeixinJSBridge: bridge } });
  const fields = { mchId: "1900000001", appId: "wx1", package: "ABBQO+oY==" };
  const page = makeBox(JSON.stringify(fields));
  startBridge(page.box, RECEIVE);
  await settle();
  assert.deepEqual(calls, []);

  page.press();
  await settle();

  assert.deepEqual(calls, [["requestMerchantTransfer", fields]]);
  assert.deepEqual(page.said(), []);
  for (const word of ["cancel", "fail", "ok"]) {
    answer({ err_msg: `requestMerchantTransfer:${word}` });
    assert.deepEqual(page.said(), [word]);
  }
});

test("odd fields call nothing", async () => {
  let count = 0;
  Object.assign(globalThis, { window: { WeixinJSBridge: { invoke: () => count++ } } });
  const page = makeBox("[]");
  startBridge(page.box, RECEIVE);
  page.press();
  await settle();
  assert.equal(count, 0);
  assert.deepEqual(page.said(), ["absent"]);
});
