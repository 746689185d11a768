/** What a browser keeps by page: a draft that the server has not got, and what the page is shown of. */
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

const shownKey = (pageId: number) => `kameng-shown-${pageId}`;

/** Remember of which category or product a page is shown. */
export function keepShown(pageId: number, id: number): void {
  try {
    localStorage.setItem(shownKey(pageId), String(id));
  } catch {
    // It is chosen again next time.
  }
}

/** 0: the server chooses. */
export function readShown(pageId: number): number {
  try {
    const id = Number(localStorage.getItem(shownKey(pageId)));
    return Number.isSafeInteger(id) && id > 0 ? id : 0;
  } catch {
    return 0;
  }
}
