/**
 * The real page in the middle: sections are chosen, moved and typed into where they stand. What the
 * server draws replaces a section's markup, but never while somebody types in it.
 */
import { makeIcon } from "../shared/words.ts";
import { draggable, type Drag } from "./dragging.ts";
import { make, say } from "./dom.ts";
import { need } from "./needing.ts";
import type { RichText } from "./rich.ts";
import type { Content } from "./types.ts";

export type SectionAct = "up" | "down" | "duplicate" | "hide" | "remove" | "fields";

export interface FrameHooks {
  isLook: boolean;
  select: (id: string) => void;
  act: (id: string, act: SectionAct) => void;
  isHidden: (id: string) => boolean;
  insertAt: (index: number) => void;
  type: (id: string, path: string, value: string) => void;
  kindOf: (id: string, path: string) => string;
  valueOf: (id: string, path: string) => string;
  drag: (id: string) => Drag | undefined;
  nameOf: (id: string) => string;
  /** Choose of which category or product the built-in part is shown. */
  chooseShown: (now: number) => void;
}

const EDGE = 60;

function following(element: Element): HTMLElement | null {
  let next = element.nextElementSibling;
  while (next && !next.hasAttribute("data-section")) next = next.nextElementSibling;
  return next as HTMLElement | null;
}

export class Frame {
  private selected = "";
  private stale = new Map<string, string>();
  private rich: { id: string; element: HTMLElement; text: RichText | undefined; bar: HTMLElement } | undefined;
  private scale = 1;
  private readonly iframe: HTMLIFrameElement;
  private readonly hooks: FrameHooks;
  private readonly line = make("div", { class: "frame-line", hidden: true });

  constructor(iframe: HTMLIFrameElement, hooks: FrameHooks) {
    this.iframe = iframe;
    this.hooks = hooks;
    iframe.addEventListener("load", () => this.attach());
  }

  private get page(): Document | undefined {
    return this.iframe.contentDocument ?? undefined;
  }

  /** What holds the sections that are edited: the page's own, or of a look those of the footer. */
  private get root(): HTMLElement | undefined {
    return (this.hooks.isLook ? this.end?.parentElement : this.page?.querySelector<HTMLElement>(".sections")) ?? undefined;
  }

  /** What stands behind the last section. */
  private get end(): Element | null {
    return this.hooks.isLook ? (this.page?.querySelector(".footer > .wrap > .footer-line") ?? null) : null;
  }

  /** Show the page at a width of the device, shrunk to what there is room for. */
  fit(width: number, room: DOMRect): void {
    this.scale = Math.min(1, room.width / width);
    this.iframe.style.width = `${width}px`;
    this.iframe.style.height = `${room.height / this.scale}px`;
    this.iframe.style.transform = `scale(${this.scale})`;
    this.page?.documentElement?.style.setProperty("--unscale", String(1 / this.scale)); // tools keep their size
    this.iframe.style.marginLeft = `${Math.max(0, (room.width - width * this.scale) / 2)}px`;
  }

  /** Show the page of another category or product. */
  show(url: string): void {
    this.iframe.contentWindow?.location.replace(url);
  }

  reload(): void {
    const at = this.iframe.contentWindow?.scrollY ?? 0;
    this.iframe.addEventListener("load", () => this.iframe.contentWindow?.scrollTo(0, at), { once: true });
    this.iframe.contentWindow?.location.reload();
  }

  /** Bring the order of the page's sections to that of a content; what is gone goes. */
  sync(content: Content): void {
    const root = this.root;
    if (!root) return;
    const ids = content.sections.map((section) => section.id);
    for (const element of root.querySelectorAll<HTMLElement>("[data-section]"))
      if (!ids.includes(element.dataset["section"] ?? "")) element.remove();
    // Only what stands elsewhere is moved: moving an element takes the caret out of it.
    let next = root.querySelector<HTMLElement>(":scope > [data-section]");
    for (const id of ids) {
      const element = this.find(id) ?? root.ownerDocument.adoptNode(make("section", { class: "s s-waiting", "data-section": id, id: `s-${id}` })); // drawn when saved
      if (element === next) next = following(element);
      else root.insertBefore(element, next ?? this.end);
      element.classList.toggle("is-hidden", content.sections.find((each) => each.id === id)?.hidden === true);
    }
    root.classList.toggle("is-empty", ids.length === 0);
    root.dataset["empty"] = say(this.page?.querySelector(".builtin") ? "empty_around" : "empty");
    this.select(this.selected);
  }

  /** Put in what the server drew; a section in which somebody types is drawn when they leave it. */
  draw(drawn: Record<string, string>): void {
    for (const [id, html] of Object.entries(drawn)) {
      const element = this.find(id);
      if (!element) continue;
      if (this.isTyping(element)) this.stale.set(id, html);
      else this.put(element, html);
    }
    this.select(this.selected);
  }

