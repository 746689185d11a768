/** Imports: drop a file, see it go up, follow the work on the server. */
import { getJson } from "../shared/http.ts";
import { toast } from "../shared/overlay.ts";
import { pollDelay } from "../shared/time.ts";
import { each, word } from "../shared/words.ts";

const MIB = 1024 * 1024;

/** Say a size as people read it. */
export function describeSize(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < MIB ? `${(bytes / 1024).toFixed(0)} KB` : `${(bytes / MIB).toFixed(1)} MB`;
}

/** Take the message of a JSON answer; empty for anything else. */
export function readMessage(body: string): string {
  try {
    const answer = JSON.parse(body) as { message?: unknown } | null;
    return typeof answer?.message === "string" ? answer.message : "";
  } catch {
    return "";
  }
}

function sendWithProgress(form: HTMLFormElement, state: Element): void {
  const request = new XMLHttpRequest();
  request.open(form.method || "POST", form.action);
  request.upload.addEventListener("progress", (event) => {
    if (event.lengthComputable) state.textContent = word("uploading", { percent: Math.floor((event.loaded / event.total) * 100) });
  });
  const stop = (text: string) => {
    form.dispatchEvent(new Event("submit-stopped"));
    state.textContent = "";
    toast(text, true);
  };
  request.addEventListener("error", () => stop(word("network")));
  request.addEventListener("load", () => {
    // The server answers with a redirect to the next step, with {"message"}, or with the page and
    // its errors; that page is fetched by an ordinary submit, which happens only for bad files.
    if (request.status < 400 && request.responseURL !== form.action) return location.assign(request.responseURL);
    const message = readMessage(request.responseText);
    if (message || request.status >= 500) return stop(message || word("failed"));
    form.submit();
  });
  request.setRequestHeader("X-Requested-With", "fetch");
  request.send(new FormData(form));
}

function startDrop(zone: HTMLElement): void {
  const input = zone.querySelector<HTMLInputElement>("input[type=file]");
  const form = zone.closest("form");
  const line = form?.querySelector<HTMLElement>("[data-drop-file]");
  const name = line?.querySelector("[data-drop-name]");
  const state = line?.querySelector("[data-drop-state]");
  if (!input || !form || !line || !name || !state) return;
  const limit = Number(zone.dataset["limitMb"] ?? "64");
  let isSending = false;
  for (const kind of ["dragover", "dragleave", "drop"]) {
    zone.addEventListener(kind, () => zone.classList.toggle("is-over", kind === "dragover"));
  }
  input.addEventListener("change", () => {
    const file = input.files?.[0];
    if (file && file.size > limit * MIB) {
      toast(word("tooLarge", { limit }), true);
      input.value = "";
    }
    const kept = input.files?.[0];
    line.hidden = !kept;
    name.textContent = kept?.name ?? "";
    state.textContent = kept ? describeSize(kept.size) : "";
  });
  form.addEventListener("submit-stopped", () => {
    isSending = false;
  });
  form.addEventListener("submit", (event) => {
    if (event.defaultPrevented || !input.files?.length) return;
    event.preventDefault();
    if (isSending) return;
    isSending = true;
    sendWithProgress(form, state);
  });
}

/** Follow {done_count, total_count, text?, note?, reload?, next_url?}. */
function startProgress(root: HTMLElement): void {
  const bar = root.querySelector<HTMLProgressElement>("[data-progress]");
  const started = Date.now();
  const write = (part: string, text: unknown) => {
    const place = root.parentElement?.querySelector(`[data-progress-${part}]`) ?? root.querySelector(`[data-progress-${part}]`);
    if (place && typeof text === "string") place.textContent = text;
  };
  const ask = async (): Promise<void> => {
    const answer = document.hidden ? undefined : await getJson(root.dataset["progressUrl"] ?? "");
    if (answer?.["reload"] === true) return location.reload();
    if (typeof answer?.["next_url"] === "string") return location.assign(answer["next_url"]);
    if (bar && typeof answer?.["done_count"] === "number" && typeof answer["total_count"] === "number") {
      bar.max = Math.max(answer["total_count"], 1);
      bar.value = answer["done_count"];
    }
    write("text", answer?.["text"]);
    write("note", answer?.["note"]);
    if (root.isConnected) setTimeout(() => void ask(), pollDelay(Number(root.dataset["progressSeconds"] ?? "1"), Date.now() - started));
  };
  void ask();
}

export function startImports(): void {
  each<HTMLElement>("[data-drop]", startDrop);
  each<HTMLElement>("[data-progress-url]", startProgress);
}
