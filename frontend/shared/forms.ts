/** Forms: live checks, one submit per press, and nothing typed is lost. */
import { each, makeIcon, word } from "./words.ts";

export type Control = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;
const CONTROLS = "input, select, textarea";
const DRAFT_LIMIT = 20_000;

/** Turn full-width digits, letters and signs into the ASCII that people meant. */
export function toHalfWidth(text: string): string {
  return text.replace(/[\uff01-\uff5e]/g, (char) => String.fromCharCode(char.charCodeAt(0) - 0xfee0)).replace(/\u3000/g, " ");
}

function describeFault(control: Control): string {
  const { validity } = control;
  if (validity.valid) return "";
  if (validity.valueMissing) return control.dataset["requiredMessage"] ?? word("required");
  if (control instanceof HTMLInputElement && control.type === "number") {
    return control.dataset["message"] ?? word("number", { min: control.min, max: control.max });
  }
  if (validity.tooShort) return control.dataset["message"] ?? word("short", { min: String((control as HTMLInputElement).minLength) });
  return control.dataset["message"] ?? word("invalid");
}

function showFault(control: Control, fault: string): void {
  const field = control.closest("[data-field]");
  const place = field?.querySelector(".field-error");
  if (!field || !place) return;
  field.classList.toggle("is-bad", fault !== "");
  control.setAttribute("aria-invalid", String(fault !== ""));
  if (fault === (place.textContent ?? "").trim()) return;
  const text = document.createElement("span");
  text.textContent = fault;
  place.replaceChildren(...(fault ? [makeIcon("alert-circle"), text] : []));
}

function tidy(control: Control): void {
  if (!(control instanceof HTMLInputElement) || control.type === "password") return;
  if (/^(numeric|decimal|tel|email)$/.test(control.inputMode) || control.dataset["ascii"] !== undefined) {
    control.value = toHalfWidth(control.value).trim();
  } else if (control.validity.patternMismatch) {
    // What must follow a pattern is a number more often than not: the server folds it too.
    const typed = control.value;
    control.value = toHalfWidth(typed).trim();
    if (control.validity.patternMismatch) control.value = typed;
  }
}

/** Bring a field to the middle: at the edges it would lie under the header or the bar at the bottom. */
function goTo(control: Control): void {
  control.focus({ preventScroll: true });
  (control.closest("[data-field]") ?? control).scrollIntoView({ block: "center" });
}

function startFields(form: HTMLFormElement): void {
  form.noValidate = true;
  form.addEventListener("focusout", (event) => {
    const control = event.target;
    if (!(control instanceof Element) || !control.matches(CONTROLS)) return;
    tidy(control as Control);
    const touched = control as Control;
    if (touched.value !== "" || touched.closest(".is-bad")) showFault(touched, describeFault(touched));
  });
  form.addEventListener("input", (event) => {
    const control = event.target;
    if (control instanceof Element && control.matches(CONTROLS) && control.closest(".is-bad")) {
      showFault(control as Control, describeFault(control as Control));
    }
  });
}

/** Check every control; show each fault and go to the first. */
export function checkForm(form: HTMLFormElement): boolean {
  let first: Control | undefined;
  for (const control of form.querySelectorAll<Control>(CONTROLS)) {
    tidy(control);
    const fault = control.willValidate ? describeFault(control) : "";
    if (control.closest("[data-field]")) showFault(control, fault);
    if (fault) first ??= control;
  }
  if (first && !first.closest("[data-field]")) first.reportValidity();
  if (first) goTo(first);
  return first === undefined;
}

function startGuard(form: HTMLFormElement): void {
  let isSent = false;
  startFields(form);
  form.addEventListener("submit", (event) => {
    if (isSent || !checkForm(form)) return event.preventDefault();
    isSent = true;
    event.submitter?.setAttribute("aria-busy", "true");
  });
  const release = () => {
    isSent = false;
    for (const button of form.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
  };
  // A page that comes back from the back/forward cache, or an upload that broke off, may be sent again.
  window.addEventListener("pageshow", release);
  form.addEventListener("submit-stopped", release);
}

function isKept(control: Control): boolean {
  return control.name !== "" && control.name !== "csrfmiddlewaretoken" && !["password", "hidden", "file", "submit"].includes(control.type);
}

/** Read what is typed, as name → values in the order of the form. */
export function readValues(form: HTMLFormElement): Record<string, string[]> {
  const values: Record<string, string[]> = {};
  for (const control of form.querySelectorAll<Control>(CONTROLS)) {
    if (!isKept(control)) continue;
    const box = control instanceof HTMLInputElement && ["radio", "checkbox"].includes(control.type);
    (values[control.name] ??= []).push(box ? String((control as HTMLInputElement).checked) : control.value);
  }
  return values;
}

/** Put values back; what the server disabled, or filled in where nothing was typed, stays. */
export function writeValues(form: HTMLFormElement, values: Record<string, string[]>): void {
  const seen: Record<string, number> = {};
  for (const control of form.querySelectorAll<Control>(CONTROLS)) {
    if (!isKept(control)) continue;
    const at = seen[control.name] ?? 0;
    seen[control.name] = at + 1;
    const value = values[control.name]?.[at];
    if (value === undefined || control.disabled || (value === "" && control.value !== "")) continue;
    if (control instanceof HTMLInputElement && ["radio", "checkbox"].includes(control.type)) control.checked = value === "true";
    else control.value = value;
  }
  form.dispatchEvent(new Event("input", { bubbles: true }));
}

export interface Draft {
  readonly at: number;
  readonly values: Record<string, string[]>;
}

/** Drafts in the browser's own storage; a full or forbidden storage is no error to the person typing. */
export function loadDraft(storage: Storage, key: string): Draft | undefined {
  try {
    const draft = JSON.parse(storage.getItem(`draft:${key}`) ?? "null") as Draft | null;
    return draft && typeof draft.at === "number" && typeof draft.values === "object" ? draft : undefined;
  } catch {
    return undefined;
  }
}

export function saveDraft(storage: Storage, key: string, draft: Draft | undefined): void {
  try {
    const text = JSON.stringify(draft);
    if (draft === undefined) storage.removeItem(`draft:${key}`);
    else if (text.length <= DRAFT_LIMIT) storage.setItem(`draft:${key}`, text);
  } catch (error) {
    console.warn("draft not kept", error);
  }
}

/** Keep what is typed over a reload or an error, for this tab only. */
function startKeep(form: HTMLFormElement): void {
  const key = form.dataset["keep"] ?? "";
  const draft = loadDraft(sessionStorage, key);
  const hasErrors = form.querySelector(".is-bad") !== null;
  if (draft && !hasErrors && form.dataset["unsaved"] === undefined) writeValues(form, draft.values);
  form.addEventListener("input", (event) => {
    if (event.isTrusted) saveDraft(sessionStorage, key, { at: Date.now(), values: readValues(form) });
  });
}

export function startForms(): void {
  const refused = document.querySelector<Control>(`[data-field].is-bad :is(${CONTROLS})`);
  if (refused) goTo(refused); // by the server: the page begins at its top
  each<HTMLFormElement>("form[data-guard]", startGuard);
  each<HTMLFormElement>("form[data-keep]:not([data-unsaved])", startKeep);
  each<HTMLElement>("[data-keep-clear]", (mark) => saveDraft(sessionStorage, mark.dataset["keepClear"] ?? "", undefined));
}
