/** The page editor. Server-drawn page in a frame, its sections beside it, its fields on the right. */
import { startOverlays, toast } from "../shared/overlay.ts";
import { makeIcon } from "../shared/words.ts";
import { isSignedOut, messageOf, post, renewToken } from "./calls.ts";
import { duplicateSection, insertSection, makeSection, mergeContents, moveSection, patchSection, readPath, removeSection, writePath } from "./content.ts";
import { ask, button, make, makeMenu, say, textButton } from "./dom.ts";
import type { Drag } from "./dragging.ts";
import { Frame, type SectionAct } from "./frame.ts";
import { chooseGoods, startGoods } from "./goods.ts";
import { History } from "./history.ts";
import { keepDraft, keepShown, readKept, readShown } from "./keeping.ts";
import { watchKeys } from "./keys.ts";
import { sayMoment } from "./moments.ts";
import { need } from "./needing.ts";
import { makePalette, Outline } from "./outline.ts";
import { makeFields, markFaults } from "./panel.ts";
import { startPictures } from "./pictures.ts";
import { Saver, type Clash, type SaveState } from "./saving.ts";
import type { Boot, Content, Fault, Field, Json, Props, SectionType } from "./types.ts";

const CATEGORY_PAGE = 3; // of PageKind
const PHONE_WIDTH = 390;
const DESKTOP_WIDTHS = [1280, 1024] as const; // of the page, as wide as there is room for
const SMALL = matchMedia("(max-width: 899px)");
type Device = "desktop" | "phone";
type Side = "outline" | "add" | "root" | "panel" | "";

const sheets = () => need(import("./sheets.ts"));
const openHelp = () => void sheets().then((part) => part?.openHelp());

class Builder {
  private readonly history: History;
  private readonly types: Map<string, SectionType>;
  private readonly saver: Saver;
  private readonly frame: Frame;
  private readonly outline: Outline;
  private readonly panel = make("aside", { class: "builder-panel", "aria-label": say("panel"), tabindex: "-1" });
  private readonly side = make("div", { class: "builder-side-body", tabindex: "-1" });
  private readonly status = make("span", { class: "builder-state", role: "status" });
  private readonly statusButton = textButton("", () => void this.mend(), "button button-sm builder-mend");
  private readonly timed = textButton("", () => void this.schedule(), "builder-timed", "clock");
  private readonly stage = make("div", { class: "builder-stage" });
  private readonly iframe = make("iframe", { class: "builder-frame", title: say("page") });
  private readonly undoButton = button("arrow-back-up", say("undo"), () => this.step("undo"));
  private readonly redoButton = button("arrow-forward-up", say("redo"), () => this.step("redo"));
  private readonly publishButton = textButton(say("publish"), () => void this.publish(), "button button-primary");
  private readonly tabs = new Map<Side, HTMLButtonElement>();
  private selected = "";
  private faults: Fault[];
  private notes: Fault[];
  private clash: Clash | undefined;
  private state: SaveState = "saved";
  private device: Device = SMALL.matches ? "phone" : "desktop";
  private insertIndex: number | undefined;
  private readonly root: HTMLElement;
  private readonly boot: Boot;

  constructor(root: HTMLElement, boot: Boot) {
    this.root = root;
    this.boot = boot;
    this.types = new Map(boot.sections.map((type) => [type.type, type]));
    this.history = new History(boot.content);
    this.faults = boot.faults;
    this.notes = boot.notes;
    this.saver = this.makeSaver();
    this.outline = new Outline({
      typeOf: (section) => this.types.get(section.type),
      select: (id) => {
        this.select(id, true);
        if (SMALL.matches) this.showSide("");
      },
      move: (id, to) => this.change(moveSection(this.content, id, to)),
      act: (id, act) => this.act(id, act),
      drag: (id) => this.dragSection(id),
      builtIn: this.boot.built_in,
    });
    this.frame = this.makeFrame();
    this.lay();
    this.listen();
    this.restoreKept();
  }

  private get content(): Content {
    return this.history.now;
  }

  private readonly url = (name: string): string => this.root.dataset[name] ?? "";

