/** Toasts, dialogs, menus and tabs: what lies over a page or switches parts of it. */
import { each, word } from "./words.ts";

const TOAST_MS = 3200;
const TOAST_LIMIT = 3;

export function toast(text: string, isBad = false): void {
  const list = document.querySelector("#toasts");
  const template = document.querySelector<HTMLTemplateElement>(isBad ? "#toast-bad" : "#toast-ok");
  const item = template?.content.firstElementChild?.cloneNode(true);
  if (!list || !(item instanceof HTMLElement) || !text) return;
  item.querySelector("span")?.append(text);
  list.append(item);
  while (list.childElementCount > TOAST_LIMIT) list.firstElementChild?.remove();
  setTimeout(() => item.remove(), TOAST_MS);
}

export function openDialog(dialog: HTMLDialogElement): void {
  if (dialog.open) return;
  dialog.showModal();
  dialog.querySelector<HTMLElement>("[autofocus], input:not([type=hidden]), textarea, select, button")?.focus();
}

function startDialogs(): void {
  document.addEventListener("click", (event) => {
    const target = event.target instanceof Element ? event.target : undefined;
    const opener = target?.closest<HTMLAnchorElement>("[data-dialog]");
    const dialog = opener && document.getElementById((opener.getAttribute("href") ?? "").slice(1));
    if (dialog instanceof HTMLDialogElement) {
      event.preventDefault();
      target?.closest("dialog")?.close();
      return openDialog(dialog);
    }
    const owner = target?.closest("dialog");
    if (owner && (target === owner || target?.closest("[data-close]"))) {
      event.preventDefault();
      owner.close();
    }
  });
}

function startMenus(): void {
  const open = () => document.querySelectorAll<HTMLDetailsElement>("details[data-menu][open]");
  document.addEventListener("click", (event) => {
    for (const menu of open()) if (!menu.contains(event.target as Node)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    for (const menu of open()) {
      if (event.key === "Escape") {
        menu.open = false;
        menu.querySelector("summary")?.focus();
      } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && menu.contains(document.activeElement)) {
        const items = [...menu.querySelectorAll<HTMLElement>(".menu-item")];
        const step = event.key === "ArrowDown" ? 1 : -1;
        const at = items.indexOf(document.activeElement as HTMLElement);
        items[(at + step + items.length) % items.length]?.focus();
        event.preventDefault();
      }
    }
  });
}

function startTabs(root: HTMLElement): void {
  const tabs = [...root.querySelectorAll<HTMLAnchorElement>("[role=tab]")];
  const panelOf = (tab: HTMLAnchorElement) => document.getElementById((tab.getAttribute("href") ?? "").slice(1));
  const choose = (chosen: HTMLAnchorElement) => {
    for (const tab of tabs) {
      tab.setAttribute("aria-selected", String(tab === chosen));
      tab.tabIndex = tab === chosen ? 0 : -1;
      panelOf(tab)?.classList.toggle("is-active", tab === chosen);
    }
  };
  tabs.forEach((tab, index) => {
    tab.setAttribute("aria-controls", panelOf(tab)?.id ?? "");
    tab.addEventListener("click", (event) => {
      event.preventDefault();
      choose(tab);
    });
    tab.addEventListener("keydown", (event) => {
      const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
      const next = step && tabs[(index + step + tabs.length) % tabs.length];
      if (next) {
        choose(next);
        next.focus();
      }
    });
  });
  const named = tabs.find((tab) => tab.getAttribute("href") === location.hash);
  const first = named ?? tabs.find((tab) => tab.getAttribute("aria-selected") === "true") ?? tabs[0];
  if (first) choose(first);
}

function startTheme(button: HTMLElement): void {
  const order = ["auto", "light", "dark"] as const;
  const names = { auto: "themeAuto", light: "themeLight", dark: "themeDark" } as const;
  button.addEventListener("click", () => {
    const root = document.documentElement;
    const now = order.indexOf((root.dataset["theme"] ?? "auto") as (typeof order)[number]);
    const next = order[(now + 1) % order.length] ?? "auto";
    root.dataset["theme"] = next;
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `theme=${next}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
    toast(word(names[next]));
  });
}

export function startOverlays(): void {
  startDialogs();
  startMenus();
  each<HTMLElement>("[data-tabs]", startTabs);
  each<HTMLElement>("[data-theme-switch]", startTheme);
  each<HTMLElement>("[data-toast]", (item) => setTimeout(() => item.remove(), TOAST_MS * 2));
}