  select(id: string, scrolls = false): void {
    this.selected = id;
    const page = this.page;
    if (!page) return;
    const standing = this.find(id)?.querySelector<HTMLElement>(":scope > .frame-tools");
    if (id && standing && standing.dataset["hidden"] === String(this.hooks.isHidden(id)) && page.querySelectorAll(".frame-tools").length === 1) return;
    for (const element of page.querySelectorAll(".is-selected")) element.classList.remove("is-selected");
    page.querySelector(".frame-tools")?.remove();
    const element = id ? this.find(id) : undefined;
    if (!element) return;
    element.classList.add("is-selected");
    element.prepend(page.adoptNode(this.makeTools(id)));
    if (scrolls) element.scrollIntoView({ block: "center", behavior: "smooth" });
  }

  /** Say before which section a point of the editor lies; undefined when it is beside the page. */
  indexAt(x: number, y: number): number | undefined {
    const box = this.iframe.getBoundingClientRect();
    if (x < box.left || x > box.right || y < box.top || y > box.bottom) return undefined;
    const inner = (y - box.top) / this.scale;
    this.scrollNear(inner, box.height / this.scale);
    const middles = this.elements().map((element) => {
      const rect = element.getBoundingClientRect();
      return rect.top + rect.height / 2;
    });
    return middles.filter((middle) => middle < inner).length;
  }

  /** Draw the line where a drop would put something. */
  mark(index: number | undefined): void {
    const root = this.root;
    if (!root) return;
    const elements = this.elements();
    this.line.hidden = index === undefined;
    if (index === undefined) return this.line.remove();
    if (this.line.ownerDocument !== root.ownerDocument) root.ownerDocument.adoptNode(this.line);
    root.insertBefore(this.line, elements[index] ?? this.end);
  }

  private elements(): HTMLElement[] {
    return [...(this.root?.querySelectorAll<HTMLElement>(":scope > [data-section]") ?? [])];
  }

  private find(id: string): HTMLElement | undefined {
    return (id && this.page?.querySelector<HTMLElement>(`[data-section="${CSS.escape(id)}"]`)) || undefined;
  }

  private scrollNear(y: number, height: number): void {
    const window = this.iframe.contentWindow;
    if (y < EDGE) window?.scrollBy(0, -14);
    else if (y > height - EDGE) window?.scrollBy(0, 14);
  }

  private put(element: HTMLElement, html: string): void {
    const holder = element.ownerDocument.createElement("template");
    holder.innerHTML = html; // drawn by our server from checked values
    const fresh = holder.content.firstElementChild;
    if (fresh) element.replaceWith(fresh);
  }

  private isTyping(element: HTMLElement): boolean {
    // No `instanceof`: what the editor of rich text made is of the outer window.
    const focused = element.ownerDocument.activeElement as HTMLElement | null;
    return focused?.isContentEditable === true && element.contains(focused);
  }

  private attach(): void {
    const page = this.page;
    if (!page) return;
    const sheet = page.createElement("link");
    sheet.rel = "stylesheet";
    sheet.href = this.iframe.dataset["css"] ?? "";
    page.head.append(sheet);
    page.documentElement.classList.add("is-framed");
    page.documentElement.classList.toggle("is-look", this.hooks.isLook);
    page.addEventListener("click", (event) => this.click(event), true);
    page.addEventListener("submit", (event) => event.preventDefault(), true);
    page.addEventListener("keydown", (event) => this.key(event));
    page.addEventListener("focusout", (event) => this.leave(event));
    page.addEventListener("input", (event) => this.input(event));
    this.select(this.selected);
    this.iframe.dispatchEvent(new CustomEvent("ready"));
  }

  private click(event: MouseEvent): void {
    const target = event.target as Element | null;
    if (target?.closest(".frame-tools, .rich-bar")) return;
    const choose = target?.closest<HTMLElement>("[data-choose-shown]");
    if (choose) this.hooks.chooseShown(Number(choose.dataset["chooseShown"]));
    if (!target?.closest("summary")) event.preventDefault();
    const element = target?.closest<HTMLElement>("[data-section]");
    const id = (element && this.root?.contains(element) && element.dataset["section"]) || "";
    const wasSelected = id === this.selected;
    if (!wasSelected || !id) this.hooks.select(id);
    const text = target?.closest<HTMLElement>("[data-edit]");
    const isTouch = matchMedia("(pointer: coarse)").matches; // the first tap chooses, the second types
    if (id && text && (wasSelected || !isTouch)) this.edit(id, text);
  }

