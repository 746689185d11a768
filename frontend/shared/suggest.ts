/** A list of answers below a search field, by keyboard or finger; without script the form just searches. */
import { getJson } from "./http.ts";

export interface Choices {
  readonly input: HTMLInputElement;
  readonly list: HTMLElement;
  readonly url: string;
  /** Draw the answer into the list; every choice is an element with role=option and an href. */
  readonly draw: (answer: Record<string, unknown>, list: HTMLElement) => void;
  readonly onClose?: () => void;
}

const WAIT_MS = 160;

/** Move the selection by one, around the ends; -1 is "none yet". */
export function nextIndex(at: number, step: number, count: number): number {
  if (count === 0) return -1;
  if (at < 0) return step > 0 ? 0 : count - 1;
  return (at + step + count) % count;
}

export function startChoices(choices: Choices): void {
  const { input, list, url } = choices;
  let timer = 0;
  let asking: AbortController | undefined;
  const options = () => [...list.querySelectorAll<HTMLAnchorElement>("[role=option]")];
  const select = (index: number) => {
    options().forEach((option, at) => {
      option.setAttribute("aria-selected", String(at === index));
      option.id ||= `${list.id}-${at}`;
      if (at === index) {
        input.setAttribute("aria-activedescendant", option.id);
        option.scrollIntoView({ block: "nearest" });
      }
    });
  };
  const ask = async () => {
    asking?.abort();
    asking = new AbortController();
    const target = new URL(url, location.href);
    target.searchParams.set("q", input.value.trim());
    const answer = await getJson(target.href, asking.signal);
    if (answer) choices.draw(answer, list);
  };
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => void ask(), WAIT_MS);
  });
  input.addEventListener("keydown", (event) => {
    const now = options().findIndex((option) => option.getAttribute("aria-selected") === "true");
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      select(nextIndex(now, event.key === "ArrowDown" ? 1 : -1, options().length));
    } else if (event.key === "Enter" && now >= 0 && !event.isComposing) {
      event.preventDefault();
      options()[now]?.click();
    } else if (event.key === "Escape") {
      choices.onClose?.();
    }
  });
}
