/** Cutting a picture before it is taken in: a frame that is moved and sized by mouse, touch and keys. */
import { messageOf, postForm } from "./calls.ts";
import { make, openSheet, say, textButton } from "./dom.ts";
import type { Picture } from "./types.ts";

interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

type Corner = "nw" | "ne" | "sw" | "se";
const CORNERS: readonly Corner[] = ["nw", "ne", "sw", "se"];
const LEAST = 0.05;

/** Show a file with a frame that can be moved and sized; upload what is inside. */
export function crop(file: File, uploadUrl: string): Promise<Picture | undefined> {
  return new Promise((resolve) => {
    let done: Picture | undefined;
    // A canvas: the page's policy lets no picture in whose address is a blob's.
    const canvas = make("canvas", { class: "crop-image" });
    const stage = make("div", { class: "crop-stage" }, canvas);
    const cutter = new Cutter(stage);
    const size = make("span", { class: "muted tiny", role: "status" });
    cutter.changed = () => (size.textContent = cutter.words());
    const go = textButton(say("upload"), () => void send(), "button button-primary", "upload");
    const send = async () => {
      go.disabled = true;
      go.setAttribute("aria-busy", "true");
      go.lastChild?.replaceWith(say("uploading"));
      const body = new FormData();
      body.set("file", file);
      for (const [name, value] of Object.entries(cutter.pixels())) body.set(name, String(value));
      const answer = await postForm(uploadUrl, body);
      go.disabled = false;
      go.removeAttribute("aria-busy");
      go.lastChild?.replaceWith(say("upload"));
      if (answer.status === 200) {
        done = answer.data as unknown as Picture;
        sheet.close();
      } else problem.replaceChildren(messageOf(answer) || say("upload_failed"));
    };
    const problem = make("p", { class: "field-error", role: "alert" });
    const sheet = openSheet(say("crop"), stage, make("div", { class: "row crop-row" }, cutter.ratioButtons(), size), make("p", { class: "muted tiny" }, say("crop_hint")), problem, make("div", { class: "row" }, go));
    sheet.classList.add("is-wide");
    go.disabled = true;
    void draw(file, canvas).then((natural) => {
      go.disabled = natural === undefined;
      if (natural) cutter.start(natural);
      else problem.textContent = say("wrong_kind");
    });
    sheet.addEventListener("close", () => resolve(done));
  });
}

interface Size {
  width: number;
  height: number;
}

const SHOWN_MOST = 1600; // pixels of the canvas: a camera's picture need not be held twice

/** Draw a file upright into a canvas; return its own size, undefined when it is no picture. */
async function draw(file: File, canvas: HTMLCanvasElement): Promise<Size | undefined> {
  try {
    const bitmap = await createImageBitmap(file);
    const natural = { width: bitmap.width, height: bitmap.height };
    const scale = Math.min(1, SHOWN_MOST / Math.max(natural.width, natural.height));
    canvas.width = Math.max(1, Math.round(natural.width * scale));
    canvas.height = Math.max(1, Math.round(natural.height * scale));
    canvas.getContext("2d")?.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    bitmap.close();
    return natural;
  } catch {
    return undefined;
  }
}

class Cutter {
  private readonly box: Box = { left: 0, top: 0, width: 1, height: 1 };
  private ratio = 0; // of the frame, in the picture's own pixels; 0: free
  private readonly area = make("div", { class: "crop-area", tabindex: "0", role: "group", "aria-label": say("crop") });
  private readonly stage: HTMLElement;
  private natural: Size = { width: 1, height: 1 };
  changed: () => void = () => undefined;

  constructor(stage: HTMLElement) {
    this.stage = stage;
    for (const corner of CORNERS) this.area.append(make("span", { class: `crop-grip is-${corner}`, "data-corner": corner }));
    stage.append(this.area);
    this.area.addEventListener("pointerdown", (event) => this.drag(event));
    this.area.addEventListener("keydown", (event) => this.key(event));
  }

  start(natural: Size): void {
    this.natural = natural;
    this.place();
  }

