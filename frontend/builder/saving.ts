/**
 * Saves the draft by itself: one call at a time, always the newest content, against the version it
 * was made from. Keeps a copy in this browser until the server has it.
 */
import { changedIds, mergeContents } from "./content.ts";
import type { Answer } from "./calls.ts";
import type { Content, Fault } from "./types.ts";

export type SaveState = "saved" | "saving" | "waiting" | "offline";

export interface SaveHooks {
  send: (body: unknown) => Promise<Answer>;
  current: () => Content;
  state: (state: SaveState) => void;
  drawn: (drawn: Record<string, string>, faults: Fault[]) => void;
  merged: (content: Content) => void;
  conflict: (theirs: Content, version: number, message: string) => void;
  refused: (message: string) => void;
  keep: (content: Content | undefined, version: number) => void;
  later: (act: () => void, ms: number) => void;
}

const QUIET_MS = 450;
const RETRY_MS = [2_000, 5_000, 15_000, 30_000];

export class Saver {
  private base: Content;
  private isDirty = false;
  private isBusy = false;
  private isHalted = false;
  private tries = 0;
  private planned = 0;
  private idle: (() => void)[] = [];
  private readonly hooks: SaveHooks;
  version: number;

  constructor(hooks: SaveHooks, base: Content, version: number) {
    this.hooks = hooks;
    this.base = base;
    this.version = version;
  }

  get isClean(): boolean {
    return !this.isDirty && !this.isBusy;
  }

  /** Something changed: save when it has been quiet for a moment. */
  touch(): void {
    this.isDirty = true;
    if (this.isHalted) return;
    this.hooks.keep(this.hooks.current(), this.version);
    this.hooks.state("waiting");
    const mine = ++this.planned;
    this.hooks.later(() => mine === this.planned && void this.save(), QUIET_MS);
  }

  /** Save now; settles when the server has everything or a person must decide; tells which. */
  async flush(): Promise<boolean> {
    this.planned++;
    if (this.isDirty && !this.isBusy && !this.isHalted) void this.save();
    if (this.isBusy) await new Promise<void>((resolve) => this.idle.push(resolve));
    return this.isClean;
  }

  /** Go on from what stands at the server: after a conflict, a restore or a publication. */
  restart(base: Content, version: number): void {
    this.base = base;
    this.version = version;
    this.isHalted = false;
    this.isDirty = false;
    this.hooks.keep(undefined, version);
    this.hooks.state("saved");
  }

  /** After a conflict: keep this side, over what stands at the server. */
  insist(theirs: Content, version: number): void {
    this.base = theirs;
    this.version = version;
    this.isHalted = false;
    this.touch();
  }

  private async save(): Promise<void> {
    if (this.isBusy || this.isHalted || !this.isDirty) return;
    this.isBusy = true;
    this.isDirty = false;
    this.hooks.state("saving");
    const content = this.hooks.current();
    const draw = changedIds(this.base, content);
    const answer = await this.hooks.send({ version: this.version, content, draw });
    this.isBusy = false;
    this.settle(answer, content);
    if (!this.isBusy) for (const done of this.idle.splice(0)) done();
  }

  private settle(answer: Answer, sent: Content): void {
    const { status, data } = answer;
    if (status === 200) {
      this.tries = 0;
      this.version = Number(data["version"]);
      this.base = sent;
      if (!this.isDirty) this.hooks.keep(undefined, this.version);
      this.hooks.drawn((data["drawn"] ?? {}) as Record<string, string>, (data["faults"] ?? []) as Fault[]);
      this.hooks.state(this.isDirty ? "waiting" : "saved");
      if (this.isDirty) void this.save();
    } else if (status === 409) this.meet(data);
    else if (status === 0 || status >= 500) this.retry();
    else {
      this.isDirty = true;
      this.isHalted = true;
      this.hooks.state("offline");
      this.hooks.refused(String(data["message"] ?? ""));
    }
  }

  private meet(data: Record<string, unknown>): void {
    const theirs = data["content"] as Content;
    const version = Number(data["version"]);
    const merged = mergeContents(this.base, this.hooks.current(), theirs);
    this.isDirty = true;
    if (merged) {
      this.base = theirs;
      this.version = version;
      this.hooks.merged(merged);
      void this.save();
    } else {
      this.isHalted = true;
      this.hooks.conflict(theirs, version, String(data["message"] ?? ""));
    }
  }

  private retry(): void {
    this.isDirty = true;
    this.hooks.state("offline");
    const wait = RETRY_MS[Math.min(this.tries++, RETRY_MS.length - 1)] ?? 30_000;
    const mine = ++this.planned;
    this.hooks.later(() => mine === this.planned && void this.save(), wait);
  }
}