  private edit(id: string, text: HTMLElement): void {
    if (text.isContentEditable) return;
    const path = text.dataset["edit"] ?? "";
    if (this.hooks.kindOf(id, path) === "rich") return void this.editRich(id, path, text);
    text.textContent = this.hooks.valueOf(id, path);
    text.setAttribute("contenteditable", "plaintext-only");
    if (!text.isContentEditable) text.setAttribute("contenteditable", "true");
    text.setAttribute("role", "textbox");
    text.focus();
    const window = text.ownerDocument.defaultView;
    const range = text.ownerDocument.createRange();
    range.selectNodeContents(text);
    range.collapse(false);
    window?.getSelection()?.removeAllRanges();
    window?.getSelection()?.addRange(range);
  }

  private async editRich(id: string, path: string, element: HTMLElement): Promise<void> {
    if (this.rich?.element === element) return; // it has the caret already
    this.leaveRich();
    const bar = element.ownerDocument.adoptNode(make("div", { class: "rich-bar", role: "toolbar", "aria-label": say("format") }));
    const rich = { id, element, text: undefined as RichText | undefined, bar };
    this.rich = rich;
    const part = await need(import("./rich.ts"));
    if (this.rich !== rich || !element.isConnected) return; // somebody went on while it was fetched
    if (!part) return this.leaveRich();
    element.before(bar);
    rich.text = part.editRich(element, this.hooks.valueOf(id, path), bar, (html) => this.hooks.type(id, path, html), this.hooks.nameOf(id));
    rich.text.focus();
  }

  private leaveRich(): void {
    this.rich?.text?.destroy();
    this.rich?.bar.remove();
    this.rich = undefined;
  }

  private input(event: Event): void {
    const text = (event.target as Element | null)?.closest<HTMLElement>("[data-edit][contenteditable]");
    const id = text?.closest<HTMLElement>("[data-section]")?.dataset["section"];
    const path = text?.dataset["edit"] ?? "";
    if (!text || !id || this.hooks.kindOf(id, path) === "rich") return;
    this.hooks.type(id, path, text.innerText.replace(/\n$/, ""));
  }

  private leave(event: FocusEvent): void {
    const element = (event.target as Element | null)?.closest<HTMLElement>("[data-section]");
    const next = event.relatedTarget as Node | null;
    if (!element || (next && element.contains(next))) return;
    (event.target as Element).closest("[data-edit]")?.removeAttribute("contenteditable");
    const id = element.dataset["section"] ?? "";
    if (this.rich?.id === id) this.leaveRich();
    const html = this.stale.get(id);
    this.stale.delete(id);
    if (html !== undefined) queueMicrotask(() => this.draw({ [id]: html }));
  }

  private key(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    const isSave = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s";
    if (target.isContentEditable && !isSave) {
      const path = target.dataset["edit"] ?? "";
      const kind = this.hooks.kindOf(this.selected, path);
      if (event.key === "Escape" || (event.key === "Enter" && kind === "text")) {
        event.preventDefault();
        target.blur();
      }
      return;
    }
    if (target.matches("input, textarea, select")) return;
    this.iframe.dispatchEvent(new KeyboardEvent("keydown", { key: event.key, altKey: event.altKey, ctrlKey: event.ctrlKey, metaKey: event.metaKey, shiftKey: event.shiftKey, bubbles: true }));
    if ((event.ctrlKey || event.metaKey) && ["z", "y", "s", "d"].includes(event.key.toLowerCase())) event.preventDefault();
  }

  private makeTools(id: string): HTMLElement {
    const tools = make("div", { class: "frame-tools", "data-hidden": String(this.hooks.isHidden(id)), role: "toolbar", "aria-label": this.hooks.nameOf(id) });
    const handle = make("button", { type: "button", class: "frame-handle", title: say("drag"), "aria-label": say("drag") }, makeIcon("grip-vertical", "icon-sm"), this.hooks.nameOf(id));
    const origin = () => {
      const box = this.iframe.getBoundingClientRect();
      return { x: box.left, y: box.top, scale: this.scale };
    };
    draggable(handle, () => this.hooks.drag(id), origin);
    const isHidden = this.hooks.isHidden(id);
    const acts = [["settings", "fields"], ["chevron-up", "up"], ["chevron-down", "down"], ["copy", "duplicate"], [isHidden ? "eye" : "eye-off", "hide"], ["trash", "remove"]] as const;
    tools.append(handle);
    for (const [icon, act] of acts) {
      const label = act === "hide" && isHidden ? say("show") : say(act);
      const made = make("button", { type: "button", class: `frame-${act}`, title: label, "aria-label": label }, makeIcon(icon, "icon-sm"));
      made.addEventListener("click", () => this.hooks.act(id, act));
      tools.append(made);
    }
    const add = make("button", { type: "button", class: "frame-add", title: say("add"), "aria-label": say("add") }, makeIcon("plus", "icon-sm"));
    add.addEventListener("click", () => this.hooks.insertAt(this.elements().findIndex((each) => each.dataset["section"] === id) + 1));
    tools.append(add);
    return tools;
  }
}