  private makeSaver(): Saver {
    return new Saver(
      {
        send: (body) => post(this.url("draftUrl"), body),
        isSignedOut,
        current: () => this.content,
        state: (state) => this.tell(state),
        saved: ({ drawn, faults, notes }) => this.saved(drawn, faults, notes),
        merged: (content) => {
          this.history.push(content);
          toast(say("merged"));
          this.redrawAll();
        },
        conflict: (clash) => void this.meet(clash),
        refused: (message) => toast(message || say("refused"), true),
        keep: (kept) => keepDraft(this.boot.page.id, kept),
        later: (act, ms) => void setTimeout(act, ms),
      },
      this.boot.content,
      this.boot.version,
    );
  }

  private makeFrame(): Frame {
    this.iframe.dataset["css"] = this.url("frameCss");
    this.iframe.src = this.frameUrl(readShown(this.boot.page.id));
    return new Frame(this.iframe, {
      isLook: this.boot.root_fields.length > 0,
      select: (id) => {
        this.select(id);
        if (SMALL.matches && (id === "" || this.side.dataset["shows"] !== "")) this.showSide("");
      },
      act: (id, act) => this.act(id, act),
      isHidden: (id) => this.find(id)?.hidden === true,
      insertAt: (index) => this.openPalette(index),
      type: (id, path, value) => this.write(id, path, value, true),
      kindOf: (id, path) => this.fieldAt(id, path)?.kind ?? "text",
      valueOf: (id, path) => String(readPath(this.find(id)?.props ?? {}, path) ?? ""),
      drag: (id) => this.dragSection(id),
      nameOf: (id) => this.types.get(this.find(id)?.type ?? "")?.name ?? say("unknown"),
      chooseShown: (now) => void this.chooseShown(now),
    });
  }

  private readonly frameUrl = (shown: number): string => this.url("frameUrl") + (shown ? `?shown=${shown}` : "");

  /** Show the page of another category or product: the sections of the draft stay what they are. */
  private async chooseShown(now: number): Promise<void> {
    const chosen = await (this.boot.page.kind === CATEGORY_PAGE ? sheets().then((part) => part?.chooseCategory(this.boot.categories, now)) : chooseGoods([now], 1).then((ids) => ids?.[0]));
    if (!chosen || chosen === now) return;
    keepShown(this.boot.page.id, chosen);
    await this.saver.flush();
    this.frame.show(this.frameUrl(chosen));
  }

  private fieldAt(id: string, path: string): Field | undefined {
    let fields = this.types.get(this.find(id)?.type ?? "")?.fields ?? [];
    let found: Field | undefined;
    for (const part of path.split(".")) {
      if (/^\d+$/.test(part)) continue;
      found = fields.find((each) => each.name === part);
      fields = found?.fields ?? [];
    }
    return found;
  }

  private lay(): void {
    const bar = make("header", { class: "builder-bar" },
      make("a", { class: "button button-quiet button-icon", href: this.url("backUrl"), "aria-label": say("back"), title: say("back") }, makeIcon("arrow-left")),
      make("div", { class: "builder-name" }, make("h1", { class: "builder-title clip" }, this.boot.page.title), make("div", { class: "builder-status" }, this.status, this.statusButton)),
      make("div", { class: "builder-tools" }, this.undoButton, this.redoButton, ...this.deviceButtons()),
      make("div", { class: "builder-acts" }, this.timed, button("help-circle", `${say("help_title")} (?)`, openHelp, "button button-sm button-quiet button-icon builder-help"), this.makeMenu(), this.publishButton),
    );
    const tabs = make("div", { class: "builder-tabs", role: "group", "aria-label": say("side") });
    const icons = { outline: "list", add: "plus", root: "palette", panel: "adjustments-horizontal" } as const;
    const words = { outline: say("outline"), add: say("palette"), root: say("page_settings"), panel: say("panel") };
    for (const name of ["outline", "add", "root", "panel"] as const) {
      if (name === "root" && !this.boot.root_fields.length) continue;
      const tab = textButton(words[name], () => this.showSide(SMALL.matches && this.side.dataset["shows"] === name ? "" : name), `builder-tab is-${name}`, icons[name]);
      this.tabs.set(name, tab);
      tabs.append(tab);
    }
    this.stage.append(this.iframe);
    this.root.append(bar, make("aside", { class: "builder-side", "aria-label": say("side") }, tabs, this.side), make("main", { class: "builder-middle" }, this.makeNotice(), this.stage), this.panel);
    this.showSide(SMALL.matches ? "" : this.boot.root_fields.length ? "root" : "outline");
    this.iframe.addEventListener("ready", () => {
      this.frame.sync(this.content);
      this.fit();
    });
    new ResizeObserver(() => this.fit()).observe(this.stage);
    SMALL.addEventListener("change", () => this.showSide(SMALL.matches ? "" : "outline"));
    // A phone's keyboard takes room that 100dvh does not know of.
    visualViewport?.addEventListener("resize", () => (this.root.style.height = `${visualViewport?.height ?? innerHeight}px`));
    this.tell("saved");
    this.refresh();
  }

