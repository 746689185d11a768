/** Tables: pick rows, act on many, keep the count in sight; scroll wide ones by keys. */
import { each, word } from "../shared/words.ts";

function startBulk(root: HTMLElement): void {
  const bar = root.querySelector<HTMLFormElement>("[data-bulk-bar]");
  const all = root.querySelector<HTMLInputElement>("[data-pick-all]");
  const picks = () => [...root.querySelectorAll<HTMLInputElement>("[data-pick]")];
  let last: HTMLInputElement | undefined;
  const refresh = () => {
    const boxes = picks();
    const chosen = boxes.filter((box) => box.checked);
    for (const box of boxes) box.closest("tr")?.classList.toggle("is-picked", box.checked);
    if (all) {
      all.checked = chosen.length > 0 && chosen.length === boxes.length;
      all.indeterminate = chosen.length > 0 && chosen.length < boxes.length;
    }
    if (!bar) return;
    bar.hidden = chosen.length === 0;
    const count = bar.querySelector("[data-bulk-count]");
    if (count) count.textContent = word("picked", { count: chosen.length });
  };
  root.addEventListener("click", (event) => {
    const box = event.target;
    if (!(box instanceof HTMLInputElement) || box.dataset["pick"] === undefined) return;
    // Shift takes everything between the last pick and this one.
    if (event.shiftKey && last) {
      const boxes = picks();
      const [from, to] = [boxes.indexOf(last), boxes.indexOf(box)].sort((a, b) => a - b);
      for (const between of boxes.slice(from, (to ?? 0) + 1)) between.checked = box.checked;
    }
    last = box;
    refresh();
  });
  all?.addEventListener("change", () => {
    for (const box of picks()) box.checked = all.checked;
    refresh();
  });
  // The bar may be a form of its own: the chosen rows travel with it.
  bar?.addEventListener("formdata", (event) => {
    for (const box of picks()) {
      if (box.checked && box.form !== bar) event.formData.append(box.name, box.value);
    }
  });
  refresh();
}

/** A table wider than its card is scrolled by keys as well: it can be reached where nothing in it can. */
function startScroll(box: HTMLElement): void {
  const title = box.closest("section, .card, .table-card")?.querySelector("h2, h3")?.textContent?.trim() || document.querySelector("h1")?.textContent?.trim();
  const tell = () => {
    const isReached = box.scrollWidth > box.clientWidth + 1 && !box.querySelector("a[href], button, input, select, textarea");
    if (isReached) {
      box.tabIndex = 0;
      box.setAttribute("role", "region");
      if (title) box.setAttribute("aria-label", title);
    } else for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
  };
  new ResizeObserver(tell).observe(box);
}

export function startTables(): void {
  each<HTMLElement>("[data-bulk]", startBulk);
  each<HTMLElement>(".table-scroll", startScroll);
}
