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
  const image = make("img", { class: "focal-image", alt: "" });
  const point = make("span", { class: "focal-point", "aria-hidden": "true" });
  const current: Props = { ...value };
  const place = () => {
    point.style.left = `${Number(current["x"])}%`;
    point.style.top = `${Number(current["y"])}%`;
  };
  void find(Number(value["id"])).then((picture) => {
    if (picture) image.src = picture.thumb_url;
  });
  const box = make("button", { type: "button", class: "focal", title: say("focal"), "aria-label": say("focal") }, image, point);
  const set = (x: number, y: number) => {
    current["x"] = Math.max(0, Math.min(100, Math.round(x)));
    current["y"] = Math.max(0, Math.min(100, Math.round(y)));
    place();
    changed({ ...current });
  };
  const aim = (event: PointerEvent) => {
    const rect = image.getBoundingClientRect();
    set(((event.clientX - rect.left) / rect.width) * 100, ((event.clientY - rect.top) / rect.height) * 100);
  };
  box.addEventListener("pointerdown", (event) => {
    box.setPointerCapture(event.pointerId);
    aim(event);
  });
  box.addEventListener("pointermove", (event) => box.hasPointerCapture(event.pointerId) && aim(event));
  box.addEventListener("keydown", (event) => {
    const steps: Record<string, [number, number]> = { ArrowLeft: [-10, 0], ArrowRight: [10, 0], ArrowUp: [0, -10], ArrowDown: [0, 10] };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    set(Number(current["x"]) + step[0], Number(current["y"]) + step[1]);
  });
  const alt = make("input", { class: "input", type: "text", maxlength: "120", placeholder: say("alt"), "aria-label": say("alt"), value: String(value["alt"] ?? "") });
  alt.addEventListener("input", () => {
    current["alt"] = alt.value;
    changed({ ...current });
  });
  place();
  return make("div", { class: "stack stack-2" }, box, alt);
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

