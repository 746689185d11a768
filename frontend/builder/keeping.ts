/** What a browser keeps of a draft that the server has not got, by page. */
import type { Kept } from "./saving.ts";

const keyOf = (pageId: number) => `kameng-draft-${pageId}`;

export function keepDraft(pageId: number, kept: Kept | undefined): void {
  try {
    if (kept) localStorage.setItem(keyOf(pageId), JSON.stringify(kept));
    else localStorage.removeItem(keyOf(pageId));
  } catch {
    // A full or forbidden store: the draft is still saved to the server.
  }
}

export function readKept(pageId: number): Kept | undefined {
  try {
    const kept = JSON.parse(localStorage.getItem(keyOf(pageId)) ?? "null") as Partial<Kept> | null;
    return kept?.content && kept.base && Number.isInteger(kept.version) ? (kept as Kept) : undefined;
  } catch {
    return undefined; // written by an older version, or nothing may be read here
  }
}
