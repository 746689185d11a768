/** Search suggestions over the page: {items: [{url, title, image_url?, price?}]}. */
import { groupThousands } from "../shared/money.ts";
import { startChoices } from "../shared/suggest.ts";
import { each } from "../shared/words.ts";

interface Suggestion {
  readonly url: string;
  readonly title: string;
  readonly image_url?: string;
  readonly price?: string;
}

function drawItem(item: Suggestion, query: string): HTMLElement {
  const link = document.createElement("a");
  link.className = "suggest-item";
  link.setAttribute("role", "option");
  link.href = item.url;
  if (item.image_url) {
    const image = document.createElement("img");
    image.src = item.image_url;
    image.alt = "";
    image.width = 48;
    image.height = 36;
    link.append(image);
  }
  const title = document.createElement("span");
  title.className = "clip";
  const at = query ? item.title.toLowerCase().indexOf(query.toLowerCase()) : -1;
  if (at < 0) title.append(item.title);
  else {
    const mark = document.createElement("mark");
    mark.textContent = item.title.slice(at, at + query.length);
    title.append(item.title.slice(0, at), mark, item.title.slice(at + query.length));
  }
  link.append(title);
  if (item.price) {
    const price = document.createElement("span");
    price.className = "price";
    price.textContent = `¥${groupThousands(item.price)}`;
    link.append(price);
  }
  return link;
}

function startSuggest(input: HTMLInputElement): void {
  const form = input.closest("form");
  if (!form) return;
  const list = document.createElement("div");
  list.className = "suggest";
  list.id = "suggestions";
  list.setAttribute("role", "listbox");
  list.hidden = true;
  form.append(list);
  input.setAttribute("role", "combobox");
  input.setAttribute("aria-controls", list.id);
  const show = (isShown: boolean) => {
    list.hidden = !isShown;
    input.setAttribute("aria-expanded", String(isShown));
  };
  show(false);
  startChoices({
    input,
    list,
    url: input.dataset["suggestUrl"] ?? "",
    draw: (answer) => {
      const items = (Array.isArray(answer["items"]) ? answer["items"] : []) as Suggestion[];
      list.replaceChildren(...items.slice(0, 10).map((item) => drawItem(item, input.value.trim())));
      show(items.length > 0 && document.activeElement === input);
    },
    onClose: () => show(false),
  });
  input.addEventListener("focus", () => show(list.childElementCount > 0));
  document.addEventListener("click", (event) => {
    if (!form.contains(event.target as Node)) show(false);
  });
}

export function startSearch(): void {
  each<HTMLInputElement>("[data-suggest-url]", startSuggest);
}
