/** The library of pictures: choosing, uploading with a crop, and the point that must stay in view. */
import { get } from "./calls.ts";
import { toast } from "../shared/overlay.ts";
import { makeIcon } from "../shared/words.ts";
import { make, openSheet, say, textButton } from "./dom.ts";
import { need } from "./needing.ts";
import type { Boot, Picture, Props } from "./types.ts";

const BYTES_MOST = 15_000_000; // as the server has it
const KINDS = ["image/jpeg", "image/png", "image/webp", "image/gif"];

/** Say at once why a file cannot be a picture of the shop; undefined when the server shall judge. */
function refuse(file: File): string | undefined {
  if (file.size > BYTES_MOST) return say("too_big");
  return KINDS.includes(file.type) ? undefined : say("wrong_kind");
}

const known = new Map<number, Picture>();
let urls = { list: "", upload: "" };

export function startPictures(list: string, upload: string): void {
  urls = { list, upload };
}

/** Show a chosen picture with its focal point and its words. */
export function pictureLine(value: Props, _boot: Boot, changed: (next: Props) => void): HTMLElement {
  const current: Props = { ...value };
  const box = aimBox(value, value, say("focal"), 10, (x, y) => {
    current["x"] = x;
    current["y"] = y;
    changed({ ...current });
  });
  const alt = make("input", { class: "input", type: "text", maxlength: "120", placeholder: say("alt"), "aria-label": say("alt"), value: String(value["alt"] ?? "") });
  alt.addEventListener("input", () => {
    current["alt"] = alt.value;
    changed({ ...current });
  });
  return make("div", { class: "stack stack-2" }, box, alt);
}

/** Show a whole picture with a point on it that a finger, a mouse or the arrow keys move; in percent. */
export function aimBox(picture: Props, at: Props, label: string, step: number, moved: (x: number, y: number) => void): HTMLElement {
  const image = make("img", { class: "focal-image", alt: "" });
  const point = make("span", { class: "focal-point", "aria-hidden": "true" });
  let [left, top] = [Number(at["x"]), Number(at["y"])];
  const place = () => {
    point.style.left = `${left}%`;
    point.style.top = `${top}%`;
  };
  void find(Number(picture["id"])).then((found) => {
    if (found) image.src = found.thumb_url;
  });
  const box = make("button", { type: "button", class: "focal", title: label, "aria-label": label }, image, point);
  const set = (x: number, y: number) => {
    left = Math.max(0, Math.min(100, Math.round(x)));
    top = Math.max(0, Math.min(100, Math.round(y)));
    place();
    moved(left, top);
  };
  const aim = (event: MouseEvent) => {
    const rect = image.getBoundingClientRect();
    set(((event.clientX - rect.left) / rect.width) * 100, ((event.clientY - rect.top) / rect.height) * 100);
  };
  box.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "touch") return; // a finger that scrolls past must not move the point: it taps
    box.setPointerCapture(event.pointerId);
    aim(event);
  });
  box.addEventListener("click", (event) => event.detail > 0 && aim(event));
  box.addEventListener("pointermove", (event) => box.hasPointerCapture(event.pointerId) && aim(event));
  box.addEventListener("keydown", (event) => {
    const steps: Record<string, [number, number]> = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    const by = steps[event.key];
    if (!by) return;
    event.preventDefault();
    set(left + by[0], top + by[1]);
  });
  place();
  return box;
}

async function find(id: number): Promise<Picture | undefined> {
  if (!known.has(id)) await load(`?id=${id}`);
  return known.get(id);
}

async function load(query = ""): Promise<Picture[]> {
  const answer = await get(urls.list + query);
  const items = (answer.data["items"] ?? []) as Picture[];
  for (const picture of items) known.set(picture.id, picture);
  return items;
}

/** Let a person choose or upload a picture; undefined when they close the sheet. */
export function choosePicture(): Promise<Picture | undefined> {
  return new Promise((resolve) => {
    let chosen: Picture | undefined;
    const grid = make("div", { class: "picture-grid" });
    const file = make("input", { class: "input", type: "file", accept: "image/jpeg,image/png,image/webp,image/gif", "aria-label": say("upload") });
    const more = textButton(say("more"), () => void show(), "button");
    let before = 0;
    const take = (picture: Picture) => {
      chosen = picture;
      sheet.close();
    };
    const show = async () => {
      const items = await load(before ? `?before=${before}` : "");
      for (const picture of items) {
        const pick = make("button", { type: "button", class: "picture-pick", "aria-label": picture.name }, make("img", { src: picture.thumb_url, alt: "", loading: "lazy" }));
        pick.addEventListener("click", () => take(picture));
        grid.append(pick);
      }
      before = items.at(-1)?.id ?? before;
      more.hidden = items.length < 60;
      if (!grid.childElementCount) grid.append(make("p", { class: "muted" }, say("no_picture")));
    };
    const bring = (picked: File | undefined) => {
      const problem = picked && refuse(picked);
      file.value = ""; // the same file can be chosen again
      told.textContent = problem ?? "";
      if (problem) return;
      if (picked)
        void need(import("./crop.ts")).then((part) => part?.crop(picked, urls.upload)).then((picture) => {
          if (!picture) return;
          known.set(picture.id, picture);
          take(picture);
          if (picture.has_code) toast(say("code_note"));
        });
    };
    file.addEventListener("change", () => bring(file.files?.[0]));
    const drop = make("label", { class: "picture-drop" }, makeIcon("cloud-upload"), make("span", { class: "strong" }, say("upload")), make("span", { class: "muted tiny" }, say("upload_hint")), file);
    drop.addEventListener("dragover", (event) => event.preventDefault());
    drop.addEventListener("drop", (event) => {
      event.preventDefault();
      bring(event.dataTransfer?.files[0]);
    });
    const told = make("p", { class: "field-error", role: "alert" });
    const sheet = openSheet(say("choose_picture"), drop, told, grid, more);
    sheet.addEventListener("paste", (event) => bring([...(event.clipboardData?.files ?? [])][0]));
    sheet.classList.add("is-wide");
    sheet.addEventListener("close", () => resolve(chosen));
    void show();
  });
}

