/** Editing: unsaved changes are guarded and kept as a draft, and a preview follows every change. */
import { loadDraft, readValues, saveDraft, writeValues } from "../shared/forms.ts";
import { postForHtml } from "../shared/http.ts";
import { each } from "../shared/words.ts";

const PREVIEW_WAIT_MS = 220;
const DRAFT_WAIT_MS = 500;

function offerDraft(form: HTMLFormElement, key: string): void {
  const draft = loadDraft(localStorage, key);
  const notice = form.querySelector<HTMLElement>("[data-draft]");
  if (!draft || !notice || JSON.stringify(draft.values) === JSON.stringify(readValues(form))) return;
  const when = notice.querySelector("[data-draft-time]");
  if (when) when.textContent = new Date(draft.at).toLocaleString(document.documentElement.lang);
  notice.hidden = false;
  notice.querySelector("[data-draft-restore]")?.addEventListener("click", () => {
    writeValues(form, draft.values);
    notice.hidden = true;
  });
  notice.querySelector("[data-draft-drop]")?.addEventListener("click", () => {
    saveDraft(localStorage, key, undefined);
    notice.hidden = true;
  });
}

function startUnsaved(form: HTMLFormElement): void {
  const key = form.dataset["keep"] ?? "";
  const saved = JSON.stringify(readValues(form));
  let isDirty = form.querySelector(".is-bad") !== null;
  let isSent = false;
  let timer = 0;
  if (key) offerDraft(form, key);
  form.classList.toggle("is-dirty", isDirty);
  form.addEventListener("input", () => {
    const values = readValues(form);
    isDirty = JSON.stringify(values) !== saved;
    form.classList.toggle("is-dirty", isDirty);
    if (!key) return;
    clearTimeout(timer);
    timer = setTimeout(() => saveDraft(localStorage, key, isDirty ? { at: Date.now(), values } : undefined), DRAFT_WAIT_MS);
  });
  form.addEventListener("submit", (event) => {
    isSent = !event.defaultPrevented;
    clearTimeout(timer);
    if (isSent && key) saveDraft(localStorage, key, undefined);
  });
  window.addEventListener("beforeunload", (event) => {
    if (isDirty && !isSent) event.preventDefault();
  });
}

function startPreview(place: HTMLElement): void {
  const form = place.closest("form") ?? document.querySelector<HTMLFormElement>(place.dataset["previewForm"] ?? "form");
  if (!form) return;
  let timer = 0;
  let asking: AbortController | undefined;
  const ask = async () => {
    asking?.abort();
    const own = (asking = new AbortController());
    place.setAttribute("aria-busy", "true");
    const html = await postForHtml(place.dataset["previewUrl"] ?? "", new FormData(form), own.signal);
    if (asking !== own) return;
    place.removeAttribute("aria-busy");
    if (html !== undefined) place.innerHTML = html;
  };
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => void ask(), PREVIEW_WAIT_MS);
  });
}

export function startEditing(): void {
  each<HTMLFormElement>("form[data-unsaved]", startUnsaved);
  each<HTMLElement>("[data-preview-url]", startPreview);
}