  /** Say above the page that buyers do not see the shop, or soon will not, and what to do. */
  private makeNotice(): HTMLElement | undefined {
    const { standing } = this.boot;
    if (!standing) return undefined;
    return make("div", { class: `builder-notice${standing.is_shut ? " is-shut" : ""}`, role: "status" }, makeIcon(standing.is_shut ? "eye-off" : "clock", "icon-sm"), make("p", {}, standing.text), standing.url ? make("a", { class: "button button-sm", href: standing.url }, standing.name) : undefined);
  }

  private deviceButtons(): HTMLElement[] {
    const made = (["desktop", "phone"] as const).map((device) => {
      const each = button(device === "phone" ? "device-mobile" : "device-desktop", say(device), () => {
        this.device = device;
        mark();
        this.fit();
      });
      each.dataset["device"] = device;
      return each;
    });
    const mark = () => made.forEach((each) => each.setAttribute("aria-pressed", String(each.dataset["device"] === this.device)));
    mark();
    return made;
  }

  private fit(): void {
    const room = this.stage.getBoundingClientRect();
    if (room.width <= 0) return;
    const [most, least] = DESKTOP_WIDTHS;
    this.frame.fit(this.device === "phone" ? PHONE_WIDTH : Math.round(Math.max(least, Math.min(most, room.width / 0.66))), room);
  }

  private makeMenu(): HTMLElement {
    const visit = () => window.open(this.url("shopUrl").replace(/\/$/, "") + this.boot.page.url, "_blank", "noopener");
    return makeMenu(say("more_acts"), [
      ["clock", say("schedule"), () => void this.schedule()],
      ["share", say("share"), () => void this.share()],
      ["history", say("history"), () => void this.saver.flush().then(() => location.assign(this.url("historyUrl")))],
      ["external-link", say("visit"), visit],
      ["trash", say("discard"), () => void this.discard()],
      ["help-circle", say("help_title"), openHelp],
    ]);
  }

  /** Show one of the parts beside the page; on a phone one at a time, over the page, or none. */
  private showSide(name: Side): void {
    const isSmall = SMALL.matches;
    for (const [key, tab] of this.tabs) tab.setAttribute("aria-pressed", String(key === name));
    if (name === "outline") this.side.replaceChildren(this.outline.element);
    else if (name === "add") this.side.replaceChildren(this.makePalette());
    else if (name === "root") this.side.replaceChildren(this.rootFields());
    if (name !== "panel" || isSmall) this.side.dataset["shows"] = name;
    this.root.classList.toggle("shows-side", isSmall && name !== "" && name !== "panel");
    this.root.classList.toggle("shows-panel", isSmall && name === "panel");
    if (name !== "add") this.insertIndex = undefined;
    this.side.scrollTop = 0;
  }

  private makePalette(): HTMLElement {
    return makePalette(this.boot.sections, this.boot.groups, {
      add: (type) => this.add(type),
      drag: (type) => this.dragType(type),
      previewUrl: (type) => this.url("sectionUrl").replace("type-", type.type),
      isTaken: (type) => this.isTaken(type),
    });
  }

  private isTaken(type: SectionType): boolean {
    return type.is_single && this.content.sections.some((section) => section.type === type.type);
  }

  /** Tell why no more of a section can be put in; false when it can. */
  private refuses(type: SectionType | undefined): boolean {
    const isFull = this.content.sections.length >= this.boot.sections_most;
    const why = type && this.isTaken(type) ? say("only_one") : isFull ? say("page_full") : "";
    toast(why, true); // an empty text says nothing
    return why !== "";
  }

