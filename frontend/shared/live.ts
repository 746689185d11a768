/** Parts that move by themselves: copy, reveal, countdown, polling. */
import { getJson } from "./http.ts";
import { toast } from "./overlay.ts";
import { describeRemaining, pollDelay } from "./time.ts";
import { each, word } from "./words.ts";

const POLL_LIMIT_MS = 30 * 60_000;

async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without a secure context (a shop on plain HTTP) only the old way is there.
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "sr-only";
    document.body.append(area);
    area.select();
    const isDone = document.execCommand("copy");
    area.remove();
    return isDone;
  }
}

async function copyAndTell(text: string): Promise<void> {
  const isDone = text !== "" && (await copyText(text));
  toast(word(isDone ? "copied" : "copyFailed"), !isDone);
}

function startCopy(): void {
  document.addEventListener("click", (event) => {
    const target = event.target instanceof Element ? event.target : undefined;
    const one = target?.closest<HTMLElement>("[data-copy]");
    const all = target?.closest<HTMLElement>("[data-copy-all]");
    if (one) {
      const source = one.parentElement?.querySelector<HTMLElement>("[data-copy-text]");
      void copyAndTell(one.dataset["copy"] || source?.dataset["copyText"] || "");
    } else if (all) {
      const rows = document.querySelectorAll<HTMLElement>(`${all.dataset["copyAll"]} .key`);
      const lines = [...rows].map((row) =>
        [...row.querySelectorAll<HTMLElement>("[data-copy-text]")].map((part) => part.dataset["copyText"]).join(" "),
      );
      void copyAndTell(lines.join("\n"));
    }
  });
}

function startReveal(button: HTMLElement): void {
  const card = button.closest(".key") ?? document;
  button.addEventListener("click", () => {
    const isShown = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(isShown));
    for (const value of card.querySelectorAll<HTMLElement>("[data-secret]")) {
      value.classList.toggle("is-masked", !isShown);
      value.textContent = isShown ? (value.dataset["secret"] ?? "") : "••••••••";
    }
    const label = button.querySelector("span");
    if (label) label.textContent = (isShown ? button.dataset["hide"] : button.dataset["show"]) ?? "";
  });
}

function startCountdown(element: HTMLElement): void {
  const end = Date.parse(element.dataset["countdownTo"] ?? "");
  // The server's clock counts, not the buyer's: data-now is the time at which the page was made.
  const made = Date.parse(element.dataset["now"] ?? "");
  const skew = Number.isNaN(made) ? 0 : made - Date.now();
  if (Number.isNaN(end)) return;
  const words = { minutes: word("minutes"), hours: word("hours"), days: word("days") };
  const tick = () => {
    const left = end - Date.now() - skew;
    element.textContent = left > 0 ? describeRemaining(left, words) : word("expired");
    if (left > 0) return;
    clearInterval(timer);
    document.querySelector(".qr")?.classList.add("is-over");
    const over = element.dataset["over"];
    if (over) document.querySelector(over)?.removeAttribute("hidden");
  };
  const timer = setInterval(tick, 1000);
  tick();
}

/** Ask for {state, html?, reload?, next_url?} until the page has changed for good. */
function startPoll(element: HTMLElement): void {
  const url = element.dataset["pollUrl"] ?? "";
  const first = Number(element.dataset["pollSeconds"] ?? "2");
  const started = Date.now();
  let state = element.dataset["pollState"];
  let timer = 0;
  let isOver = false;
  const ask = async (): Promise<void> => {
    clearTimeout(timer);
    if (isOver || !element.isConnected || Date.now() - started > POLL_LIMIT_MS) return;
    if (!document.hidden) {
      const answer = await getJson(url);
      if (answer?.["reload"] === true) return location.reload();
      if (typeof answer?.["next_url"] === "string") return location.assign(answer["next_url"]);
      if (typeof answer?.["html"] === "string" && answer["state"] !== state) {
        element.innerHTML = answer["html"];
        startLive(element);
      }
      if (typeof answer?.["state"] === "string") state = answer["state"];
      if (answer?.["done"] === true) {
        isOver = true;
        return;
      }
    }
    timer = window.setTimeout(() => void ask(), pollDelay(first, Date.now() - started));
  };
  // Who comes back from the gateway's app, or by the back button, need not wait for the next turn.
  document.addEventListener("visibilitychange", () => void (document.hidden || ask()));
  window.addEventListener("pageshow", (event) => void (event.persisted && ask()));
  timer = window.setTimeout(() => void ask(), pollDelay(first, 0));
}

/** Start what moves inside a part of the page; also used on parts that arrive later. */
export function startLive(root: ParentNode = document): void {
  each<HTMLElement>("[data-reveal]", startReveal, root);
  each<HTMLElement>("[data-countdown-to]", startCountdown, root);
  if (root === document) {
    startCopy();
    each<HTMLElement>("[data-poll-url]", startPoll);
  }
}
