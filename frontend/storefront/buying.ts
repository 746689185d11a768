/** The product page: variant, quantity and the total of both. The server counts again at checkout. */
import { formatYuan, groupThousands, parseYuan, showPrice } from "../shared/money.ts";
import { each } from "../shared/words.ts";

/** Keep a quantity inside its limits; anything unreadable becomes the least. */
export function clampQuantity(text: string, least: number, most: number): number {
  const value = /^[0-9]{1,9}$/.test(text.trim()) ? Number(text) : least;
  return Math.min(Math.max(value, least), Math.max(least, most));
}

function startStepper(stepper: HTMLElement): void {
  const input = stepper.querySelector("input");
  if (!input) return;
  const limits = () => [Number(input.min || "1"), Number(input.max || "9999")] as const;
  const show = (value: number) => {
    const [least, most] = limits();
    for (const button of stepper.querySelectorAll("button")) {
      button.disabled = Number(button.dataset["step"]) < 0 ? value <= least : value >= most;
    }
  };
  stepper.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("button") : null;
    if (!button) return;
    const [least, most] = limits();
    const now = clampQuantity(input.value, least, most);
    input.value = String(clampQuantity(String(now + Number(button.dataset["step"])), least, most));
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });
  input.addEventListener("change", () => {
    input.value = String(clampQuantity(input.value, ...limits()));
    show(Number(input.value));
  });
  show(clampQuantity(input.value, ...limits()));
}

function startBuy(form: HTMLFormElement): void {
  const quantity = form.querySelector<HTMLInputElement>("[data-stepper] input");
  const part = (name: string) => form.querySelector<HTMLElement>(`[data-${name}]`);
  const refresh = () => {
    const variant = form.querySelector<HTMLInputElement>("input[name=variant]:checked, [data-price][type=hidden]");
    const price = parseYuan(variant?.dataset["price"] ?? "");
    if (!variant || price === undefined) return;
    if (quantity && variant.dataset["max"]) quantity.max = variant.dataset["max"];
    if (quantity) quantity.value = String(clampQuantity(quantity.value, Number(quantity.min || "1"), Number(quantity.max || "9999")));
    const unit = part("price-unit");
    const total = part("price-total");
    const list = part("price-list");
    if (unit) showPrice(unit, price);
    if (total) showPrice(total, price * Number(quantity?.value ?? "1"));
    if (list) {
      list.textContent = variant.dataset["list"] ? `¥${variant.dataset["list"]}` : "";
      list.hidden = !variant.dataset["list"];
    }
    const stock = form.querySelector<HTMLElement>(".goods-meta [data-stock]");
    if (stock && variant.dataset["stock"]) stock.textContent = variant.dataset["stock"];
  };
  form.addEventListener("change", refresh);
  refresh();
}

/** Who comes back from a placed order to its checkout must not place another by one press unawares. */
function startOnce(form: HTMLFormElement): void {
  const storage = sessionStorage;
  const key = `sent:${form.dataset["once"]}`;
  const [visit] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
  if (visit?.type !== "back_forward") storage.removeItem(key); // a new wish, or the form again after a refusal
  form.addEventListener("submit", (event) => {
    if (!event.defaultPrevented) storage.setItem(key, "1");
  });
  // Late enough for the browser to have put back what was ticked.
  window.addEventListener("pageshow", () => {
    if (storage.getItem(key) === null) return;
    for (const box of form.querySelectorAll<HTMLInputElement>("input[type=checkbox]")) box.checked = false;
    document.querySelector("[data-sent-note]")?.removeAttribute("hidden");
  });
}

/** What is paid by a choice: the server wrote both sums on it, without and with the wallet's part. */
export function dueOf(choice: DOMStringMap, hasPart: boolean): number | undefined {
  return parseYuan((hasPart ? choice["partDue"] : choice["due"]) ?? "");
}

/** The checkout's sums follow what is chosen. */
function startPay(form: HTMLFormElement): void {
  const box = form.querySelector<HTMLInputElement>("input[name=use_wallet]");
  const refresh = () => {
    const chosen = form.querySelector<HTMLInputElement>("input[name=pay]:checked");
    const due = chosen ? dueOf(chosen.dataset, box?.checked === true) : undefined;
    if (due === undefined) return;
    for (const place of form.querySelectorAll<HTMLElement>("[data-due-price]")) showPrice(place, due);
    for (const place of form.querySelectorAll<HTMLElement>("[data-due-text]")) place.textContent = `¥${groupThousands(formatYuan(due))}`;
    const line = form.querySelector<HTMLElement>("[data-part-line]");
    if (line) line.hidden = box?.checked !== true || chosen?.value === "wallet";
  };
  form.addEventListener("change", refresh);
  window.addEventListener("pageshow", refresh); // the browser may have put back what was chosen
}

export function startBuying(): void {
  each<HTMLFormElement>("form[data-once]", startOnce);
  each<HTMLElement>("[data-stepper]", startStepper);
  each<HTMLFormElement>("form[data-buy]", startBuy);
  each<HTMLFormElement>("form[data-pay]", startPay);
}
