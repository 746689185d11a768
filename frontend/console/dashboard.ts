/** The dashboard's figures, asked for again every few seconds while somebody looks. */
import { getJson } from "../shared/http.ts";
import { startLive } from "../shared/live.ts";
import { each } from "../shared/words.ts";

/** What stands in the old figures and must stand in the new ones: the focus, and open tables. */
interface Place {
  readonly focused: string | undefined;
  readonly open: readonly string[];
}

/** Return a way to find an element again in another copy of the same part: its number among its kind. */
export function placeOf(root: ParentNode, selector: string, element: Element | null): string | undefined {
  const number = element ? [...root.querySelectorAll(selector)].indexOf(element) : -1;
  return number < 0 ? undefined : String(number);
}

const FOCUSABLE = "a[href], button, summary";

function remember(root: HTMLElement): Place {
  const open = [...root.querySelectorAll<HTMLDetailsElement>("details[data-keep][open]")];
  return {
    focused: placeOf(root, FOCUSABLE, document.activeElement),
    open: open.map((one) => one.dataset["keep"] ?? ""),
  };
}

function restore(root: HTMLElement, place: Place): void {
  for (const name of place.open) {
    root.querySelector<HTMLDetailsElement>(`details[data-keep="${name}"]`)?.setAttribute("open", "");
  }
  if (place.focused !== undefined) {
    root.querySelectorAll<HTMLElement>(FOCUSABLE)[Number(place.focused)]?.focus({ preventScroll: true });
  }
}

/** Put each part of an answer where that part stands in the page; leave alone what did not change. */
function replaceParts(html: string): void {
  const answer = document.createElement("template");
  answer.innerHTML = html;
  for (const fresh of answer.content.querySelectorAll<HTMLElement>("[data-live-part]")) {
    const root = document.querySelector<HTMLElement>(`[data-live-part="${fresh.dataset["livePart"]}"]`);
    if (!root || root.innerHTML.trim() === fresh.innerHTML.trim()) continue;
    const place = remember(root);
    root.replaceChildren(...fresh.childNodes);
    restore(root, place);
    startLive(root);
  }
}

function startFigures(root: HTMLElement): void {
  const url = root.dataset["liveUrl"] ?? "";
  const wait = Number(root.dataset["liveSeconds"] ?? "3") * 1000;
  let state = "";
  let timer = 0;
  const ask = async (): Promise<void> => {
    clearTimeout(timer);
    if (!root.isConnected) return;
    if (!document.hidden) {
      const answer = await getJson(`${url}&state=${state}`);
      if (typeof answer?.["html"] === "string") replaceParts(answer["html"]);
      if (typeof answer?.["state"] === "string") state = answer["state"];
    }
    timer = window.setTimeout(() => void ask(), wait);
  };
  // Who comes back to the page sees the figures of now, not after the next turn.
  document.addEventListener("visibilitychange", () => void (document.hidden || ask()));
  timer = window.setTimeout(() => void ask(), wait);
}

/** Keep the figures of the page fresh. */
export function startDashboard(): void {
  each<HTMLElement>("[data-live-url]", startFigures);
}
