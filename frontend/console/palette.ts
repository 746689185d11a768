/** Ctrl-K: any page, order, product or customer. {groups: [{name, items: [{url, title, note?, icon?}]}]}. */
import { openDialog } from "../shared/overlay.ts";
import { startChoices } from "../shared/suggest.ts";
import { each, makeIcon, word } from "../shared/words.ts";

interface Item {
  readonly url: string;
  readonly title: string;
  readonly note?: string;
  readonly icon?: string;
}

interface Group {
  readonly name: string;
  readonly items: readonly Item[];
}

function drawItem(item: Item): HTMLElement {
  const link = document.createElement("a");
  link.className = "palette-item";
  link.setAttribute("role", "option");
  link.href = item.url;
  const title = document.createElement("span");
  title.className = "clip";
  title.textContent = item.title;
  link.append(makeIcon(item.icon ?? "arrow-right"), title);
  if (item.note) {
    const note = document.createElement("small");
    note.textContent = item.note;
    link.append(note);
  }
  return link;
}

function drawGroups(answer: Record<string, unknown>, list: HTMLElement): void {
  const groups = (Array.isArray(answer["groups"]) ? answer["groups"] : []) as Group[];
  const parts: HTMLElement[] = [];
  for (const group of groups.filter((found) => found.items.length > 0)) {
    const name = document.createElement("p");
    name.className = "palette-group";
    name.textContent = group.name;
    parts.push(name, ...group.items.slice(0, 8).map(drawItem));
  }
  if (parts.length === 0) {
    const none = document.createElement("p");
    none.className = "palette-group";
    none.textContent = word("noResult");
    parts.push(none);
  }
  list.replaceChildren(...parts);
  list.querySelector("[role=option]")?.setAttribute("aria-selected", "true");
}

function startOne(dialog: HTMLDialogElement): void {
  const input = dialog.querySelector<HTMLInputElement>(".palette-input");
  const list = dialog.querySelector<HTMLElement>(".palette-list");
  if (!input || !list) return;
  const first = [...list.children];
  const open = () => {
    input.value = "";
    list.replaceChildren(...first);
    openDialog(dialog);
  };
  startChoices({ input, list, url: dialog.dataset["paletteUrl"] ?? "", draw: drawGroups });
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      open();
    }
  });
  each<HTMLElement>("[data-palette-open]", (opener) =>
    opener.addEventListener("click", (event) => {
      event.preventDefault();
      open();
    }),
  );
}

export function startPalette(): void {
  each<HTMLDialogElement>("dialog[data-palette-url]", startOne);
}
