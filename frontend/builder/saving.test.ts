import assert from "node:assert/strict";
import { test } from "node:test";
import type { Answer } from "./calls.ts";
import { Saver, type SaveState } from "./saving.ts";
import type { Content } from "./types.ts";

const page = (...titles: string[]): Content => ({
  root: {},
  sections: titles.map((title, index) => ({ id: `sec${index}`, type: "notice", version: 1, props: { title } })),
});

function desk(start: Content, answers: Answer[]) {
  const seen = { sent: [] as { version: number; content: Content; draw: string[] }[], states: [] as SaveState[], kept: [] as unknown[], conflict: undefined as Content | undefined };
  let now = start;
  const later: (() => void)[] = [];
  const saver = new Saver(
    {
      send: (body) => {
        seen.sent.push(body as never);
        return Promise.resolve(answers.shift() ?? { status: 0, data: {} });
      },
      current: () => now,
      state: (state) => void seen.states.push(state),
      drawn: () => undefined,
      merged: (content) => void (now = content),
      conflict: (theirs) => void (seen.conflict = theirs),
      refused: () => undefined,
      keep: (content) => void seen.kept.push(content),
      later: (act) => void later.push(act),
    },
    start,
    5,
  );
  const type = (content: Content) => {
    now = content;
    saver.touch();
  };
  return { saver, seen, type, tick: () => later.splice(0).forEach((act) => act()), current: () => now };
}

test("a change is saved once it is quiet, against its version", async () => {
  const { saver, seen, type } = desk(page("a"), [{ status: 200, data: { version: 6 } }]);
  type(page("b"));
  type(page("c"));

  assert.equal(await saver.flush(), true);
  assert.deepEqual(seen.sent.map((each) => [each.version, each.content.sections[0]?.props["title"], each.draw]), [[5, "c", ["sec0"]]]);
  assert.equal(saver.version, 6);
  assert.equal(seen.kept.at(-1), undefined);
});

test("without an answer the change is kept and sent again", async () => {
  const { saver, seen, type, tick } = desk(page("a"), [{ status: 0, data: {} }, { status: 200, data: { version: 6 } }]);
  type(page("b"));

  assert.equal(await saver.flush(), false);
  assert.equal(seen.states.at(-1), "offline");
  assert.notEqual(seen.kept.at(-1), undefined);
  tick();
  assert.equal(await saver.flush(), true);
  assert.equal(seen.sent.length, 2);
});

test("what another changed elsewhere on the page is taken in", async () => {
  const theirs = page("a", "their");
  const { saver, seen, type, current } = desk(page("a", "x"), [
    { status: 409, data: { version: 9, content: theirs } },
    { status: 200, data: { version: 10 } },
  ]);
  type(page("mine", "x"));

  assert.equal(await saver.flush(), true);
  assert.deepEqual(current(), page("mine", "their"));
  assert.equal(seen.sent[1]?.version, 9);
});

test("what both changed waits for a person, and nothing is sent meanwhile", async () => {
  const theirs = page("theirs");
  const { saver, seen, type } = desk(page("a"), [
    { status: 409, data: { version: 9, content: theirs } },
    { status: 200, data: { version: 10 } },
  ]);
  type(page("mine"));
  await saver.flush();
  type(page("mine too"));
  await saver.flush();

  assert.deepEqual(seen.conflict, theirs);
  assert.equal(seen.sent.length, 1);
  saver.insist(theirs, 9);
  assert.equal(await saver.flush(), true);
  assert.equal(seen.sent[1]?.version, 9);
});
