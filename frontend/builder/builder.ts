/** The page editor. Server-drawn page in a frame, its sections beside it, its fields on the right. */
import { startOverlays, toast } from "../shared/overlay.ts";
import { makeIcon } from "../shared/words.ts";
import { messageOf, post } from "./calls.ts";
import { duplicateSection, insertSection, makeSection, moveSection, patchSection, readPath, removeSection, writePath } from "./content.ts";
import { ask, button, make, openSheet, say, textButton } from "./dom.ts";
import type { Drag } from "./dragging.ts";
import { Frame } from "./frame.ts";
import { startGoods } from "./goods.ts";
import { History } from "./history.ts";
import { makePalette, Outline } from "./outline.ts";
import { makeFields } from "./panel.ts";
import { startPictures } from "./pictures.ts";
import { Saver, type SaveState } from "./saving.ts";
import type { Boot, Content, Fault, Field, Json, SectionType } from "./types.ts";

const WIDTHS = { desktop: 1280, phone: 390 } as const;
type Device = keyof typeof WIDTHS;

class Builder {
  private readonly history: History;
  private readonly types: Map<string, SectionType>;
  private readonly saver: Saver;
  private readonly frame: Frame;
  private readonly outline: Outline;
  private readonly panel = make("aside", { class: "builder-panel", "aria-label": say("panel") });
  private readonly side = make("div", { class: "builder-side-body" });
  private readonly status = make("span", { class: "builder-status", role: "status" });
  private readonly stage = make("div", { class: "builder-stage" });
  private readonly iframe = make("iframe", { class: "builder-frame", title: say("page") });
  private readonly undoButton = button("arrow-back-up", say("undo"), () => this.step("undo"));
  private readonly redoButton = button("arrow-forward-up", say("redo"), () => this.step("redo"));
  private readonly publishButton = textButton(say("publish"), () => void this.publish(), "button button-primary");
  private selected = "";
  private faults: Fault[];
  private device: Device = matchMedia("(max-width: 899px)").matches ? "phone" : "desktop";
  private insertIndex: number | undefined;
  private readonly root: HTMLElement;
  private readonly boot: Boot;

  constructor(root: HTMLElement, boot: Boot) {
    this.root = root;
    this.boot = boot;
    this.types = new Map(boot.sections.map((type) => [type.type, type]));
    this.history = new History(boot.content);
    this.faults = boot.faults;
    this.saver = this.makeSaver();
    this.outline = new Outline({
      typeOf: (section) => this.types.get(section.type),
      select: (id) => this.select(id, true),
      move: (id, to) => this.change(moveSection(this.content, id, to)),
      act: (id, act) => this.act(id, act),
      drag: (id) => this.dragSection(id),
    });
    this.frame = this.makeFrame();
    this.lay();
    this.keys();
    this.restoreKept();
  }

  private get content(): Content {
    return this.history.now;
  }

  private makeSaver(): Saver {
    return new Saver(
      {
        send: (body) => post(this.root.dataset["draftUrl"] ?? "", body),
        current: () => this.content,
        state: (state) => this.tell(state),
        drawn: (drawn, faults) => this.drawn(drawn, faults),
        merged: (content) => {
          this.history.push(content);
          toast(say("merged"));
          this.redrawAll();
        },
        conflict: (theirs, version, message) => void this.settleConflict(theirs, version, message),
        refused: (message) => toast(message || say("refused"), true),
        keep: (content, version) => this.keep(content, version),
        later: (act, ms) => void setTimeout(act, ms),
      },
      this.boot.content,
      this.boot.version,
    );
  }

  private makeFrame(): Frame {
    this.iframe.dataset["css"] = this.root.dataset["frameCss"] ?? "";
    this.iframe.src = this.root.dataset["frameUrl"] ?? "";
    const field = (id: string, path: string): Field | undefined => {
      let fields = this.types.get(this.find(id)?.type ?? "")?.fields ?? [];
      let found: Field | undefined;
      for (const part of path.split(".")) {
        if (/^\d+$/.test(part)) continue;
        found = fields.find((each) => each.name === part);
        fields = found?.fields ?? [];
      }
      return found;
    };
    return new Frame(this.iframe, {
      select: (id) => this.select(id),
      act: (id, act) => this.act(id, act),
      insertAt: (index) => this.openPalette(index),
      type: (id, path, value) => this.write(id, path, value, true),
      kindOf: (id, path) => field(id, path)?.kind ?? "text",
      valueOf: (id, path) => String(readPath(this.find(id)?.props ?? {}, path) ?? ""),
      drag: (id) => this.dragSection(id),
      nameOf: (id) => this.types.get(this.find(id)?.type ?? "")?.name ?? say("unknown"),
    });
  }