  ratioButtons(): HTMLElement {
    const ratios: [string, number][] = [[say("whole"), 0], ["1:1", 1], ["4:3", 4 / 3], ["16:9", 16 / 9], ["3:1", 3]];
    const group = make("div", { class: "row", role: "group", "aria-label": say("ratio") });
    for (const [name, ratio] of ratios) {
      const made = textButton(name, () => {
        this.shape(ratio);
        for (const other of group.children) other.setAttribute("aria-pressed", String(other === made));
      });
      made.setAttribute("aria-pressed", String(ratio === 0));
      group.append(made);
    }
    return group;
  }

  /** Say what will be cut out, in pixels of the upright picture; nothing when all of it is taken. */
  pixels(): Partial<Box> {
    const { left, top, width, height } = this.box;
    if (width >= 1 && height >= 1) return {};
    const [wide, high] = [this.natural.width, this.natural.height];
    const at = { left: Math.round(left * wide), top: Math.round(top * high) };
    return { ...at, width: Math.max(1, Math.min(Math.round(width * wide), wide - at.left)), height: Math.max(1, Math.min(Math.round(height * high), high - at.top)) };
  }

  words(): string {
    const cut = this.pixels();
    return `${cut.width ?? this.natural.width} × ${cut.height ?? this.natural.height}`;
  }

  place(): void {
    for (const side of ["left", "top", "width", "height"] as const) this.area.style[side] = `${this.box[side] * 100}%`;
    this.changed();
  }

  /** The frame's ratio of width to height, in parts of the picture. */
  private get share(): number {
    return (this.ratio * this.natural.height) / this.natural.width;
  }

  private shape(ratio: number): void {
    this.ratio = ratio;
    const { box } = this;
    box.width = ratio ? Math.min(1, this.share) : 1;
    box.height = ratio ? Math.min(1, 1 / this.share) : 1;
    box.left = (1 - box.width) / 2;
    box.top = (1 - box.height) / 2;
    this.place();
  }

  private drag(start: PointerEvent): void {
    const corner = (start.target as HTMLElement).dataset["corner"] as Corner | undefined;
    const from = { ...this.box };
    const size = this.stage.getBoundingClientRect();
    this.area.setPointerCapture(start.pointerId);
    const move = (event: PointerEvent) => {
      const [dx, dy] = [(event.clientX - start.clientX) / size.width, (event.clientY - start.clientY) / size.height];
      if (corner) this.size(from, corner, dx, dy);
      else this.shift(from, dx, dy);
    };
    const stop = () => {
      this.area.removeEventListener("pointermove", move);
      this.area.removeEventListener("pointerup", stop);
      this.area.removeEventListener("pointercancel", stop);
    };
    this.area.addEventListener("pointermove", move);
    this.area.addEventListener("pointerup", stop);
    this.area.addEventListener("pointercancel", stop);
  }

  private shift(from: Box, dx: number, dy: number): void {
    this.box.left = clamp(from.left + dx, 0, 1 - from.width);
    this.box.top = clamp(from.top + dy, 0, 1 - from.height);
    this.place();
  }

  /** Move one corner while the opposite one stays; the ratio is kept where one was chosen. */
  private size(from: Box, corner: Corner, dx: number, dy: number): void {
    const [isWest, isNorth] = [corner.endsWith("w"), corner.startsWith("n")];
    const [right, bottom] = [from.left + from.width, from.top + from.height];
    const room = { width: isWest ? right : 1 - from.left, height: isNorth ? bottom : 1 - from.top };
    let width = clamp(from.width + (isWest ? -dx : dx), LEAST, room.width);
    let height = clamp(from.height + (isNorth ? -dy : dy), LEAST, room.height);
    if (this.ratio) {
      width = Math.min(width, room.height * this.share);
      height = width / this.share;
    }
    Object.assign(this.box, { width, height, left: isWest ? right - width : from.left, top: isNorth ? bottom - height : from.top });
    this.place();
  }

  private key(event: KeyboardEvent): void {
    const steps: Record<string, [number, number]> = { ArrowLeft: [-0.02, 0], ArrowRight: [0.02, 0], ArrowUp: [0, -0.02], ArrowDown: [0, 0.02] };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    if (event.shiftKey) this.size({ ...this.box }, "se", this.ratio ? step[0] + step[1] : step[0], step[1]);
    else this.shift({ ...this.box }, ...step);
  }
}

const clamp = (value: number, low: number, high: number) => Math.max(low, Math.min(high, value));
