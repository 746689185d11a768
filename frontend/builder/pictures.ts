/** The library of pictures: choosing, uploading with a crop, and the point that must stay in view. */
import { toast } from "../shared/overlay.ts";
import { get, messageOf, postForm } from "./calls.ts";
import { make, openSheet, say, textButton } from "./dom.ts";
import type { Boot, Picture, Props } from "./types.ts";

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
  box.addEventListener("click", (event) => {
    const rect = image.getBoundingClientRect();
    if (event.detail > 0) set(((event.clientX - rect.left) / rect.width) * 100, ((event.clientY - rect.top) / rect.height) * 100);
  });
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
    file.addEventListener("change", () => {
      const picked = file.files?.[0];
      if (picked) void crop(picked).then((picture) => picture && take(picture));
    });
    const sheet = openSheet(say("choose_picture"), make("label", { class: "field" }, make("span", { class: "field-label" }, say("upload")), file), grid, more);
    sheet.classList.add("is-wide");
    sheet.addEventListener("close", () => resolve(chosen));
    void show();
  });
}

interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** Show a file with a frame that can be moved and sized; upload what is inside. */
function crop(file: File): Promise<Picture | undefined> {
  return new Promise((resolve) => {
    let done: Picture | undefined;
    const url = URL.createObjectURL(file);
    const image = make("img", { class: "crop-image", src: url, alt: "" });
    const area = make("div", { class: "crop-area", tabindex: "0", role: "group", "aria-label": say("crop") });
    const grip = make("span", { class: "crop-grip" });
    area.append(grip);
    const stage = make("div", { class: "crop-stage" }, image, area);
    const box: Box = { left: 0, top: 0, width: 1, height: 1 };
    const place = () => {
      for (const side of ["left", "top", "width", "height"] as const) area.style[side] = `${box[side] * 100}%`;
    };
    const shape = (ratio: number) => {
      const natural = image.naturalWidth / image.naturalHeight;
      box.width = ratio ? Math.min(1, ratio / natural) : 1;
      box.height = ratio ? Math.min(1, natural / ratio) : 1;
      box.left = (1 - box.width) / 2;
      box.top = (1 - box.height) / 2;
      place();
    };
    startCropDrag(area, grip, stage, box, place);
    const ratios: [string, number][] = [[say("whole"), 0], ["1:1", 1], ["4:3", 4 / 3], ["16:9", 16 / 9], ["3:1", 3]];
    const go = textButton(say("upload"), () => void send(), "button button-primary", "upload");
    const send = async () => {
      go.disabled = true;
      go.textContent = say("uploading");
      const body = new FormData();
      body.set("file", file);
      if (box.width < 1 || box.height < 1) {
        body.set("left", String(Math.round(box.left * image.naturalWidth)));
        body.set("top", String(Math.round(box.top * image.naturalHeight)));
        body.set("width", String(Math.max(1, Math.floor(box.width * image.naturalWidth))));
        body.set("height", String(Math.max(1, Math.floor(box.height * image.naturalHeight))));
      }
      const answer = await postForm(urls.upload, body);
      if (answer.status === 200) {
        done = answer.data as unknown as Picture;
        known.set(done.id, done);
        sheet.close();
      } else {
        toast(messageOf(answer) || say("upload_failed"), true);
        go.disabled = false;
        go.textContent = say("upload");
      }
    };
    const sheet = openSheet(say("crop"), stage, make("div", { class: "row" }, ...ratios.map(([name, ratio]) => textButton(name, () => shape(ratio)))), make("div", { class: "row" }, go));
    sheet.classList.add("is-wide");
    image.addEventListener("load", () => place());
    sheet.addEventListener("close", () => {
      URL.revokeObjectURL(url);
      resolve(done);
    });
  });
}

function startCropDrag(area: HTMLElement, grip: HTMLElement, stage: HTMLElement, box: Box, place: () => void): void {
  const clamp = (value: number, low: number, high: number) => Math.max(low, Math.min(high, value));
  area.addEventListener("pointerdown", (start) => {
    const isSizing = start.target === grip;
    const from = { ...box };
    const size = stage.getBoundingClientRect();
    area.setPointerCapture(start.pointerId);
    const move = (event: PointerEvent) => {
      const dx = (event.clientX - start.clientX) / size.width;
      const dy = (event.clientY - start.clientY) / size.height;
      if (isSizing) {
        box.width = clamp(from.width + dx, 0.05, 1 - from.left);
        box.height = clamp(from.height + dy, 0.05, 1 - from.top);
      } else {
        box.left = clamp(from.left + dx, 0, 1 - from.width);
        box.top = clamp(from.top + dy, 0, 1 - from.height);
      }
      place();
    };
    area.addEventListener("pointermove", move);
    area.addEventListener("pointerup", () => area.removeEventListener("pointermove", move), { once: true });
    area.addEventListener("pointercancel", () => area.removeEventListener("pointermove", move), { once: true });
  });
  area.addEventListener("keydown", (event) => {
    const steps: Record<string, [number, number]> = { ArrowLeft: [-0.02, 0], ArrowRight: [0.02, 0], ArrowUp: [0, -0.02], ArrowDown: [0, 0.02] };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    if (event.shiftKey) {
      box.width = clamp(box.width + step[0], 0.05, 1 - box.left);
      box.height = clamp(box.height + step[1], 0.05, 1 - box.top);
    } else {
      box.left = clamp(box.left + step[0], 0, 1 - box.width);
      box.top = clamp(box.top + step[1], 0, 1 - box.height);
    }
    place();
  });
}