  private lay(): void {
    const bar = make("header", { class: "builder-bar" },
      make("a", { class: "button button-quiet button-icon", href: this.root.dataset["backUrl"] ?? "", "aria-label": say("back"), title: say("back") }, makeIcon("arrow-left")),
      make("h1", { class: "builder-title clip" }, this.boot.page.title),
      this.status,
      make("div", { class: "builder-tools" }, this.undoButton, this.redoButton, ...this.deviceButtons()),
      make("div", { class: "builder-acts" }, this.makeMenu(), this.publishButton),
    );
    const tabs = make("div", { class: "builder-tabs", role: "group", "aria-label": say("side") });
    const show = { outline: say("outline"), add: say("palette"), root: say("page_settings") };
    const names = (Object.keys(show) as (keyof typeof show)[]).filter((name) => (name === "root" ? this.boot.root_fields.length > 0 : true));
    for (const name of names) {
      const tab = textButton(show[name], () => this.showSide(name), "builder-tab");
      tab.dataset["tab"] = name;
      tabs.append(tab);
    }
    this.stage.append(this.iframe);
    this.root.append(bar, make("aside", { class: "builder-side", "aria-label": say("side") }, tabs, this.side), this.stage, this.panel);
    this.showSide(this.boot.root_fields.length ? "root" : "outline");
    this.iframe.addEventListener("ready", () => {
      this.frame.sync(this.content);
      this.fit();
    });
    new ResizeObserver(() => this.fit()).observe(this.stage);
    this.tell("saved");
    this.refresh();
  }

  private deviceButtons(): HTMLElement[] {
    return (Object.keys(WIDTHS) as Device[]).map((device) => {
      const made = button(device === "phone" ? "device-mobile" : "device-desktop", say(device), () => {
        this.device = device;
        this.fit();
        for (const other of this.root.querySelectorAll<HTMLElement>("[data-device]")) other.setAttribute("aria-pressed", String(other.dataset["device"] === device));
      });
      made.dataset["device"] = device;
      made.setAttribute("aria-pressed", String(device === this.device));
      return made;
    });
  }

  private fit(): void {
    const room = this.stage.getBoundingClientRect();
    if (room.width > 0) this.frame.fit(WIDTHS[this.device], room);
  }

  private makeMenu(): HTMLElement {
    const menu = make("details", { class: "menu", "data-menu": true });
    const item = (icon: string, text: string, act: () => void) => {
      const made = make("button", { type: "button", class: "menu-item" }, makeIcon(icon), text);
      made.addEventListener("click", () => {
        menu.open = false;
        act();
      });
      return made;
    };
    menu.append(
      make("summary", { class: "button button-quiet button-icon", "aria-label": say("more_acts") }, makeIcon("dots")),
      make("div", { class: "menu-list" },
        item("clock", say("schedule"), () => void this.schedule()),
        item("share", say("share"), () => void this.share()),
        item("history", say("history"), () => location.assign(this.root.dataset["historyUrl"] ?? "")),
        item("external-link", say("visit"), () => window.open((this.root.dataset["shopUrl"] ?? "/").replace(/\/$/, "") + this.boot.page.url, "_blank", "noopener")),
        item("trash", say("discard"), () => void this.discard()),
      ),
    );
    return menu;
  }

  private showSide(name: string): void {
    for (const tab of this.root.querySelectorAll<HTMLElement>("[data-tab]")) tab.setAttribute("aria-pressed", String(tab.dataset["tab"] === name));
    if (name === "outline") this.side.replaceChildren(this.outline.element);
    else if (name === "add") this.side.replaceChildren(makePalette(this.boot.sections, this.boot.groups, (type) => this.add(type), (type) => this.dragType(type)));
    else this.side.replaceChildren(this.rootFields());
    this.side.dataset["shows"] = name;
    this.root.classList.toggle("shows-side", name !== "" && matchMedia("(max-width: 899px)").matches);
  }

