/** WeChat's bridge: hand it what the page carries, say what came of it. */
import { each } from "./words.ts";

type Answer = { err_msg?: string };
type Bridge = { invoke(name: string, values: Record<string, string>, done: (answer: Answer) => void): void };
declare global {
  interface Window {
    WeixinJSBridge?: Bridge;
  }
}

/** A call of the bridge: its name, the word before the colon of its answers, the element's data-*. */
export type Call = { name: string; word: string; field: string };

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

/** Tell what the bridge's word means; only the server's answer proves that money moved. */
export function readOutcome(said: string | undefined, word: string): "ok" | "cancel" | "fail" {
  if (said === `${word}:ok`) return "ok";
  return said === `${word}:cancel` || said === `${word}:close` ? "cancel" : "fail";
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

/** Let the button of an element call the bridge; return the same as a function. */
export function startBridge(box: HTMLElement, call: Call): () => void {
  const fields = readFields(box.dataset[call.field] ?? "");
  const button = box.querySelector("button");
  const say = (which: string) => {
    for (const line of box.querySelectorAll<HTMLElement>("[data-bridge-said]")) line.hidden = line.dataset["bridgeSaid"] !== which;
  };
  const open = async (): Promise<void> => {
    if (button) button.disabled = true;
    const bridge = fields ? await whenReady() : undefined;
    if (button) button.disabled = false;
    if (!bridge || !fields) return say("absent");
    bridge.invoke(call.name, fields, (answer) => say(readOutcome(answer.err_msg, call.word)));
  };
  button?.addEventListener("click", () => void open());
  return () => void open();
}

export const RECEIVE: Call = { name: "requestMerchantTransfer", word: "requestMerchantTransfer", field: "receiveBridge" };

/** Confirming a payout: at a press only, for it takes money in a person's name. */
export function startReceiving(): void {
  each<HTMLElement>("[data-receive-bridge]", (box) => void startBridge(box, RECEIVE));
}
