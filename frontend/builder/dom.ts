/** Small ways to make elements, and the editor's words. */
import { makeIcon } from "../shared/words.ts";

type Child = Node | string | undefined | false;

const words: Record<string, string> = JSON.parse(document.querySelector("#builder-words")?.textContent ?? "{}");

export const say = (name: string, values: Record<string, string | number> = {}): string =>
  Object.entries(values).reduce((text, [key, value]) => text.replace(`{${key}}`, String(value)), words[name] ?? name);

/** Make an element: `make("button", { class: "button", type: "button" }, "text")`. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string | boolean | undefined> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (typeof value === "string") element.setAttribute(name, value);
  }
  element.append(...children.filter((child): child is Node | string => child !== undefined && child !== false));
  return element;
}

export function button(icon: string, label: string, act: (event: MouseEvent) => void, css = "button button-sm button-quiet button-icon"): HTMLButtonElement {
  const made = make("button", { type: "button", class: css, "aria-label": label, title: label }, makeIcon(icon, "icon-sm"));
  made.addEventListener("click", act);
  return made;
}

export function textButton(text: string, act: () => void, css = "button button-sm", icon = ""): HTMLButtonElement {
  const made = make("button", { type: "button", class: css }, icon ? makeIcon(icon, "icon-sm") : undefined, text);
  made.addEventListener("click", act);
  return made;
}

/** A menu behind three dots: icon, words and act of each entry. */
export function makeMenu(label: string, entries: readonly (readonly [string, string, () => void])[]): HTMLElement {
  const menu = make("details", { class: "menu", "data-menu": true });
  const items = entries.map(([icon, text, act]) => {
    const item = make("button", { type: "button", class: "menu-item" }, makeIcon(icon), text);
    item.addEventListener("click", () => {
      menu.open = false;
      act();
    });
    return item;
  });
  menu.append(make("summary", { class: "button button-quiet button-icon", "aria-label": label, title: label }, makeIcon("dots")), make("div", { class: "menu-list" }, ...items));
  return menu;
}

/** Open a dialog with a title; it removes itself when closed. */
export function openSheet(title: string, ...children: Child[]): HTMLDialogElement {
  const close = button("x", say("close"), () => sheet.close(), "dialog-close");
  const head = make("div", { class: "dialog-head" }, make("h2", { class: "dialog-title" }, title), close);
  const sheet = make("dialog", { class: "dialog builder-sheet", "aria-label": title, tabindex: "-1" }, head, make("div", { class: "dialog-body stack stack-3" }, ...children));
  document.body.append(sheet);
  sheet.addEventListener("close", () => sheet.remove());
  sheet.addEventListener("click", (event) => event.target === sheet && sheet.close());
  sheet.showModal();
  // The first thing to do has the focus, not the way out; on a phone nothing that brings its keyboard up.
  const first = matchMedia("(pointer: fine)").matches ? sheet.querySelector<HTMLElement>("[aria-current], .dialog-body :is(input:not([type=file]), select, textarea)") : sheet.querySelector<HTMLElement>("[aria-current]");
  (first ?? sheet).focus();
  return sheet;
}

/** Ask before something that cannot be taken back at once. */
export function ask(text: string, yes: string): Promise<boolean> {
  return new Promise((resolve) => {
    let answer = false;
    const go = textButton(yes, () => { answer = true; sheet.close(); }, "button button-primary");
    const stay = textButton(say("cancel"), () => sheet.close(), "button");
    const sheet = openSheet(say("confirm"), make("p", {}, text), make("div", { class: "row" }, go, stay));
    sheet.addEventListener("close", () => resolve(answer));
    go.focus();
  });
}