  private rootFields(): HTMLElement {
    const hooks = {
      boot: this.boot,
      write: (path: string, value: Json, isTyped: boolean) => {
        this.change({ ...this.content, root: writePath(this.content.root, path, value) }, isTyped ? `root.${path}` : "");
        this.reloadSoon();
      },
      redraw: () => this.side.dataset["shows"] === "root" && this.side.replaceChildren(this.rootFields()),
    };
    const own = this.faults.filter((fault) => fault.section_id === "");
    return make("div", { class: "stack stack-3" }, ...makeFields(this.boot.root_fields, this.content.root, hooks, own));
  }

  private reloadTimer = 0;
  private reloadSoon(): void {
    clearTimeout(this.reloadTimer);
    this.reloadTimer = window.setTimeout(() => void this.saver.flush().then(() => this.frame.reload()), 500);
  }

  private find(id: string) {
    return this.content.sections.find((section) => section.id === id);
  }

  private openPalette(index: number): void {
    this.insertIndex = index;
    this.showSide("add");
    this.side.querySelector<HTMLElement>("input")?.focus();
  }

  private add(type: SectionType, at?: number): void {
    const after = this.content.sections.findIndex((section) => section.id === this.selected);
    const index = at ?? this.insertIndex ?? (after >= 0 ? after + 1 : this.content.sections.length);
    this.insertIndex = undefined;
    if (type.is_single && this.content.sections.some((section) => section.type === type.type)) {
      toast(say("only_one"), true);
      return;
    }
    const section = makeSection(type);
    this.change(insertSection(this.content, section, index));
    this.select(section.id, true);
  }