  private rootFields(): HTMLElement {
    const hooks = {
      boot: this.boot,
      scope: "root",
      write: (path: string, value: Json, isTyped: boolean) => {
        this.change({ ...this.content, root: writePath(this.content.root, path, value) }, isTyped ? `root.${path}` : "");
        this.reloadSoon();
      },
      redraw: () => this.side.dataset["shows"] === "root" && this.side.replaceChildren(this.rootFields()),
      picture: () => null,
    };
    const own = this.faults.filter((fault) => fault.section_id === "");
    const box = make("div", { class: "stack stack-4 root-fields" }, ...makeFields(this.boot.root_fields, this.content.root, hooks, own));
    markFaults(box, own, this.notes);
    return box;
  }

  private reloadTimer = 0;
  private reloadSoon(): void {
    clearTimeout(this.reloadTimer);
    this.reloadTimer = window.setTimeout(() => void this.saver.flush().then(() => this.frame.reload()), 500);
  }

  private readonly find = (id: string) => this.content.sections.find((section) => section.id === id);

  private openPalette(index?: number): void {
    this.showSide("add");
    this.insertIndex = index;
    if (!SMALL.matches) this.side.querySelector<HTMLElement>("input")?.focus();
  }

  private add(type: SectionType, at?: number): void {
    const after = this.content.sections.findIndex((section) => section.id === this.selected);
    const index = at ?? this.insertIndex ?? (after >= 0 ? after + 1 : this.content.sections.length);
    this.insertIndex = undefined;
    if (this.refuses(type)) return;
    const section = makeSection(type);
    this.change(insertSection(this.content, section, index));
    this.select(section.id, true);
    this.showSide(SMALL.matches ? "" : "outline");
  }

  private act(id: string, act: SectionAct): void {
    const index = this.content.sections.findIndex((section) => section.id === id);
    const section = this.find(id);
    if (!section) return;
    if (act === "up") this.change(moveSection(this.content, id, index - 1));
    else if (act === "down") this.change(moveSection(this.content, id, index + 2));
    else if (act === "duplicate") {
      if (!this.refuses(this.types.get(section.type))) this.change(duplicateSection(this.content, id));
    } else if (act === "hide") this.change(patchSection(this.content, id, { hidden: !section.hidden }));
    else if (act === "fields") {
      this.select(id);
      if (SMALL.matches) this.showSide("panel");
      this.panel.focus();
    } else {
      this.change(removeSection(this.content, id));
      toast(say("removed_undo"));
    }
  }

  private dragSection(id: string): Drag | undefined {
    const section = this.find(id);
    const name = this.types.get(section?.type ?? "")?.name ?? say("unknown");
    return section && this.makeDrag(name, (index) => this.change(moveSection(this.content, id, index)));
  }

  private dragType(type: SectionType): Drag {
    return this.makeDrag(type.name, (index) => this.add(type, index));
  }

  private makeDrag(label: string, put: (index: number) => void): Drag {
    const indexAt = (x: number, y: number) => (this.isOverSide(x, y) ? this.outline.indexAt(x, y) : this.frame.indexAt(x, y));
    this.root.classList.add("is-dragging");
    this.root.classList.toggle("hides-side", this.side.dataset["shows"] === "add");
    return {
      label,
      move: (x, y) => {
        const index = indexAt(x, y);
        this.frame.mark(this.isOverSide(x, y) ? undefined : index);
        this.outline.mark(this.isOverSide(x, y) ? index : undefined);
      },
      drop: (x, y) => {
        const index = indexAt(x, y);
        this.frame.mark(undefined);
        if (index !== undefined) put(index);
      },
      end: () => {
        this.root.classList.remove("is-dragging", "hides-side");
        this.frame.mark(undefined);
        this.outline.mark(undefined);
      },
    };
  }

  /** On a phone the list lies over the page: a drag over it is about the list. */
  private isOverSide(x: number, y: number): boolean {
    if (!this.outline.element.isConnected || (SMALL.matches && !this.root.classList.contains("shows-side"))) return false;
    const box = this.side.getBoundingClientRect();
    return x >= box.left && x <= box.right && y >= box.top && y <= box.bottom;
  }

