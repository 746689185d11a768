/** The list of sections beside the page: chosen, dragged, moved by keys, hidden, copied, removed. */
import { makeIcon } from "../shared/words.ts";
import { draggable, type Drag } from "./dragging.ts";
import { button, make, say } from "./dom.ts";
import type { Content, Fault, Section, SectionType } from "./types.ts";

export interface OutlineHooks {
  typeOf: (section: Section) => SectionType | undefined;
  select: (id: string) => void;
  move: (id: string, to: number) => void;
  act: (id: string, act: "duplicate" | "hide" | "remove") => void;
  drag: (id: string) => Drag | undefined;
  /** Where the built-in part of the page stands: before the sections, after them, or there is none. */
  builtIn: "before" | "after" | "";
}

export class Outline {
  readonly element = make("ol", { class: "outline", "aria-label": say("outline") });
  private readonly hooks: OutlineHooks;

  constructor(hooks: OutlineHooks) {
    this.hooks = hooks;
  }

  draw(content: Content, selected: string, faults: readonly Fault[]): void {
    const focused = document.activeElement?.closest<HTMLElement>(".outline-item")?.dataset["id"];
    this.element.replaceChildren(...content.sections.map((section, index) => this.makeItem(section, index, section.id === selected, faults.some((fault) => fault.section_id === section.id))));
    if (!content.sections.length) this.element.append(make("li", { class: "muted outline-empty" }, say(this.hooks.builtIn ? "empty_around" : "empty")));
    if (this.hooks.builtIn === "before") this.element.prepend(this.makeFixed());
    else if (this.hooks.builtIn === "after") this.element.append(this.makeFixed());
    if (focused) this.element.querySelector<HTMLElement>(`[data-id="${CSS.escape(focused)}"] .outline-name`)?.focus();
  }

  /** Say before which item a point lies; undefined beside the list. */
  indexAt(x: number, y: number): number | undefined {
    const box = this.element.getBoundingClientRect();
    if (x < box.left || x > box.right || y < box.top - 12 || y > box.bottom + 40) return undefined;
    const items = [...this.element.querySelectorAll<HTMLElement>(".outline-item")];
    return items.filter((item) => {
      const rect = item.getBoundingClientRect();
      return rect.top + rect.height / 2 < y;
    }).length;
  }

  mark(index: number | undefined): void {
    const items = [...this.element.querySelectorAll<HTMLElement>(".outline-item")];
    items.forEach((item, at) => {
      item.classList.toggle("is-before", at === index);
      item.classList.toggle("is-after", index === items.length && at === items.length - 1);
    });
  }

  private makeFixed(): HTMLElement {
    return make("li", { class: "outline-fixed" }, makeIcon("lock", "icon-sm"), make("span", { class: "grow clip" }, say("built_in"), make("small", { class: "clip" }, say("built_in_hint"))));
  }

  private makeItem(section: Section, index: number, isSelected: boolean, isBad: boolean): HTMLElement {
    const type = this.hooks.typeOf(section);
    const title = Object.values(section.props).find((value) => typeof value === "string" && value.trim() && value.length > 1 && !value.startsWith("<") && /[^\x21-\x7e]/.test(value));
    const name = make("button", { type: "button", class: "outline-name", "aria-current": isSelected ? "true" : undefined, title: say("drag") },
      makeIcon(type?.icon ?? "help-circle", "icon-sm"),
      make("span", { class: "grow clip" }, type?.name ?? say("unknown"), title ? make("small", { class: "clip" }, String(title)) : undefined),
      isBad && makeIcon("alert-circle", "icon-sm"));
    name.addEventListener("click", () => this.hooks.select(section.id));
    name.addEventListener("keydown", (event) => {
      if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
        event.preventDefault();
        event.stopPropagation(); // the page's own shortcut would move the chosen section as well
        this.hooks.move(section.id, event.key === "ArrowUp" ? index - 1 : index + 2);
      } else if (event.key === "Delete") {
        event.stopPropagation();
        this.hooks.act(section.id, "remove");
      }
    });
    draggable(name, () => this.hooks.drag(section.id));
    return make("li", { class: `outline-item${section.hidden ? " is-hidden" : ""}${isBad ? " is-bad" : ""}`, "data-id": section.id },
      name,
      section.hidden && make("span", { class: "outline-mark" }, say("is_hidden")),
      button(section.hidden ? "eye-off" : "eye", section.hidden ? say("show") : say("hide"), () => this.hooks.act(section.id, "hide")),
      button("trash", say("remove"), () => this.hooks.act(section.id, "remove")));
  }
}