  private act(id: string, act: "up" | "down" | "duplicate" | "hide" | "remove"): void {
    const index = this.content.sections.findIndex((section) => section.id === id);
    if (index < 0) return;
    if (act === "up") this.change(moveSection(this.content, id, index - 1));
    else if (act === "down") this.change(moveSection(this.content, id, index + 2));
    else if (act === "duplicate") this.change(duplicateSection(this.content, id));
    else if (act === "hide") this.change(patchSection(this.content, id, { hidden: !this.find(id)?.hidden }));
    else {
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
    const indexAt = (x: number, y: number) => this.frame.indexAt(x, y) ?? (this.outline.element.isConnected ? this.outline.indexAt(x, y) : undefined);
    this.root.classList.add("is-dragging");
    return {
      label,
      move: (x, y) => {
        const index = indexAt(x, y);
        this.frame.mark(index);
        this.outline.mark(index);
      },
      drop: (x, y) => {
        const index = indexAt(x, y);
        this.frame.mark(undefined);
        if (index !== undefined) put(index);
      },
      end: () => {
        this.root.classList.remove("is-dragging");
        this.frame.mark(undefined);
        this.outline.mark(undefined);
      },
    };
  }

  private write(id: string, path: string, value: Json, isTyped: boolean): void {
    const section = this.find(id);
    if (!section) return;
    this.change(patchSection(this.content, id, { props: writePath(section.props, path, value) }), isTyped ? `${id}.${path}` : "");
  }

  private change(content: Content, key = ""): void {
    if (content === this.content) return;
    this.history.push(content, key);
    this.frame.sync(content);
    this.refresh(key === "" || document.activeElement === this.iframe); // typed on the page: show it
    this.saver.touch();
  }

  private step(way: "undo" | "redo"): void {
    if (!(way === "undo" ? this.history.undo() : this.history.redo())) return;
    this.redrawAll();
    this.saver.touch();
  }

  private redrawAll(): void {
    this.frame.sync(this.content);
    this.refresh();
    if (this.side.dataset["shows"] === "root") this.showSide("root");
  }

  private select(id: string, scrolls = false): void {
    this.selected = id;
    this.frame.select(id, scrolls);
    this.refresh();
  }

  /** Bring the parts beside the page to what is now; the panel only when nobody types in it. */
  private refresh(redrawsPanel = true): void {
    this.undoButton.disabled = !this.history.canUndo;
    this.redoButton.disabled = !this.history.canRedo;
    this.outline.draw(this.content, this.selected, this.faults);
    if (redrawsPanel && !this.panel.querySelector(":focus:is(input, textarea, [contenteditable=true])")) this.drawPanel();
  }

  private drawPanel(): void {
    const section = this.find(this.selected);
    const type = this.types.get(section?.type ?? "");
    const at = this.panel.scrollTop;
    const focused = this.panel.querySelector(":focus")?.closest<HTMLElement>("[data-path]")?.dataset["path"];
    this.root.classList.toggle("shows-panel", section !== undefined);
    if (!section) {
      this.panel.replaceChildren(make("p", { class: "muted builder-hint" }, say("choose_section")), this.faultList());
      return;
    }
    const hooks = {
      boot: this.boot,
      write: (path: string, value: Json, isTyped: boolean) => this.write(section.id, path, value, isTyped),
      redraw: () => this.drawPanel(),
    };
    const own = this.faults.filter((fault) => fault.section_id === section.id);
    this.panel.replaceChildren(
      make("div", { class: "builder-panel-head" }, make("h2", { class: "card-title grow" }, type?.name ?? say("unknown")), button("x", say("close"), () => this.select(""))),
      type ? make("p", { class: "muted tiny" }, type.hint) : make("p", { class: "muted" }, say("unknown_kept")),
      ...own.filter((fault) => fault.path === "").map((fault) => make("p", { class: "field-error", role: "alert" }, fault.message)),
      ...(type ? makeFields(type.fields, section.props, hooks, own) : []),
    );
    this.panel.scrollTop = at;
    if (focused) this.panel.querySelector<HTMLElement>(`[data-path="${CSS.escape(focused)}"] :is(input, select, button)`)?.focus({ preventScroll: true });
  }

  private faultList(): HTMLElement {
    const list = make("ul", { class: "fault-list" });
    for (const fault of this.faults) list.append(make("li", {}, textButton(`${fault.section}：${fault.message}`, () => this.goTo(fault), "fault-link", "alert-circle")));
    return list;
  }

  private goTo(fault: Fault): void {
    if (!fault.section_id) return this.showSide("root");
    this.select(fault.section_id, true);
    this.panel.querySelector<HTMLElement>(`[data-path="${CSS.escape(fault.path)}"] :is(input, textarea, select, button)`)?.focus();
  }

  private drawn(drawn: Record<string, string>, faults: Fault[]): void {
    this.frame.draw(drawn);
    const isNew = JSON.stringify(faults) !== JSON.stringify(this.faults);
    this.faults = faults;
    if (isNew) this.refresh();
  }

  private tell(state: SaveState): void {
    this.status.textContent = say({ saved: "saved", saving: "saving", waiting: "saving", offline: "offline" }[state]);
    this.status.dataset["state"] = state;
  }

  private async settleConflict(theirs: Content, version: number, message: string): Promise<void> {
    const keep = await ask(`${message} ${say("conflict")}`, say("keep_mine"));
    if (keep) this.saver.insist(theirs, version);
    else {
      this.history.push(theirs);
      this.saver.restart(theirs, version);
      this.redrawAll();
      this.frame.reload();
    }
  }

  private async publish(): Promise<void> {
    this.publishButton.disabled = true;
    const isSaved = await this.saver.flush();
    const answer = isSaved ? await post(this.root.dataset["publishUrl"] ?? "", { version: this.saver.version }) : { status: 0, data: {} };
    this.publishButton.disabled = false;
    if (answer.status === 200) {
      this.saver.restart(this.content, Number(answer.data["version"]));
      this.faults = [];
      this.refresh();
      toast(say("published"));
      return;
    }
    if (answer.data["faults"]) {
      this.faults = answer.data["faults"] as Fault[];
      this.select("");
      this.drawPanel();
      if (this.faults[0]) this.goTo(this.faults[0]);
    }
    toast(messageOf(answer) || say("publish_failed"), true);
  }

  private async schedule(): Promise<void> {
    await this.saver.flush();
    const input = make("input", { class: "input", type: "datetime-local", "aria-label": say("schedule") });
    const go = textButton(say("schedule"), () => void send(), "button button-primary");
    const planned = this.boot.publish_at ? make("p", {}, `${say("planned_at")} ${new Date(this.boot.publish_at).toLocaleString()}`, " ", textButton(say("unschedule"), () => void drop())) : undefined;
    const sheet = openSheet(say("schedule"), planned, make("p", { class: "muted" }, say("schedule_hint")), input, go);
    const send = async () => {
      const at = new Date(input.value);
      if (Number.isNaN(at.getTime())) return toast(say("choose_time"), true);
      const answer = await post(this.root.dataset["scheduleUrl"] ?? "", { version: this.saver.version, publish_at: at.toISOString() });
      if (answer.status !== 200) return toast(messageOf(answer) || say("publish_failed"), true);
      this.boot.publish_at = String(answer.data["publish_at"]);
      toast(say("scheduled"));
      sheet.close();
    };
    const drop = async () => {
      const answer = await post(this.root.dataset["unscheduleUrl"] ?? "", {});
      if (answer.status !== 200) return toast(messageOf(answer), true);
      this.boot.publish_at = null;
      toast(say("unscheduled"));
      sheet.close();
    };
  }

  private async share(): Promise<void> {
    await this.saver.flush();
    const answer = await post(this.root.dataset["shareUrl"] ?? "", {});
    if (answer.status !== 200) return toast(messageOf(answer), true);
    const url = String(answer.data["url"]);
    const input = make("input", { class: "input mono", readonly: true, value: url, "aria-label": say("share") });
    openSheet(say("share"), make("p", { class: "muted" }, say("share_hint")), input, textButton(say("copy"), () => {
      input.select();
      void navigator.clipboard?.writeText(url).then(() => toast(say("copied")));
    }, "button button-primary", "copy"));
  }

  private async discard(): Promise<void> {
    if (!(await ask(say("confirm_discard"), say("discard")))) return;
    const answer = await post(this.root.dataset["discardUrl"] ?? "", {});
    if (answer.status !== 200) return toast(messageOf(answer), true);
    const content = answer.data["content"] as Content;
    this.history.push(content);
    this.saver.restart(content, Number(answer.data["version"]));
    this.redrawAll();
    this.frame.reload();
  }

  private keep(content: Content | undefined, version: number): void {
    const key = `kameng-draft-${this.boot.page.id}`;
    try {
      if (content) localStorage.setItem(key, JSON.stringify({ version, content }));
      else localStorage.removeItem(key);
    } catch {
      // A full or forbidden store: the draft is still saved to the server.
    }
  }

  /** What this browser kept because the server never got it: put back when nobody saved since. */
  private restoreKept(): void {
    const stored = localStorage.getItem(`kameng-draft-${this.boot.page.id}`);
    if (!stored) return;
    const kept = JSON.parse(stored) as { version: number; content: Content };
    if (kept.version !== this.boot.version) return;
    this.history.push(kept.content);
    toast(say("restored"));
    this.redrawAll();
    this.saver.touch();
  }

  private keys(): void {
    const listen = (event: KeyboardEvent) => {
      const isCommand = event.ctrlKey || event.metaKey;
      const key = event.key.toLowerCase();
      const isTyping = event.target instanceof HTMLElement && event.target.matches("input, textarea, [contenteditable=true]");
      if (isCommand && key === "s") {
        event.preventDefault();
        void this.saver.flush();
      } else if (isTyping) return;
      else if (isCommand && key === "z") {
        event.preventDefault();
        this.step(event.shiftKey ? "redo" : "undo");
      } else if (isCommand && key === "y") {
        event.preventDefault();
        this.step("redo");
      } else if (event.key === "Delete" && this.selected) this.act(this.selected, "remove");
      else if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown") && this.selected && !(event.target instanceof HTMLElement && event.target.closest(".outline"))) {
        event.preventDefault();
        this.act(this.selected, event.key === "ArrowUp" ? "up" : "down");
      } else if (event.key === "Escape" && !document.querySelector("dialog[open]")) this.select("");
    };
    document.addEventListener("keydown", listen);
    addEventListener("beforeunload", (event) => !this.saver.isClean && event.preventDefault());
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