  private write(id: string, path: string, value: Json, isTyped: boolean): void {
    const section = this.find(id);
    if (!section) return;
    this.change(patchSection(this.content, id, { props: writePath(section.props, path, value) }), isTyped ? `${id}.${path}` : "");
  }

  private change(content: Content, key = ""): void {
    if (content === this.content) return;
    this.history.push(content, key);
    this.boot.is_changed = true;
    this.frame.sync(content);
    this.refresh(key === "" || document.activeElement === this.iframe); // typed on the page: show it
    this.saver.touch();
  }

  private step(way: "undo" | "redo"): void {
    if (!(way === "undo" ? this.history.undo() : this.history.redo())) return;
    this.boot.is_changed = true;
    this.redrawAll();
    this.saver.touch();
    if (this.boot.root_fields.length) this.reloadSoon();
  }

  private redrawAll(): void {
    this.frame.sync(this.content);
    this.refresh();
    if (this.side.dataset["shows"] === "root") this.side.replaceChildren(this.rootFields());
  }

  private select(id: string, scrolls = false): void {
    this.selected = id;
    this.frame.select(id, scrolls);
    this.refresh();
    if (!id && this.side.dataset["shows"] === "panel") this.showSide("");
  }

  private chooseNext(by: -1 | 1): void {
    const { sections } = this.content;
    const at = sections.findIndex((section) => section.id === this.selected);
    const next = sections[at < 0 ? (by > 0 ? 0 : sections.length - 1) : Math.max(0, Math.min(sections.length - 1, at + by))];
    if (next) this.select(next.id, true);
  }

  /** Bring the parts beside the page to what is now; the panel only when nobody types in it. */
  private refresh(redrawsPanel = true): void {
    this.undoButton.disabled = !this.history.canUndo;
    this.redoButton.disabled = !this.history.canRedo;
    this.outline.draw(this.content, this.selected, this.faults);
    const tab = this.tabs.get("panel");
    if (tab) tab.disabled = !this.find(this.selected);
    if (redrawsPanel && !this.panel.querySelector(":focus:is(input, textarea, [contenteditable=true])")) this.drawPanel();
  }

  private drawPanel(): void {
    const section = this.find(this.selected);
    const type = this.types.get(section?.type ?? "");
    const at = this.panel.scrollTop;
    const focused = this.panel.querySelector(":focus")?.closest<HTMLElement>("[data-path]")?.dataset["path"];
    if (!section) {
      this.panel.replaceChildren(this.makeStanding(), this.faultList());
      return;
    }
    const hooks = {
      boot: this.boot,
      scope: section.id,
      write: (path: string, value: Json, isTyped: boolean) => this.write(section.id, path, value, isTyped),
      redraw: () => this.drawPanel(),
      picture: () => (this.find(section.id)?.props["picture"] ?? null) as Props | null,
    };
    const own = this.faults.filter((fault) => fault.section_id === section.id);
    this.panel.replaceChildren(
      make("div", { class: "builder-panel-head" }, make("h2", { class: "card-title grow" }, type?.name ?? say("unknown")), button("x", say("close"), () => (SMALL.matches ? this.showSide("") : this.select("")))),
      type ? make("p", { class: "muted tiny" }, type.hint) : make("p", { class: "muted" }, say("unknown_kept")),
      ...own.filter((fault) => fault.path === "").map((fault) => make("p", { class: "field-error", role: "alert" }, fault.message)),
      ...(type ? makeFields(type.fields, section.props, hooks, own) : []),
    );
    this.panel.scrollTop = at;
    if (focused) this.panel.querySelector<HTMLElement>(`[data-path="${CSS.escape(focused)}"] :is(input, select, button)`)?.focus({ preventScroll: true });
  }

  /** With nothing chosen, the panel tells how the page stands and what can be done. */
  private makeStanding(): HTMLElement {
    const { page } = this.boot;
    const words = this.boot.is_changed ? (this.boot.is_published ? say("standing_changed") : say("standing_draft")) : this.boot.is_published ? say("standing_published") : say("standing_builtin");
    const box = make("div", { class: "standing" },
      makeIcon(this.boot.is_changed ? "pencil" : "circle-check"),
      make("h2", { class: "card-title" }, page.title),
      make("p", { class: "muted" }, words));
    if (this.boot.publish_at) box.append(make("p", { class: "muted" }, `${say("planned_at")} ${sayMoment(this.boot.publish_at)}`));
    box.append(make("ul", { class: "help-tips" }, ...["choose_section", "tip_type", "tip_drag"].map((word) => make("li", {}, say(word)))));
    return box;
  }

