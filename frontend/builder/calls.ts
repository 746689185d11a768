/** The editor's calls: JSON in, JSON out, with the status told apart from the network. */
import { sameOrigin } from "../shared/http.ts";

export interface Answer {
  status: number; // 0: no answer, or one that is none of ours
  data: Record<string, unknown>;
}

const TIMEOUT_MS = 20_000;
const UPLOAD_TIMEOUT_MS = 180_000; // a picture over a phone's slow line
const SIGNED_OUT = ["sign_in_needed", "csrf_failed"];

const tag = (page: Document = document) => page.querySelector<HTMLMetaElement>('meta[name="csrf-token"]');

async function send(url: string, init: RequestInit, timeout = TIMEOUT_MS): Promise<Answer> {
  const target = sameOrigin(url, location.href);
  if (target === undefined) return { status: 0, data: {} };
  const headers = { Accept: "application/json", "X-Requested-With": "fetch", "X-CSRFToken": tag()?.content ?? "", ...init.headers };
  try {
    const response = await fetch(target, { credentials: "same-origin", ...init, headers, signal: AbortSignal.timeout(timeout) });
    const data: unknown = await response.json();
    const isObject = typeof data === "object" && data !== null && !Array.isArray(data);
    return isObject ? { status: response.status, data: data as Record<string, unknown> } : { status: 0, data: {} };
  } catch {
    return { status: 0, data: {} }; // no line, or a page of somebody in between
  }
}

export const post = (url: string, body: unknown): Promise<Answer> =>
  send(url, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });

export const postForm = (url: string, body: FormData): Promise<Answer> => send(url, { method: "POST", body }, UPLOAD_TIMEOUT_MS);

export const get = (url: string): Promise<Answer> => send(url, {});

export const messageOf = (answer: Answer): string => {
  const message = answer.data["message"] ?? answer.data["detail"];
  return typeof message === "string" ? message : "";
};

export const isSignedOut = (answer: Answer): boolean => answer.status === 401 || SIGNED_OUT.includes(String(answer.data["code"] ?? ""));

/** After signing in again in another tab: take that session's token. Tells whether there is one. */
export async function renewToken(): Promise<boolean> {
  try {
    const response = await fetch(location.href, { credentials: "same-origin", headers: { Accept: "text/html" }, signal: AbortSignal.timeout(TIMEOUT_MS) });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const [fresh, own] = [tag(page), tag()];
    if (!response.ok || !fresh || !own || !page.querySelector(".builder")) return false;
    own.content = fresh.content;
    return true;
  } catch {
    return false;
  }
}
