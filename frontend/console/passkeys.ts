/**
 * Passkeys: a form with data-passkey asks the server for a challenge, the device answers, the form is sent.
 * Where the browser has none, what only passkeys need stays hidden and codes and passwords do.
 */
import { postForHtml } from "../shared/http.ts";
import { each } from "../shared/words.ts";

type Json = Record<string, unknown>;

export function toBytes(text: string): ArrayBuffer {
  const plain = text.replace(/-/g, "+").replace(/_/g, "/");
  const raw = atob(plain + "=".repeat((4 - (plain.length % 4)) % 4));
  const bytes = new Uint8Array(raw.length);
  for (let at = 0; at < raw.length; at += 1) bytes[at] = raw.charCodeAt(at);
  return bytes.buffer;
}

export function toText(bytes: ArrayBuffer): string {
  let raw = "";
  for (const byte of new Uint8Array(bytes)) raw += String.fromCharCode(byte);
  return btoa(raw).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

function withIds(list: unknown): PublicKeyCredentialDescriptor[] {
  if (!Array.isArray(list)) return [];
  return list.map((each: Json) => ({ ...each, type: "public-key", id: toBytes(String(each["id"])) }));
}

async function makeOne(options: Json): Promise<Json> {
  const user = options["user"] as Json;
  const asked = {
    ...options,
    challenge: toBytes(String(options["challenge"])),
    user: { ...user, id: toBytes(String(user["id"])) },
    excludeCredentials: withIds(options["excludeCredentials"]),
  } as unknown as PublicKeyCredentialCreationOptions;
  const made = (await navigator.credentials.create({ publicKey: asked })) as PublicKeyCredential;
  const answer = made.response as AuthenticatorAttestationResponse;
  return whole(made, {
    clientDataJSON: toText(answer.clientDataJSON),
    attestationObject: toText(answer.attestationObject),
  });
}

async function proveOne(options: Json): Promise<Json> {
  const asked = {
    ...options,
    challenge: toBytes(String(options["challenge"])),
    allowCredentials: withIds(options["allowCredentials"]),
  } as unknown as PublicKeyCredentialRequestOptions;
  const found = (await navigator.credentials.get({ publicKey: asked })) as PublicKeyCredential;
  const answer = found.response as AuthenticatorAssertionResponse;
  return whole(found, {
    clientDataJSON: toText(answer.clientDataJSON),
    authenticatorData: toText(answer.authenticatorData),
    signature: toText(answer.signature),
    ...(answer.userHandle ? { userHandle: toText(answer.userHandle) } : {}),
  });
}

function whole(credential: PublicKeyCredential, response: Json): Json {
  const id = toText(credential.rawId);
  return { id, rawId: id, type: "public-key", clientExtensionResults: {}, response };
}

async function run(form: HTMLFormElement): Promise<void> {
  const body = new FormData();
  const purpose = form.dataset["purpose"] ?? "";
  body.set("purpose", purpose);
  const text = await postForHtml(form.dataset["passkey"] ?? "", body);
  const asked = JSON.parse(text ?? "") as { step: string; options: { publicKey: Json } };
  const options = asked.options.publicKey;
  const answer = purpose === "register" ? await makeOne(options) : await proveOne(options);
  put(form, "passkey_step", asked.step);
  put(form, "passkey", JSON.stringify(answer));
  for (const field of form.querySelectorAll<HTMLInputElement>("[required]")) field.required = false;
  form.requestSubmit();
}

function put(form: HTMLFormElement, name: string, value: string): void {
  const field = form.querySelector<HTMLInputElement>(`input[name="${name}"]`);
  if (field) field.value = value;
}

function startOne(form: HTMLFormElement): void {
  const go = form.querySelector<HTMLButtonElement>("[data-passkey-go]");
  const fault = form.querySelector<HTMLElement>("[data-passkey-fault]");
  const missing = form.querySelector<HTMLElement>("[data-passkey-missing]");
  if (!go) return;
  const can = window.isSecureContext && "PublicKeyCredential" in window;
  if (!can) {
    go.hidden = true;
    if (missing) missing.hidden = false;
    return;
  }
  form.hidden = false;
  each<HTMLElement>("[data-passkey-only]", (part) => (part.hidden = false), form);
  go.addEventListener("click", () => {
    if (fault) fault.hidden = true;
    go.disabled = true;
    run(form).catch((error: unknown) => {
      console.info("passkey", error);
      if (fault) fault.hidden = false;
    }).finally(() => {
      go.disabled = false;
    });
  });
}

export function startPasskeys(): void {
  each<HTMLFormElement>("form[data-passkey]", startOne);
  each<HTMLButtonElement>("[data-print]", (button) => button.addEventListener("click", () => window.print()));
}