  private faultList(): HTMLElement {
    const list = make("ul", { class: "fault-list" });
    if (this.faults.length) list.append(make("li", { class: "strong" }, say("faults", { count: this.faults.length })));
    for (const fault of this.faults) list.append(make("li", {}, textButton(`${fault.section}：${fault.message}`, () => this.goTo(fault), "fault-link", "alert-circle")));
    return list;
  }

  private goTo(fault: Fault): void {
    if (!fault.section_id) return this.showSide("root");
    this.select(fault.section_id, true);
    if (SMALL.matches) this.showSide("panel");
    for (const entry of this.panel.querySelectorAll<HTMLDetailsElement>(".item[data-item]")) if (fault.path.startsWith(`${entry.dataset["item"]}.`)) entry.open = true;
    this.panel.querySelector<HTMLElement>(`[data-path="${CSS.escape(fault.path)}"] :is(input, textarea, select, button)`)?.focus();
  }

  private saved(drawn: Record<string, string>, faults: Fault[], notes: Fault[]): void {
    this.frame.draw(drawn);
    const isNew = JSON.stringify([faults, notes]) !== JSON.stringify([this.faults, this.notes]);
    this.faults = faults;
    this.notes = notes;
    if (!isNew) return;
    this.refresh(this.selected === "");
    markFaults(this.panel, faults.filter((fault) => fault.section_id === this.selected));
    if (this.side.dataset["shows"] === "root") markFaults(this.side, faults.filter((fault) => fault.section_id === ""), notes);
  }

  private tell(state: SaveState): void {
    this.state = state;
    const standing = this.boot.is_changed ? "saved_draft" : this.boot.is_published ? "published" : "builtin";
    const words = { saved: standing, saving: "saving", waiting: "saving", offline: "offline", conflict: "conflict_waits", signed_out: "signed_out", refused: "not_saved" } as const;
    this.status.textContent = say(words[state]);
    this.status.parentElement?.setAttribute("data-state", state);
    const mend = { conflict: "decide", signed_out: "sign_in", offline: "try_now", refused: "try_now" } as Partial<Record<SaveState, string>>;
    this.statusButton.hidden = mend[state] === undefined;
    this.statusButton.textContent = say(mend[state] ?? "try_now");
    this.publishButton.disabled = state === "conflict" || state === "signed_out" || (!this.boot.is_changed && this.boot.is_published);
    this.timed.hidden = !this.boot.publish_at;
    this.timed.lastChild?.replaceWith(this.boot.publish_at ? sayMoment(this.boot.publish_at) : "");
    if (!this.selected && !this.panel.contains(document.activeElement)) this.drawPanel();
  }

  /** What the button beside the state does: decide, sign in again, or try once more. */
  private async mend(): Promise<void> {
    if (this.state === "conflict" && this.clash) return this.meet(this.clash);
    if (this.state === "signed_out" && !(await renewToken())) {
      toast(say("sign_in_there"));
      window.open(this.url("backUrl"), "_blank", "noopener");
      return;
    }
    await this.saver.resume();
  }

  private async meet(clash: Clash): Promise<void> {
    this.clash = clash;
    const meeting = { ...clash.meeting, mine: this.content };
    const part = await need(import("./conflicts.ts"));
    const merged = await part?.settleClash({ ...clash, meeting }, (section) => this.types.get(section.type));
    if (!merged) return;
    this.clash = undefined;
    this.history.push(merged);
    this.saver.insist(clash.meeting.theirs, clash.version);
    this.redrawAll();
    await this.saver.flush();
    this.frame.reload();
  }

