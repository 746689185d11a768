/**
 * Saves the draft by itself: one call at a time, always the newest content, against the version it
 * was made from. Keeps a copy in this browser until the server has it.
 */
import { changedIds, mergeContents, type Meeting } from "./content.ts";
import type { Answer } from "./calls.ts";
import type { Content, Fault, Section } from "./types.ts";

export type SaveState = "saved" | "saving" | "waiting" | "offline" | "conflict" | "signed_out" | "refused";

export interface Clash {
  meeting: Meeting;
  version: number; // of what stands at the server
  message: string;
}

export interface Saved {
  drawn: Record<string, string>;
  faults: Fault[];
  notes: Fault[];
}

export interface SaveHooks {
  send: (body: unknown) => Promise<Answer>;
  isSignedOut: (answer: Answer) => boolean;
  current: () => Content;
  state: (state: SaveState) => void;
  saved: (saved: Saved) => void;
  merged: (content: Content) => void;
  conflict: (clash: Clash) => void;
  refused: (message: string) => void;
  keep: (kept: Kept | undefined) => void;
  later: (act: () => void, ms: number) => void;
}

/** What a browser keeps of a draft that the server has not got: with what it was made from. */
export interface Kept {
  version: number;
  base: Content;
  content: Content;
}

const QUIET_MS = 450;
const RETRY_MS = [2_000, 5_000, 15_000, 30_000];
const UNANSWERED_MOST = 5;

export class Saver {
  private base: Content; // as it was sent, or as the server gave it
  private stood: Content; // the same as the server tidied it
  private unanswered: Content[] = []; // sent, and perhaps arrived
  private isDirty = false;
  private isBusy = false;
  private isHalted = false;
  private overrules = false;
  private tries = 0;
  private planned = 0;
  private stale = new Set<string>(); // sections whose markup is not as the content has them
  private idle: (() => void)[] = [];
  private readonly hooks: SaveHooks;
  version: number;

  constructor(hooks: SaveHooks, base: Content, version: number) {
    this.hooks = hooks;
    this.base = this.stood = base;
    this.version = version;
  }

  get isClean(): boolean {
    return !this.isDirty && !this.isBusy;
  }

  /** Something changed: save when it has been quiet for a moment. */
  touch(): void {
    this.isDirty = true;
    this.keep();
    if (this.isHalted) return;
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

  /** The reason to wait is gone (the line is back, somebody signed in): try again now. */
  async resume(): Promise<boolean> {
    this.isHalted = false;
    return this.flush();
  }

  /** Go on from what stands at the server: after a restore or a publication. */
  restart(base: Content, version: number): void {
    this.base = this.stood = base;
    this.unanswered = [];
    this.version = version;
    this.isHalted = this.isDirty = this.overrules = false;
    this.hooks.keep(undefined);
    this.hooks.state("saved");
  }

  /** After a conflict: put what is here over what stands at the server, which goes on record. */
  insist(theirs: Content, version: number): void {
    this.base = this.stood = theirs;
    this.unanswered = [];
    this.version = version;
    this.isHalted = false;
    this.overrules = true;
    this.touch();
  }

  /** What is here and what stands are apart: send nothing until a person has decided. */
  wait(): void {
    this.halt("conflict");
  }

  private keep(): void {
    this.hooks.keep({ version: this.version, base: this.stood, content: this.hooks.current() });
  }

  private async save(): Promise<void> {
    if (this.isBusy || this.isHalted || !this.isDirty) return;
    this.isBusy = true;
    this.isDirty = false;
    this.hooks.state("saving");
    const content = this.hooks.current();
    const draw = [...new Set([...changedIds(this.base, content), ...this.stale])];
    const answer = await this.hooks.send({ version: this.version, content, draw, ...(this.overrules ? { overrules: true } : {}) });
    this.isBusy = false;
    this.settle(answer, content);
    if (!this.isBusy) for (const done of this.idle.splice(0)) done();
  }

  private settle(answer: Answer, sent: Content): void {
    const { status, data } = answer;
    if (status === 200 && Number.isInteger(data["version"])) this.take(data, sent);
    else if (this.hooks.isSignedOut(answer)) this.halt("signed_out");
    else if (status === 409 && data["content"]) this.meet(data);
    else if (status === 0 || status === 200 || status === 429 || status >= 500) this.retry(sent);
    else {
      this.halt("refused");
      this.hooks.refused(String(data["message"] ?? ""));
    }
  }

  private take(data: Record<string, unknown>, sent: Content): void {
    this.tries = 0;
    this.stale.clear();
    this.overrules = false;
    this.unanswered = [];
    this.version = Number(data["version"]);
    this.base = sent;
    const tidied = (data["tidied"] ?? {}) as Record<string, Section>;
    this.stood = { ...sent, sections: sent.sections.map((section) => tidied[section.id] ?? section) };
    if (this.isDirty) this.keep();
    else this.hooks.keep(undefined);
    this.hooks.saved({
      drawn: (data["drawn"] ?? {}) as Record<string, string>,
      faults: (data["faults"] ?? []) as Fault[],
      notes: (data["notes"] ?? []) as Fault[],
    });
    this.hooks.state(this.isDirty ? "waiting" : "saved");
    if (this.isDirty) void this.save();
  }

  private meet(data: Record<string, unknown>): void {
    const theirs = data["content"] as Content;
    const version = Number(data["version"]);
    const meeting = { base: this.base, mine: this.hooks.current(), theirs, known: [this.stood, ...this.unanswered] };
    const merged = mergeContents(meeting);
    this.isDirty = true;
    if (merged) {
      for (const id of changedIds(meeting.mine, merged)) this.stale.add(id);
      this.base = this.stood = theirs;
      this.unanswered = [];
      this.version = version;
      this.hooks.merged(merged);
      void this.save();
    } else {
      this.halt("conflict");
      this.hooks.conflict({ meeting, version, message: String(data["message"] ?? "") });
    }
  }

  private halt(state: SaveState): void {
    this.isDirty = true;
    this.isHalted = true;
    this.hooks.state(state);
  }

  private retry(sent: Content): void {
    this.isDirty = true;
    this.unanswered = [...this.unanswered, sent].slice(-UNANSWERED_MOST);
    this.hooks.state("offline");
    const wait = RETRY_MS[Math.min(this.tries++, RETRY_MS.length - 1)] ?? 30_000;
    const mine = ++this.planned;
    this.hooks.later(() => mine === this.planned && void this.save(), wait);
  }
}
