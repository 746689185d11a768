/** Undo and redo: a line of contents. Typing in one place within a moment is one step. */
import type { Content } from "./types.ts";

const LIMIT = 200;
const TOGETHER_MS = 1200;

export class History {
  private past: Content[] = [];
  private future: Content[] = [];
  private lastKey = "";
  private lastAt = -Infinity;
  now: Content;

  constructor(content: Content) {
    this.now = content;
  }

  /** Go on to `content`; changes with the same `key` that follow quickly become one step. */
  push(content: Content, key = "", at = Date.now()): void {
    if (content === this.now) return;
    const isTogether = key !== "" && key === this.lastKey && at - this.lastAt < TOGETHER_MS;
    if (!isTogether) this.past.push(this.now);
    if (this.past.length > LIMIT) this.past.shift();
    this.future = [];
    this.now = content;
    this.lastKey = key;
    this.lastAt = at;
  }

  /** Put another content in place without a step: what the server made of it. */
  replace(content: Content): void {
    this.now = content;
  }

  undo(): boolean {
    const content = this.past.pop();
    if (!content) return false;
    this.future.push(this.now);
    this.now = content;
    this.lastKey = "";
    return true;
  }

  redo(): boolean {
    const content = this.future.pop();
    if (!content) return false;
    this.past.push(this.now);
    this.now = content;
    this.lastKey = "";
    return true;
  }

  get canUndo(): boolean {
    return this.past.length > 0;
  }

  get canRedo(): boolean {
    return this.future.length > 0;
  }
}
