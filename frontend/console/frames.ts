/** Live frames that are costly to draw: fetched once they come into view, two at a time, shown when whole. */

const AT_ONCE = 2;
const MARGIN = "160px";

/** A queue that runs so many at once; what left it before its turn is not run. */
export class Queue<Item> {
  private readonly waiting = new Set<Item>();
  private readonly running = new Set<Item>();

  private readonly most: number;
  private readonly run: (item: Item) => void;

  constructor(most: number, run: (item: Item) => void) {
    this.most = most;
    this.run = run;
  }

  add(item: Item): void {
    if (!this.running.has(item)) this.waiting.add(item);
    this.pump();
  }

  leave(item: Item): void {
    this.waiting.delete(item);
  }

  finish(item: Item): void {
    this.running.delete(item);
    this.pump();
  }

  private pump(): void {
    for (const item of this.waiting) {
      if (this.running.size >= this.most) return;
      this.waiting.delete(item);
      this.running.add(item);
      this.run(item);
    }
  }
}

export function startFrames(): void {
  const frames = document.querySelectorAll<HTMLIFrameElement>("iframe[data-src]");
  if (!frames.length) return;
  const queue = new Queue<HTMLIFrameElement>(AT_ONCE, (frame) => {
    frame.addEventListener(
      "load",
      () => {
        frame.classList.add("is-drawn");
        queue.finish(frame);
      },
      { once: true },
    );
    observer.unobserve(frame.parentElement ?? frame);
    frame.src = frame.dataset.src ?? "";
  });
  const observer = new IntersectionObserver(
    (seen) => {
      for (const { target, isIntersecting } of seen) {
        const frame = target.querySelector<HTMLIFrameElement>("iframe[data-src]");
        if (frame && isIntersecting) queue.add(frame);
        else if (frame) queue.leave(frame);
      }
    },
    { rootMargin: MARGIN },
  );
  for (const frame of frames) observer.observe(frame.parentElement ?? frame);
}
