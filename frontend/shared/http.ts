/** Requests to the own origin: bounded in time, with the CSRF token, never to anywhere else. */

const TIMEOUT_MS = 10_000;

/** Refuse an address of another origin, whatever an attribute says. */
export function sameOrigin(url: string, base: string): string | undefined {
  try {
    const target = new URL(url, base);
    return target.origin === new URL(base).origin ? target.href : undefined;
  } catch {
    return undefined;
  }
}

function csrfToken(): string {
  const meta = document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]');
  const input = document.querySelector<HTMLInputElement>('input[name="csrfmiddlewaretoken"]');
  return meta?.content || input?.value || "";
}

async function request(url: string, init: RequestInit): Promise<Response | undefined> {
  const target = sameOrigin(url, location.href);
  if (target === undefined) return undefined;
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), TIMEOUT_MS);
  init.signal?.addEventListener("abort", () => controller.abort(), { once: true });
  try {
    const response = await fetch(target, { credentials: "same-origin", ...init, signal: controller.signal });
    return response.ok ? response : undefined;
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

/** Fetch JSON; undefined when the network, the server or the shape fails. */
export async function getJson(url: string, signal?: AbortSignal): Promise<Record<string, unknown> | undefined> {
  const headers = { Accept: "application/json", "X-Requested-With": "fetch" };
  const response = await request(url, signal ? { headers, signal } : { headers });
  const data: unknown = await response?.json().catch(() => undefined);
  return typeof data === "object" && data !== null ? (data as Record<string, unknown>) : undefined;
}

/** Post a form and return the answer's markup; undefined when it fails. */
export async function postForHtml(url: string, body: FormData, signal?: AbortSignal): Promise<string | undefined> {
  const headers = { "X-CSRFToken": csrfToken(), "X-Requested-With": "fetch" };
  const response = await request(url, signal ? { method: "POST", headers, body, signal } : { method: "POST", headers, body });
  return response?.text();
}
