/** The editor's calls: JSON in, JSON out, with the status told apart from the network. */
import { sameOrigin } from "../shared/http.ts";

export interface Answer {
  status: number; // 0: no answer
  data: Record<string, unknown>;
}

const TIMEOUT_MS = 20_000;

function token(): string {
  return document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]')?.content ?? "";
}

async function send(url: string, init: RequestInit): Promise<Answer> {
  const target = sameOrigin(url, location.href);
  if (target === undefined) return { status: 0, data: {} };
  const headers = { Accept: "application/json", "X-Requested-With": "fetch", "X-CSRFToken": token(), ...init.headers };
  try {
    const response = await fetch(target, { credentials: "same-origin", ...init, headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
    const data: unknown = await response.json().catch(() => ({}));
    return { status: response.status, data: typeof data === "object" && data !== null ? (data as Record<string, unknown>) : {} };
  } catch {
    return { status: 0, data: {} };
  }
}

export const post = (url: string, body: unknown): Promise<Answer> =>
  send(url, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });

export const postForm = (url: string, body: FormData): Promise<Answer> => send(url, { method: "POST", body });

export const get = (url: string): Promise<Answer> => send(url, {});

export const messageOf = (answer: Answer): string => {
  const message = answer.data["message"] ?? answer.data["detail"];
  return typeof message === "string" ? message : "";
};