export interface PaletteHooks {
  add: (type: SectionType) => void;
  drag: (type: SectionType) => Drag | undefined;
  /** Where a section is drawn at its best, in this shop's look. */
  previewUrl: (type: SectionType) => string;
  isTaken: (type: SectionType) => boolean;
}

const PREVIEW_WIDTH = 1000;

/** The palette: what can be put in, by group; clicked, dragged, or chosen by Enter; shown on hover. */
export function makePalette(types: readonly SectionType[], groups: readonly [string, string][], hooks: PaletteHooks): HTMLElement {
  const search = make("input", { class: "input", type: "search", placeholder: say("search_sections"), "aria-label": say("search_sections") });
  const list = make("div", { class: "palette-groups" });
  const box = make("div", { class: "palette-box" }, search, list);
  const show = () => {
    const text = search.value.trim().toLowerCase();
    const fits = types.filter((type) => type.stands_here && (!text || `${type.name} ${type.hint} ${type.type}`.toLowerCase().includes(text)));
    list.replaceChildren(
      ...groups.flatMap(([key, label]) => {
        const members = fits.filter((type) => type.group === key);
        if (!members.length) return [];
        return [make("h2", { class: "palette-title" }, label), make("div", { class: "palette-grid" }, ...members.map((type) => makeCard(type, hooks)))];
      }),
    );
    if (!list.childElementCount) list.append(make("p", { class: "muted" }, say("nothing")));
  };
  search.addEventListener("input", show);
  show();
  return box;
}

function makeCard(type: SectionType, hooks: PaletteHooks): HTMLElement {
  const isTaken = hooks.isTaken(type);
  const card = make("button", { type: "button", class: "palette-card", "aria-description": isTaken ? say("only_one") : type.hint, "aria-disabled": isTaken ? "true" : undefined, "data-type": type.type }, makeIcon(type.icon), make("span", {}, type.name));
  let timer = 0;
  let shown: HTMLElement | undefined;
  const hide = () => {
    clearTimeout(timer);
    shown?.remove();
    shown = undefined;
  };
  const show = () => {
    hide();
    timer = window.setTimeout(() => {
      if (!card.isConnected || !matchMedia("(min-width: 900px)").matches) return;
      shown = makePreview(type, hooks.previewUrl(type));
      const at = card.getBoundingClientRect();
      document.body.append(shown);
      shown.style.top = `${Math.max(64, Math.min(at.top - 40, innerHeight - shown.offsetHeight - 12))}px`;
      shown.style.left = `${(card.closest(".builder-side")?.getBoundingClientRect().right ?? at.right) + 8}px`;
    }, 280);
  };
  card.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && show());
  card.addEventListener("pointerleave", hide);
  card.addEventListener("pointerdown", hide);
  card.addEventListener("focus", () => card.matches(":focus-visible") && show());
  card.addEventListener("blur", hide);
  card.addEventListener("click", () => {
    hide();
    hooks.add(type);
  });
  draggable(card, () => hooks.drag(type));
  return card;
}

function makePreview(type: SectionType, url: string): HTMLElement {
  const frame = make("iframe", { class: "palette-frame", src: url, title: type.name, tabindex: "-1", "aria-hidden": "true" });
  frame.style.width = `${PREVIEW_WIDTH}px`;
  const shown = make("div", { class: "palette-preview is-loading" }, make("div", { class: "palette-view" }, frame), make("p", { class: "palette-hint" }, make("strong", {}, type.name), " ", type.hint));
  frame.addEventListener("load", () => {
    const inside = frame.contentDocument?.querySelector(".sections");
    const scale = 420 / PREVIEW_WIDTH;
    const height = Math.min(900, Math.max(160, (inside?.getBoundingClientRect().height ?? 400) + 32));
    frame.style.height = `${height}px`;
    (frame.parentElement as HTMLElement).style.height = `${Math.min(360, height * scale)}px`;
    shown.classList.remove("is-loading");
  });
  return shown;
}