  private async publish(): Promise<void> {
    this.publishButton.disabled = true;
    const isSaved = await this.saver.flush();
    if (!isSaved) {
      this.tell(this.state);
      return toast(say("not_saved_yet"), true);
    }
    const answer = await post(this.url("publishUrl"), { version: this.saver.version });
    if (answer.status === 200) {
      this.boot.is_changed = false;
      this.boot.is_published = true;
      this.faults = [];
      this.saver.restart(this.content, Number(answer.data["version"]));
      this.refresh();
      toast(say("published"));
      return;
    }
    this.tell(isSignedOut(answer) ? "signed_out" : this.state);
    if (answer.data["faults"]) {
      this.faults = answer.data["faults"] as Fault[];
      this.select("");
      if (this.faults[0]) this.goTo(this.faults[0]);
    } else if (answer.status === 409 && answer.data["content"]) this.saver.touch(); // meets what stands
    toast(messageOf(answer) || say("no_line"), true);
  }

  private async schedule(): Promise<void> {
    if (!(await this.saver.flush())) return toast(say("not_saved_yet"), true);
    (await sheets())?.openSchedule({
      publishAt: this.boot.publish_at,
      plan: async (at) => {
        const answer = await post(this.url("scheduleUrl"), { version: this.saver.version, publish_at: at.toISOString() });
        if (answer.data["faults"]) this.faults = answer.data["faults"] as Fault[];
        return answer;
      },
      drop: () => post(this.url("unscheduleUrl"), {}),
      changed: (publishAt) => {
        this.boot.publish_at = publishAt;
        this.tell(this.state);
      },
    });
  }

  private async share(): Promise<void> {
    if (!(await this.saver.flush())) return toast(say("not_saved_yet"), true);
    const answer = await post(this.url("shareUrl"), {});
    if (answer.status !== 200) return toast(messageOf(answer) || say("no_line"), true);
    const shown = readShown(this.boot.page.id);
    (await sheets())?.openShare(`${String(answer.data["url"])}${shown ? `?shown=${shown}` : ""}`, this.url("unshareUrl"), this.boot.standing?.is_shut === true);
  }

  private async discard(): Promise<void> {
    if (!(await ask(say("confirm_discard"), say("discard")))) return;
    await this.saver.flush();
    const answer = await post(this.url("discardUrl"), {});
    if (answer.status !== 200) return toast(messageOf(answer) || say("no_line"), true);
    const content = answer.data["content"] as Content;
    this.history.push(content);
    this.boot.is_changed = false;
    this.saver.restart(content, Number(answer.data["version"]));
    this.redrawAll();
    this.frame.reload();
  }

  /** Put back what this browser kept because the server never got it, with what others did since. */
  private restoreKept(): void {
    const kept = readKept(this.boot.page.id);
    if (!kept) return;
    const meeting = { base: kept.base, mine: kept.content, theirs: this.boot.content, known: [] };
    const merged = kept.version === this.boot.version ? kept.content : mergeContents(meeting);
    this.history.push(merged ?? kept.content);
    this.boot.is_changed = true;
    this.redrawAll();
    if (!merged) {
      this.saver.wait();
      return void this.meet({ meeting, version: this.boot.version, message: say("kept_here") });
    }
    toast(say("restored"));
    this.saver.touch();
  }

  private listen(): void {
    watchKeys({
      save: () => void this.saver.flush(),
      step: (way) => this.step(way),
      act: (act) => this.selected && this.act(this.selected, act),
      chooseNext: (by) => this.chooseNext(by),
      palette: () => this.openPalette(),
      leave: () => this.select(""),
      help: openHelp,
    });
    if (this.boot.root_fields.length) {
      this.showSide("root"); // on a phone too: nothing of the page itself can be chosen
      const asked = location.hash.slice(1);
      if (asked) this.side.querySelector(`[data-path="${CSS.escape(asked)}"]`)?.scrollIntoView({ block: "center" });
    }
    addEventListener("beforeunload", (event) => !this.saver.isClean && event.preventDefault());
    addEventListener("online", () => this.state === "offline" && void this.saver.resume());
    // Back from the tab in which they signed in again: go on.
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible" && this.state === "signed_out") void renewToken().then((isIn) => isIn && this.saver.resume());
    });
  }
}

const root = document.querySelector<HTMLElement>(".builder");
const boot = document.querySelector("#boot")?.textContent;
startOverlays();
if (root && boot) {
  startPictures(root.dataset["picturesUrl"] ?? "", root.dataset["uploadUrl"] ?? "");
  startGoods(root.dataset["goodsUrl"] ?? "");
  new Builder(root, JSON.parse(boot) as Boot);
}
