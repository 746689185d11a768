/** Rows of a form that can be added and dropped; the count travels in the form set's own field. */
import { each } from "../shared/words.ts";

const PLACE = /__prefix__/g;

/** Put the number of a new row where the blank row has its place. */
export function numberRow(html: string, index: number): string {
  return html.replace(PLACE, String(index));
}

function startRows(root: HTMLElement): void {
  const prefix = root.dataset["rows"] ?? "";
  const limit = Number(root.dataset["rowsLimit"] ?? "0");
  const count = root.querySelector<HTMLInputElement>(`input[name="${prefix}-TOTAL_FORMS"]`);
  const blank = root.querySelector<HTMLTemplateElement>("template[data-rows-blank]");
  const list = root.querySelector<HTMLElement>("[data-rows-list]");
  const add = root.querySelector<HTMLButtonElement>("[data-rows-add]");
  if (!count || !blank || !list || !add) return;
  const tell = () => root.dispatchEvent(new Event("input", { bubbles: true }));
  const refresh = () => {
    add.hidden = Number(count.value) >= limit;
  };
  add.addEventListener("click", () => {
    const index = Number(count.value);
    if (index >= limit) return;
    const holder = document.createElement("template");
    holder.innerHTML = numberRow(blank.innerHTML, index);
    const row = holder.content.querySelector<HTMLElement>("[data-row]");
    if (!row) return;
    row.classList.remove("is-extra");
    list.append(row);
    count.value = String(index + 1);
    row.querySelector<HTMLElement>("input:not([type=hidden]), select")?.focus();
    refresh();
    tell();
  });
  root.addEventListener("click", (event) => {
    const drop = event.target instanceof Element ? event.target.closest("[data-row-drop]") : undefined;
    const row = drop?.closest<HTMLElement>("[data-row]");
    if (!row) return;
    // An emptied row counts for nothing, and the numbers of the others stay as they are.
    for (const control of row.querySelectorAll<HTMLInputElement>("input:not([type=checkbox])")) {
      control.value = "";
      control.required = false;
    }
    row.hidden = true;
    tell();
  });
  refresh();
}

export function startRowForms(): void {
  each<HTMLElement>("[data-rows]", startRows);
}
