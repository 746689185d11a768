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
    if (!content.sections.length) this.element.append(make("li", { class: "muted outline-empty" }, say("empty")));
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

  private makeItem(section: Section, index: number, isSelected: boolean, isBad: boolean): HTMLElement {
    const type = this.hooks.typeOf(section);
    const title = Object.values(section.props).find((value) => typeof value === "string" && value.trim() && value.length > 1 && !value.startsWith("<") && /[^\x21-\x7e]/.test(value));
    const name = make("button", { type: "button", class: "outline-name", "aria-current": isSelected ? "true" : undefined, title: say("drag") },
      makeIcon(type?.icon ?? "help-circle", "icon-sm"),
      make("span", { class: "grow clip" }, type?.name ?? say("unknown"), title ? make("small", {}, String(title)) : undefined),
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
      button(section.hidden ? "eye-off" : "eye", section.hidden ? say("show") : say("hide"), () => this.hooks.act(section.id, "hide")),
      button("trash", say("remove"), () => this.hooks.act(section.id, "remove")));
  }
}

/** The palette: what can be put in, by group; clicked, dragged, or chosen by Enter. */
export function makePalette(types: readonly SectionType[], groups: readonly [string, string][], add: (type: SectionType) => void, drag: (type: SectionType) => Drag | undefined): HTMLElement {
  const search = make("input", { class: "input", type: "search", placeholder: say("search_sections"), "aria-label": say("search_sections") });
  const list = make("div", { class: "palette-groups" });
  const show = () => {
    const text = search.value.trim();
    const fits = types.filter((type) => type.stands_here && (!text || type.name.includes(text) || type.hint.includes(text)));
    list.replaceChildren(
      ...groups.flatMap(([key, label]) => {
        const members = fits.filter((type) => type.group === key);
        if (!members.length) return [];
        const grid = make("div", { class: "palette-grid" });
        for (const type of members) {
          const item = make("button", { type: "button", class: "palette-card", title: type.hint }, makeIcon(type.icon), make("span", {}, type.name));
          item.addEventListener("click", () => add(type));
          draggable(item, () => drag(type));
          grid.append(item);
        }
        return [make("h3", { class: "palette-title" }, label), grid];
      }),
    );
    if (!list.childElementCount) list.append(make("p", { class: "muted" }, say("nothing")));
  };
  search.addEventListener("input", show);
  show();
  return make("div", { class: "palette-box" }, search, list);
}
