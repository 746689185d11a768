/** The fields of what is chosen, made from its schema; each change is told with its path. */
import { makeIcon } from "../shared/words.ts";
import { defaultProps } from "./content.ts";
import { button, make, say, textButton } from "./dom.ts";
import { chooseGoods, goodsLine } from "./goods.ts";
import { need } from "./needing.ts";
import { aimBox, choosePicture, pictureLine } from "./pictures.ts";
import type { Boot, Fault, Field, Json, Props } from "./types.ts";

export interface PanelHooks {
  boot: Boot;
  /** Write a value; `isTyped` changes in one place are one step of undo. */
  write: (path: string, value: Json, isTyped: boolean) => void;
  /** The shape of what is shown changed: draw the panel anew. */
  redraw: () => void;
  /** The picture of what is shown, on which entries with a place are put by hand. */
  picture: () => Props | null;
  /** What these fields belong to: entries of lists stay open by it. */
  scope: string;
}

let serial = 0;

/** Return the controls of fields for their values; faults stand below the field they are about. */
export function makeFields(fields: readonly Field[], props: Props, hooks: PanelHooks, faults: readonly Fault[], at = ""): HTMLElement[] {
  return fields
    .filter((field) => !field.shown_if || field.shown_if[1].includes(String(props[field.shown_if[0]])))
    .map((field) => makeField(field, props[field.name] ?? null, hooks, faults, `${at}${field.name}`));
}

function makeField(field: Field, value: Json, hooks: PanelHooks, faults: readonly Fault[], path: string): HTMLElement {
  const id = `field-${++serial}`;
  const control = CONTROLS[field.kind]?.(field, value, { hooks, path, id, faults }) ?? make("span");
  const isGroup = ["items", "products", "categories", "link", "image", "rich", "icon"].includes(field.kind);
  const labelled = field.kind === "switch" ? undefined : make(isGroup ? "span" : "label", isGroup ? { class: "field-label", id: `${id}-label` } : { class: "field-label", for: id }, field.label, field.required && make("span", { class: "req", "aria-hidden": "true" }, "*"));
  if (isGroup) {
    control.setAttribute("role", "group");
    control.setAttribute("aria-labelledby", `${id}-label`);
  }
  const box = make("div", { class: "field", "data-path": path }, labelled, control, field.help ? make("p", { class: "field-help" }, field.help) : undefined);
  if ((field.kind === "text" || field.kind === "lines") && field.most) count(box, control, labelled, field.most);
  markField(box, faults.filter((fault) => fault.path === path));
  return box;
}

/** Show beside its name how much of a text's room is used, once it becomes scarce. */
function count(box: HTMLElement, control: HTMLElement, label: HTMLElement | undefined, most: number): void {
  const shown = make("span", { class: "field-count", "aria-hidden": "true" });
  const tell = () => {
    const used = (control as HTMLInputElement).value.length;
    shown.textContent = used > most * 0.6 ? `${used}/${most}` : "";
    shown.classList.toggle("is-over", used > most);
  };
  label?.append(shown);
  box.addEventListener("input", tell);
  tell();
}

function markField(box: HTMLElement, faults: readonly Fault[]): void {
  for (const old of box.querySelectorAll(":scope > .field-error")) old.remove();
  box.classList.toggle("is-bad", faults.length > 0);
  for (const fault of faults) box.append(make("p", { class: "field-error", role: "alert" }, makeIcon("alert-circle", "icon-sm"), make("span", {}, fault.message)));
}

/** Tell the fields that stand there what is wrong with them now; who types in one keeps their caret. */
export function markFaults(root: HTMLElement, faults: readonly Fault[], notes: readonly Fault[] = []): void {
  for (const box of root.querySelectorAll<HTMLElement>(".field[data-path]")) {
    markField(box, faults.filter((fault) => fault.path === box.dataset["path"]));
    for (const old of box.querySelectorAll(":scope > .field-note")) old.remove();
    for (const note of notes.filter((each) => each.path === box.dataset["path"])) box.append(make("p", { class: "field-note", role: "status" }, makeIcon("info-circle", "icon-sm"), make("span", {}, note.message)));
  }
  for (const entry of root.querySelectorAll<HTMLElement>(".item[data-item]")) entry.classList.toggle("is-bad", faults.some((fault) => fault.path.startsWith(`${entry.dataset["item"]}.`)));
}

interface Place {
  hooks: PanelHooks;
  path: string;
  id: string;
  faults: readonly Fault[];
}
type Control = (field: Field, value: Json, place: Place) => HTMLElement;

const text: Control = (field, value, { hooks, path, id }) => {
  const input = make("input", { class: "input", id, type: "text", value: String(value ?? ""), maxlength: field.most ? String(field.most * 2) : undefined });
  input.addEventListener("input", () => hooks.write(path, input.value, true));
  return input;
};

