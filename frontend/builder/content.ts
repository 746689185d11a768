/** Changes of a content as pure functions: the old one stays as it was, so undo keeps references. */
import type { Content, Field, Json, Props, Section, SectionType } from "./types.ts";

const ID_CHARS = "abcdefghijklmnopqrstuvwxyz0123456789";

export function newId(random: () => number = Math.random): string {
  return Array.from({ length: 10 }, () => ID_CHARS[Math.floor(random() * ID_CHARS.length)]).join("");
}

export function defaultProps(fields: readonly Field[]): Props {
  return Object.fromEntries(fields.map((field) => [field.name, structuredClone(field.default)]));
}

export function makeSection(type: SectionType, id = newId()): Section {
  return { id, type: type.type, version: type.version, hidden: false, props: defaultProps(type.fields) };
}

export function insertSection(content: Content, section: Section, at: number): Content {
  const sections = [...content.sections];
  sections.splice(Math.max(0, Math.min(at, sections.length)), 0, section);
  return { ...content, sections };
}

export function removeSection(content: Content, id: string): Content {
  return { ...content, sections: content.sections.filter((section) => section.id !== id) };
}

/** Move a section so that it stands before what is now at `to` (the length: at the end). */
export function moveSection(content: Content, id: string, to: number): Content {
  const from = content.sections.findIndex((section) => section.id === id);
  const moved = content.sections[from];
  if (!moved) return content;
  const target = Math.max(0, Math.min(to > from ? to - 1 : to, content.sections.length - 1));
  if (target === from) return content;
  const sections = content.sections.filter((section) => section !== moved);
  sections.splice(target, 0, moved);
  return { ...content, sections };
}

export function duplicateSection(content: Content, id: string, copyId = newId()): Content {
  const at = content.sections.findIndex((section) => section.id === id);
  const original = content.sections[at];
  if (!original) return content;
  return insertSection(content, { ...structuredClone(original), id: copyId }, at + 1);
}

export function patchSection(content: Content, id: string, patch: Partial<Section>): Content {
  const sections = content.sections.map((section) => (section.id === id ? { ...section, ...patch } : section));
  return { ...content, sections };
}

/** Read "slides.2.title" of props. */
export function readPath(props: Props, path: string): Json | undefined {
  let value: Json | undefined = props;
  for (const part of path.split(".")) {
    if (Array.isArray(value)) value = value[Number(part)];
    else if (typeof value === "object" && value !== null) value = value[part];
    else return undefined;
  }
  return value;
}

/** Write "slides.2.title" of props; a path that is not there leaves them as they are. */
export function writePath(props: Props, path: string, value: Json): Props {
  const [head, ...rest] = path.split(".");
  if (head === undefined || !Object.hasOwn(props, head)) return props;
  const inner = props[head];
  if (rest.length === 0) return { ...props, [head]: value };
  if (Array.isArray(inner)) {
    const [index, ...below] = rest;
    const at = Number(index);
    const item = inner[at];
    if (item === undefined) return props;
    const changed = [...inner];
    if (below.length === 0) changed[at] = value;
    else if (typeof item === "object" && item !== null && !Array.isArray(item)) changed[at] = writePath(item, below.join("."), value);
    return { ...props, [head]: changed };
  }
  if (typeof inner === "object" && inner !== null) return { ...props, [head]: writePath(inner, rest.join("."), value) };
  return props;
}

/** Compare as the server does: the order of the names of an object says nothing. */
export const same = (a: unknown, b: unknown): boolean => a === b || print(a) === print(b);

function print(value: unknown): string {
  return JSON.stringify(value, (_name, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner) ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))) : inner,
  ) ?? "";
}

export type Side = "mine" | "theirs";

/**
 * Two contents made from one base. `known` are contents of mine that the server may hold as well: as
 * it tidied the base, and what was sent without an answer. None of them counts as the others' doing.
 */
export interface Meeting {
  base: Content;
  mine: Content;
  theirs: Content;
  known: readonly Content[];
}

const ROOT = ""; // stands for the page's own fields where sections go by their id

interface Sides {
  here: unknown;
  there: unknown;
  side: Side | undefined; // whose is taken; undefined: both changed it
}

function compare({ base, mine, theirs, known }: Meeting): Map<string, Sides> {
  const part = (content: Content, id: string): unknown => (id === ROOT ? content.root : content.sections.find((section) => section.id === id));
  const ids = new Set([ROOT, ...[base, mine, theirs].flatMap((content) => content.sections.map((section) => section.id))]);
  const found = new Map<string, Sides>();
  for (const id of ids) {
    const [was, here, there] = [part(base, id), part(mine, id), part(theirs, id)];
    const isTheirs = ![base, ...known].some((content) => same(there, part(content, id)));
    const side = same(here, there) || same(here, was) ? "theirs" : isTheirs ? undefined : "mine";
    found.set(id, { here, there, side });
  }
  return found;
}

/** Name what both sides changed: ids of sections, the empty text for the page's own fields. */
export function listContested(meeting: Meeting): string[] {
  return [...compare(meeting)].filter(([, sides]) => sides.side === undefined).map(([id]) => id);
}

/**
 * Bring together two contents. What only one side touched is taken from that side, what both changed
 * from the side chosen for it; undefined when there is such a thing and nobody chose.
 */
export function mergeContents(meeting: Meeting, choices: ReadonlyMap<string, Side> = new Map()): Content | undefined {
  const kept = new Map<string, unknown>();
  for (const [id, { here, there, side }] of compare(meeting)) {
    const taken = side ?? choices.get(id);
    if (taken === undefined) return undefined;
    kept.set(id, taken === "mine" ? here : there);
  }
  const order = mergeOrder(meeting);
  const sections = order.flatMap((id) => (kept.get(id) as Section | undefined) ?? []);
  return { root: kept.get(ROOT) as Props, sections };
}

/** Take the order of the side that moved something; what only the other side has stands after its neighbour. */
function mergeOrder({ base, mine, theirs }: Meeting): string[] {
  const ids = (content: Content) => content.sections.map((section) => section.id);
  const [old, ours, others] = [ids(base), ids(mine), ids(theirs)];
  const common = (list: string[], other: string[]) => list.filter((id) => other.includes(id));
  const mineMoved = !same(common(old, ours), common(ours, old));
  const [lead, follow] = mineMoved ? [ours, others] : [others, ours];
  const order = [...lead];
  follow.forEach((id, index) => {
    if (order.includes(id)) return;
    const before = follow.slice(0, index).reverse().find((each) => order.includes(each));
    order.splice(before === undefined ? 0 : order.indexOf(before) + 1, 0, id);
  });
  return order;
}

/** Name the sections whose markup has to be drawn anew. */
export function changedIds(before: Content, after: Content): string[] {
  const old = new Map(before.sections.map((section) => [section.id, section]));
  return after.sections.filter((section) => !same(old.get(section.id), section)).map((section) => section.id);
}
