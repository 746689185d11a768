/** Paying inside WeChat: hand the gateway's fields to its bridge, say what came of it. */
import { each } from "../shared/words.ts";

type Answer = { err_msg?: string };
type Bridge = { invoke(name: string, values: Record<string, string>, done: (answer: Answer) => void): void };
declare global {
  interface Window {
    WeixinJSBridge?: Bridge;
  }
}

const READY_MS = 4000;

/** Read what the page carries for the bridge; undefined unless it is an object of texts. */
export function readFields(text: string): Record<string, string> | undefined {
  try {
    const values: unknown = JSON.parse(text);
    if (typeof values !== "object" || values === null || Array.isArray(values)) return undefined;
    const pairs = Object.entries(values);
    return pairs.every(([, value]) => typeof value === "string") ? (Object.fromEntries(pairs) as Record<string, string>) : undefined;
  } catch {
    return undefined;
  }
}

/** Tell what the bridge's word means; only the server's callback proves a payment. */
export function readOutcome(said: string | undefined): "ok" | "cancel" | "fail" {
  if (said === "get_brand_wcpay_request:ok") return "ok";
  return said === "get_brand_wcpay_request:cancel" ? "cancel" : "fail";
}

function whenReady(): Promise<Bridge | undefined> {
  if (window.WeixinJSBridge) return Promise.resolve(window.WeixinJSBridge);
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(window.WeixinJSBridge), READY_MS);
    document.addEventListener("WeixinJSBridgeReady", () => {
      clearTimeout(timer);
      resolve(window.WeixinJSBridge);
    });
  });
}

function startBridge(box: HTMLElement): void {
  const fields = readFields(box.dataset["payBridge"] ?? "");
  const button = box.querySelector("button");
  const say = (which: string) => {
    for (const line of box.querySelectorAll<HTMLElement>("[data-bridge-said]")) line.hidden = line.dataset["bridgeSaid"] !== which;
  };
  const open = async (): Promise<void> => {
    if (button) button.disabled = true;
    const bridge = fields ? await whenReady() : undefined;
    if (button) button.disabled = false;
    if (!bridge || !fields) return say("absent");
    bridge.invoke("getBrandWCPayRequest", fields, (answer) => say(readOutcome(answer.err_msg)));
  };
  button?.addEventListener("click", () => void open());
  const [visit] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
  if (visit?.type !== "back_forward") void open(); // who comes back decides himself
}

export function startPaying(): void {
  each<HTMLElement>("[data-pay-bridge]", startBridge);
}