const lines: Control = (_field, value, { hooks, path, id }) => {
  const area = make("textarea", { class: "input", id, rows: "3" });
  area.value = String(value ?? "");
  area.addEventListener("input", () => hooks.write(path, area.value, true));
  return area;
};

const rich: Control = (field, value, { hooks, path }) => {
  const bar = make("div", { class: "rich-bar", role: "toolbar", "aria-label": say("format") });
  const area = make("div", { class: "rich-area prose" });
  // By far the heaviest part of the editor: fetched when somebody comes to a text of this kind.
  void need(import("./rich.ts")).then((part) => part?.editRich(area, String(value ?? ""), bar, (html) => hooks.write(path, html, true), field.label));
  return make("div", { class: "rich-box" }, bar, area);
};

const choice: Control = (field, value, { hooks, path, id }) => {
  if (field.options.length <= 4) {
    const group = make("div", { class: "segments", role: "radiogroup", "aria-label": field.label, id });
    for (const [key, label] of field.options) {
      const input = make("input", { type: "radio", name: id, value: key });
      input.checked = key === value;
      input.addEventListener("change", () => {
        hooks.write(path, key, false);
        hooks.redraw();
      });
      group.append(make("label", { class: "segment" }, input, make("span", {}, label)));
    }
    return group;
  }
  const select = make("select", { class: "input", id }, ...field.options.map(([key, label]) => make("option", { value: key }, label)));
  select.value = String(value);
  select.addEventListener("change", () => {
    hooks.write(path, select.value, false);
    hooks.redraw();
  });
  return select;
};

const toggle: Control = (field, value, { hooks, path, id }) => {
  const input = make("input", { type: "checkbox", id, role: "switch", class: "switch-input" });
  input.checked = value === true;
  input.addEventListener("change", () => hooks.write(path, input.checked, false));
  return make("label", { class: "switch-line", for: id }, make("span", {}, field.label), input, make("span", { class: "switch-knob", "aria-hidden": "true" }));
};

const number: Control = (field, value, { hooks, path, id }) => {
  const input = make("input", { class: "input", id, type: "number", min: String(field.least), max: String(field.most), value: String(value ?? 0) });
  input.addEventListener("input", () => Number.isInteger(input.valueAsNumber) && hooks.write(path, input.valueAsNumber, true));
  return input;
};

