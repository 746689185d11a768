import assert from "node:assert/strict";
import { test } from "node:test";
import { loadDraft, saveDraft, toHalfWidth } from "./forms.ts";

function makeStorage(): Storage {
  const kept = new Map<string, string>();
  return {
    get length() {
      return kept.size;
    },
    clear: () => kept.clear(),
    getItem: (key) => kept.get(key) ?? null,
    key: () => null,
    removeItem: (key) => void kept.delete(key),
    setItem: (key, value) => void kept.set(key, value),
  };
}

test("full-width digits and signs become what was meant", () => {
  assert.equal(toHalfWidth("１３８００１３８０００"), "13800138000");
  assert.equal(toHalfWidth("ａ＠ｑｑ．ｃｏｍ　"), "a@qq.com ");
  assert.equal(toHalfWidth("王者荣耀"), "王者荣耀");
});

test("a draft comes back as it was kept, and is gone when dropped", () => {
  const storage = makeStorage();
  const draft = { at: 5, values: { contact: ["138"] } };

  saveDraft(storage, "checkout", draft);
  assert.deepEqual(loadDraft(storage, "checkout"), draft);

  saveDraft(storage, "checkout", undefined);
  assert.equal(loadDraft(storage, "checkout"), undefined);
});

test("a broken draft, or one too large, is no draft", () => {
  const storage = makeStorage();
  storage.setItem("draft:a", "{");

  assert.equal(loadDraft(storage, "a"), undefined);
  saveDraft(storage, "b", { at: 1, values: { note: ["长".repeat(30_000)] } });
  assert.equal(loadDraft(storage, "b"), undefined);
});
