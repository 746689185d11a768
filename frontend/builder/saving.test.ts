import assert from "node:assert/strict";
import { test } from "node:test";
import type { Answer } from "./calls.ts";
import { Saver, type Clash, type SaveState } from "./saving.ts";
import type { Content } from "./types.ts";

const page = (...titles: string[]): Content => ({
  root: {},
  sections: titles.map((title, index) => ({ id: `sec${index}`, type: "notice", version: 1, props: { title } })),
});

function desk(start: Content, answers: Answer[]) {
  const seen = { sent: [] as { version: number; content: Content; draw: string[]; overrules?: boolean }[], states: [] as SaveState[], kept: [] as unknown[], conflict: undefined as Clash | undefined };
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
      saved: () => undefined,
      isSignedOut: (answer) => answer.status === 401,
      merged: (content) => void (now = content),
      conflict: (clash) => void (seen.conflict = clash),
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
  assert.deepEqual(seen.sent[1]?.draw, ["sec0", "sec1"]); // mine is new to the server, theirs to the screen
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

  assert.deepEqual(seen.conflict?.meeting.theirs, theirs);
  assert.equal(seen.states.at(-1), "conflict");
  assert.equal(seen.sent.length, 1);
  saver.insist(theirs, 9);
  assert.equal(await saver.flush(), true);
  assert.equal(seen.sent[1]?.version, 9);
  assert.equal(seen.sent[1]?.overrules, true);
  assert.equal(seen.sent[0]?.overrules, undefined);
});

test("an answer that is none of ours is not taken for a save", async () => {
  const { saver, seen, type, tick } = desk(page("a"), [{ status: 200, data: {} }, { status: 200, data: { version: 6 } }]);
  type(page("b"));

  assert.equal(await saver.flush(), false);
  assert.equal(seen.states.at(-1), "offline");
  assert.equal(saver.version, 5);
  tick();
  assert.equal(await saver.flush(), true);
  assert.equal(saver.version, 6);
});

test("who was signed out goes on where they were after signing in", async () => {
  const { saver, seen, type } = desk(page("a"), [{ status: 401, data: { code: "sign_in_needed" } }, { status: 200, data: { version: 6 } }]);
  type(page("b"));

  assert.equal(await saver.flush(), false);
  assert.equal(seen.states.at(-1), "signed_out");
  type(page("c"));
  assert.equal(await saver.flush(), false);
  assert.equal(seen.sent.length, 1);
  assert.equal(await saver.resume(), true);
  assert.equal(seen.sent[1]?.content.sections[0]?.props["title"], "c");
  assert.equal(seen.kept.at(-1), undefined);
});

test("a save that arrived without an answer is no conflict with oneself", async () => {
  const arrived = page("b");
  const { saver, seen, type, tick, current } = desk(page("a"), [
    { status: 0, data: {} },
    { status: 409, data: { version: 6, content: arrived } },
    { status: 200, data: { version: 7 } },
  ]);
  type(page("b"));
  await saver.flush();
  type(page("bc"));
  tick();

  assert.equal(await saver.flush(), true);
  assert.equal(seen.conflict, undefined);
  assert.deepEqual(current(), page("bc"));
  assert.equal(saver.version, 7);
});

test("what the server tidied is the base of the next comparison", async () => {
  const tidied = page("clean").sections[0];
  const { saver, seen, type, current } = desk(page("a", "x"), [
    { status: 200, data: { version: 6, tidied: { sec0: tidied } } },
    { status: 409, data: { version: 7, content: page("clean", "their") } },
    { status: 200, data: { version: 8 } },
  ]);
  type(page("unclean", "x"));
  await saver.flush();
  type(page("unclean!", "x"));

  assert.equal(await saver.flush(), true);
  assert.equal(seen.conflict, undefined);
  assert.deepEqual(current(), page("unclean!", "their"));
});