const color: Control = (_field, value, { hooks, path, id }) => {
  const input = make("input", { class: "color-input", id, type: "color", value: String(value) });
  const code = make("input", { class: "input", type: "text", value: String(value), maxlength: "7", "aria-label": say("color_code") });
  const tell = (colour: string) => {
    input.value = code.value = colour;
    hooks.write(path, colour, true);
  };
  input.addEventListener("input", () => tell(input.value.toLowerCase()));
  code.addEventListener("input", () => /^#[0-9a-fA-F]{6}$/.test(code.value) && tell(code.value.toLowerCase()));
  return make("div", { class: "color-line" }, input, code);
};

const moment: Control = (_field, value, { hooks, path, id }) => {
  const input = make("input", { class: "input", id, type: "datetime-local" });
  const at = value ? new Date(String(value)) : undefined;
  const pad = (part: number) => String(part).padStart(2, "0");
  if (at && !Number.isNaN(at.getTime())) input.value = `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}T${pad(at.getHours())}:${pad(at.getMinutes())}`;
  input.addEventListener("input", () => {
    const chosen = new Date(input.value);
    hooks.write(path, Number.isNaN(chosen.getTime()) ? "" : chosen.toISOString(), true);
  });
  return input;
};

const icon: Control = (_field, value, { hooks, path }) => {
  const box = make("details", { class: "icon-box" });
  const shown = make("summary", { class: "button button-sm" }, value ? makeIcon(String(value), "icon-sm") : say("no_icon"));
  const grid = make("div", { class: "icon-picks" });
  for (const name of ["", ...hooks.boot.icons]) {
    const pick = make("button", { type: "button", class: "icon-pick", "aria-label": name || say("no_icon"), "aria-pressed": String(name === value) }, name ? makeIcon(name) : "—");
    pick.addEventListener("click", () => {
      hooks.write(path, name, false);
      hooks.redraw();
    });
    grid.append(pick);
  }
  box.append(shown, grid);
  return box;
};

const image: Control = (_field, value, { hooks, path }) => {
  const box = make("div", { class: "image-box" });
  const current = value as Props | null;
  if (current) box.append(pictureLine(current, hooks.boot, (next) => hooks.write(path, next, true)));
  const choose = textButton(current ? say("change_picture") : say("choose_picture"), () =>
    void choosePicture().then((picture) => {
      if (!picture) return;
      hooks.write(path, { id: picture.id, x: 50, y: 50, alt: "" }, false);
      hooks.redraw();
    }), "button button-sm", "photo");
  const drop = textButton(say("remove"), () => {
    hooks.write(path, null, false);
    hooks.redraw();
  }, "button button-sm button-quiet");
  box.append(make("div", { class: "row" }, choose, current ? drop : undefined));
  return box;
};

const link: Control = (_field, value, { hooks, path, id }) => {
  const current = value as Props | null;
  const box = make("div", { class: "link-box stack stack-2" });
  const goals = ["", ...hooks.boot.goals];
  const select = make("select", { class: "input", id, "aria-label": say("link_goal") }, ...goals.map((goal) => make("option", { value: goal }, say(`to_${goal || "none"}`))));
  select.value = current ? String(current["to"]) : "";
  select.addEventListener("change", () => {
    hooks.write(path, select.value ? { to: select.value, id: 0, url: "" } : null, false);
    hooks.redraw();
  });
  box.append(select);
  const set = (changes: Props) => hooks.write(path, { to: select.value, id: 0, url: "", ...changes }, true);
  if (current?.["to"] === "category" || current?.["to"] === "page") {
    const rows = current["to"] === "page" ? hooks.boot.pages.map((page) => [page.id, page.title] as const) : hooks.boot.categories.map((each) => [each.id, each.name] as const);
    box.append(pick(rows, Number(current["id"]), (chosen) => set({ id: chosen })));
  } else if (current?.["to"] === "product") {
    const ids = current["id"] ? [Number(current["id"])] : [];
    box.append(goodsLine(ids), textButton(say("choose_goods"), () =>
      void chooseGoods(ids, 1).then((chosen) => {
        if (!chosen) return;
        set({ id: chosen[0] ?? 0 });
        hooks.redraw();
      })));
  } else if (current?.["to"] === "url") {
    const input = make("input", { class: "input", type: "url", placeholder: "https://", value: String(current["url"] ?? ""), "aria-label": say("to_url") });
    input.addEventListener("input", () => set({ url: input.value.trim() }));
    box.append(input);
  }
  return box;
};

function pick(rows: readonly (readonly [number, string])[], value: number, chosen: (id: number) => void): HTMLElement {
  const select = make("select", { class: "input", "aria-label": say("choose") }, make("option", { value: "0" }, say("choose")), ...rows.map(([id, name]) => make("option", { value: String(id) }, name)));
  select.value = String(value);
  select.addEventListener("change", () => chosen(Number(select.value)));
  return select;
}

const products: Control = (_field, value, { hooks, path, id }) => {
  let source = { ...(value as Props) };
  const set = (changes: Props, redraws = false) => {
    source = { ...source, ...changes };
    hooks.write(path, source, !redraws);
    if (redraws) hooks.redraw();
  };
  const kinds = ["pinned", "hot", "new", "cheap", "category", "tag", "hand"];
  const by = make("select", { class: "input", id, "aria-label": say("goods_by") }, ...kinds.map((kind) => make("option", { value: kind }, say(`by_${kind}`))));
  by.value = String(source["by"]);
  by.addEventListener("change", () => set({ by: by.value }, true));
  const box = make("div", { class: "stack stack-2" }, by);
  if (source["by"] === "category") box.append(pick(hooks.boot.categories.map((each) => [each.id, `${each.name} (${each.count})`] as const), Number(source["id"]), (chosen) => set({ id: chosen })));
  if (source["by"] === "tag") {
    const list = make("datalist", { id: `${id}-tags` }, ...hooks.boot.tags.map((tag) => make("option", { value: tag })));
    const tag = make("input", { class: "input", list: `${id}-tags`, value: String(source["tag"]), maxlength: "16", "aria-label": say("by_tag") });
    tag.addEventListener("input", () => set({ tag: tag.value }));
    box.append(tag, list);
  }
  if (source["by"] === "hand") {
    const ids = (source["ids"] as number[]) ?? [];
    box.append(goodsLine(ids), textButton(say("choose_goods"), () =>
      void chooseGoods(ids, 60).then((chosen) => chosen && set({ ids: chosen, most: Math.max(1, Math.min(40, chosen.length)) }, true)), "button button-sm", "package"));
  } else {
    const most = make("input", { class: "input", type: "number", min: "1", max: "40", value: String(source["most"]) });
    most.addEventListener("input", () => most.valueAsNumber >= 1 && most.valueAsNumber <= 40 && set({ most: most.valueAsNumber }));
    box.append(make("label", { class: "inline-field" }, make("span", {}, say("at_most")), most, make("span", { class: "muted" }, say("pieces"))));
  }
  return box;
};

const categories: Control = (_field, value, { hooks, path }) => {
  const source = value as Props;
  const ids = new Set((source["ids"] as number[]) ?? []);
  const box = make("div", { class: "stack stack-2" });
  const all = make("input", { type: "checkbox" });
  all.checked = source["by"] === "all";
  all.addEventListener("change", () => {
    hooks.write(path, { by: all.checked ? "all" : "hand", ids: [...ids] }, false);
    hooks.redraw();
  });
  box.append(make("label", { class: "check-line" }, all, say("all_categories")));
  if (!all.checked)
    for (const category of hooks.boot.categories) {
      const input = make("input", { type: "checkbox" });
      input.checked = ids.has(category.id);
      input.addEventListener("change", () => {
        if (input.checked) ids.add(category.id);
        else ids.delete(category.id);
        hooks.write(path, { by: "hand", ids: [...ids] }, false);
      });
      box.append(make("label", { class: "check-line" }, input, category.name));
    }
  return box;
};

const items: Control = (field, value, place) => {
  const { hooks, path, faults } = place;
  const list = Array.isArray(value) ? value : [];
  const box = make("div", { class: "item-list" });
  const keyOf = (index: number) => `${hooks.scope} ${path}.${index}`;
  /** Put an order of old entries in place, each as open as it was; undefined stands for a new one. */
  const put = (order: readonly (number | undefined)[], fresh?: Json) => {
    const open = order.map((from) => from === undefined || OPEN.has(keyOf(from)));
    list.forEach((_each, index) => OPEN.delete(keyOf(index)));
    open.forEach((is, index) => is && OPEN.add(keyOf(index)));
    hooks.write(path, order.map((from) => (from === undefined ? (fresh ?? null) : (list[from] ?? null))), false);
    hooks.redraw();
  };
  const order = list.map((_each, index) => index);
  const swap = (index: number, to: number) => {
    if (to < 0 || to >= order.length) return;
    put(order.map((from) => (from === index ? to : from === to ? index : from)));
  };
  list.forEach((item, index) => box.append(makeItem(item as Props, index)));
  if (list.length < (field.most || 40)) box.append(textButton(say("add"), () => put([...order, undefined], defaultProps(field.fields)), "button button-sm", "plus"));
  else box.append(make("p", { class: "field-help" }, say("list_full")));
  return box;

  function makeItem(props: Props, index: number): HTMLElement {
    const title = field.fields.filter((each) => ["text", "lines", "rich"].includes(each.kind)).map((each) => props[each.name]).find((each) => typeof each === "string" && each.trim() && !each.startsWith("<")) ?? "";
    const key = keyOf(index);
    const isBad = faults.some((fault) => fault.path.startsWith(`${path}.${index}.`));
    const entry = make("details", { class: `item${isBad ? " is-bad" : ""}`, "data-item": `${path}.${index}`, open: OPEN.has(key) || isBad });
    entry.addEventListener("toggle", () => (entry.open ? OPEN.add(key) : OPEN.delete(key)));
    const name = make("span", { class: "clip grow" }, String(title) || `${field.label} ${index + 1}`);
    const picture = hooks.picture();
    const isPlaced = picture !== null && ["x", "y"].every((axis) => field.fields.some((each) => each.name === axis && each.kind === "number"));
    const shown = isPlaced ? field.fields.filter((each) => each.name !== "x" && each.name !== "y") : field.fields;
    let latest = props; // what was typed since this was drawn is not lost by a move of the point
    const own = { ...hooks, write: (at: string, to: Json, isTyped: boolean) => {
      latest = { ...latest, [at.slice(`${path}.${index}.`.length)]: to };
      hooks.write(at, to, isTyped);
    } };
    const spot = isPlaced ? aimBox(picture, props, say("spot"), 1, (x, y) => {
      latest = { ...latest, x, y };
      hooks.write(`${path}.${index}`, latest, true);
    }) : undefined;
    entry.append(
      make("summary", { class: "item-head" }, makeIcon("chevron-right", "icon-sm"), name),
      make("div", { class: "item-body stack stack-3" }, spot && make("div", { class: "field" }, make("span", { class: "field-label", "aria-hidden": "true" }, say("spot")), spot), ...makeFields(shown, props, isPlaced ? own : hooks, faults, `${path}.${index}.`),
        make("div", { class: "row item-acts" },
          button("chevron-up", say("up"), () => swap(index, index - 1)),
          button("chevron-down", say("down"), () => swap(index, index + 1)),
          button("copy", say("duplicate"), () => put([...order.slice(0, index + 1), undefined, ...order.slice(index + 1)], structuredClone(props))),
          button("trash", say("remove"), () => put(order.filter((each) => each !== index))),
        )),
    );
    return entry;
  }
};
const OPEN = new Set<string>();

const CONTROLS: Record<string, Control> = { text, lines, rich, choice, switch: toggle, number, color, moment, icon, image, link, products, categories, items };
