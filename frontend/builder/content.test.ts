import assert from "node:assert/strict";
import { test } from "node:test";
import { changedIds, duplicateSection, insertSection, listContested, mergeContents, moveSection, readPath, removeSection, writePath } from "./content.ts";
import { History } from "./history.ts";
import type { Content, Section } from "./types.ts";

const section = (id: string, title = ""): Section => ({ id, type: "notice", version: 1, props: { title, items: [{ text: "a" }, { text: "b" }] } });
const page = (...ids: string[]): Content => ({ root: {}, sections: ids.map((id) => section(id)) });
const merge = (base: Content, mine: Content, theirs: Content, ...known: Content[]) => mergeContents({ base, mine, theirs, known });
const ids = (content: Content | undefined) => content?.sections.map((each) => each.id).join("");

test("sections are put in, moved, copied and taken out", () => {
  const start = page("a", "b", "c");
  assert.equal(ids(insertSection(start, section("x"), 1)), "axbc");
  assert.equal(ids(insertSection(start, section("x"), 99)), "abcx");
  assert.equal(ids(moveSection(start, "a", 3)), "bca");
  assert.equal(ids(moveSection(start, "c", 0)), "cab");
  assert.equal(ids(moveSection(start, "b", 2)), "abc");
  assert.equal(moveSection(start, "none", 2), start);
  assert.equal(ids(duplicateSection(start, "b", "y")), "abyc");
  assert.equal(ids(removeSection(start, "b")), "ac");
  assert.equal(ids(start), "abc");
});

test("a path reads and writes inside lists and leaves all else", () => {
  const props = section("a").props;
  assert.equal(readPath(props, "items.1.text"), "b");
  assert.equal(readPath(props, "items.7.text"), undefined);
  const changed = writePath(props, "items.1.text", "c");
  assert.equal(readPath(changed, "items.1.text"), "c");
  assert.equal(readPath(props, "items.1.text"), "b");
  assert.equal(writePath(props, "nothing", "c"), props);
  assert.deepEqual(writePath(props, "items.9.text", "c"), props);
});

test("two who change different sections are brought together", () => {
  const base = page("a", "b", "c");
  const mine = { ...base, sections: [section("a", "mine"), section("b"), section("c")] };
  const theirs = { ...base, sections: [section("a"), section("x"), section("b"), section("c", "theirs")] };

  const merged = merge(base, mine, theirs);

  assert.equal(ids(merged), "axbc");
  assert.equal(merged?.sections[0]?.props["title"], "mine");
  assert.equal(merged?.sections[3]?.props["title"], "theirs");
});

test("two who change the same section are not", () => {
  const base = page("a");
  const one = { root: {}, sections: [section("a", "one")] };
  const other = { root: {}, sections: [section("a", "other")] };

  assert.equal(merge(base, one, other), undefined);
  assert.equal(merge(base, one, { root: {}, sections: [] }), undefined);
  assert.equal(merge(base, { ...base, root: { brand: "a" } }, { ...base, root: { brand: "b" } }), undefined);
  assert.deepEqual(merge(base, one, one), one);
});

test("what both changed is named, and taken from the side that a person chose", () => {
  const base = page("a", "b", "c");
  const mine = { root: { brand: "x" }, sections: [section("a", "mine"), section("b", "mine"), section("c")] };
  const theirs = { root: { brand: "y" }, sections: [section("a", "theirs"), section("c", "theirs")] };
  const meeting = { base, mine, theirs, known: [] };

  assert.deepEqual(listContested(meeting), ["", "a", "b"]);
  const merged = mergeContents(meeting, new Map([["", "theirs"], ["a", "mine"], ["b", "theirs"]] as const));
  assert.deepEqual(merged, { root: { brand: "y" }, sections: [section("a", "mine"), section("c", "theirs")] });
  assert.equal(mergeContents(meeting, new Map([["a", "mine"]] as const)), undefined);
});

test("what the server tidied, sorted or got without an answer is not another's doing", () => {
  const base = page("a", "b");
  const sent = { ...base, sections: [section("a", "<p>x</p>"), section("b")] };
  const sorted = { version: 1, props: { items: [{ text: "a" }, { text: "b" }], title: "" }, type: "notice", id: "b" };
  const theirs = { root: {}, sections: [section("a", "<p>x</p>"), { ...sorted }] };
  const mine = { ...base, sections: [section("a", "<p>xy</p>"), section("b", "mine")] };

  assert.equal(merge(base, mine, theirs), undefined);
  assert.deepEqual(merge(base, mine, theirs, sent), mine);
});

test("one who moves and one who adds are brought together", () => {
  const base = page("a", "b", "c");
  const merged = merge(base, page("c", "a", "b"), page("a", "b", "x", "c"));

  assert.equal(ids(merged), "cabx");
});

test("what changed is drawn anew, what moved is not", () => {
  const base = page("a", "b");
  const after: Content = { root: {}, sections: [section("b"), section("a", "new")] };

  assert.deepEqual(changedIds(base, after), ["a"]);
});

test("typing is one step, other changes are each one", () => {
  const history = new History(page("a"));
  history.push(page("a", "b"), "a.title", 0);
  history.push(page("a", "b", "c"), "a.title", 500);
  history.push(page("a", "d"), "a.title", 5000);
  assert.equal(history.undo(), true);
  assert.equal(ids(history.now), "abc");
  assert.equal(history.undo(), true);
  assert.equal(ids(history.now), "a");
  assert.equal(history.undo(), false);
  assert.equal(history.redo() && history.redo(), true);
  assert.equal(ids(history.now), "ad");
  history.undo();
  history.push(page("z"));
  assert.equal(history.redo(), false);
});
