/** The address of a new shop: says while it is typed whether it is free, and offers others. */
import { getJson } from "../shared/http.ts";

const WAIT_MS = 250;

/** Make an address of what was typed: small letters, no spaces, only what may stand in one. */
export function cleanSlug(text: string): string {
  return text.normalize("NFKC").toLowerCase().replace(/[\s_.]+/g, "-").replace(/[^a-z0-9-]/g, "");
}

function offer(form: HTMLFormElement, near: unknown): void {
  const place = form.querySelector<HTMLElement>("[data-slug-near]");
  if (!place || !Array.isArray(near)) return;
  place.replaceChildren(
    ...near.map((slug) => {
      const chip = document.createElement("button");
      chip.type = "button";
      chip.className = "chip";
      chip.dataset["slug"] = chip.textContent = String(slug);
      return chip;
    }),
  );
}

export function startOpening(): void {
  for (const form of document.querySelectorAll<HTMLFormElement>("form[data-open-shop]")) {
    const input = form.querySelector<HTMLInputElement>("[data-slug-url]");
    const state = form.querySelector<HTMLElement>("#slug-state");
    const url = input?.dataset["slugUrl"];
    if (!input || !state || !url) continue;
    let timer = 0;
    let asking: AbortController | undefined;
    const ask = async () => {
      asking?.abort();
      asking = new AbortController();
      const target = new URL(url, location.href);
      target.searchParams.set("q", input.value);
      const answer = await getJson(target.href, asking.signal);
      if (!answer) return;
      const isFree = answer["state"] === "free";
      state.textContent = isFree ? `${String(answer["url"])} ${String(answer["text"])}` : String(answer["text"]);
      state.classList.toggle("is-free", isFree);
      state.classList.toggle("is-taken", !isFree);
      offer(form, answer["suggestions"]);
    };
    const later = () => {
      clearTimeout(timer);
      if (input.value.length > 1) timer = setTimeout(() => void ask(), WAIT_MS);
    };
    input.addEventListener("input", (event) => {
      if ((event as InputEvent).isComposing) return;
      const clean = cleanSlug(input.value);
      if (clean !== input.value) input.value = clean;
      later();
    });
    form.addEventListener("click", (event) => {
      const chip = (event.target as Element).closest<HTMLElement>("[data-slug]");
      if (!chip) return;
      input.value = chip.dataset["slug"] ?? "";
      input.dispatchEvent(new Event("input", { bubbles: true }));
      input.focus();
    });
  }
}
