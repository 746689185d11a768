/**
 * Dragging by mouse, pen and touch alike (pointer events), over the editor and its frame: HTML's own
 * drag and drop knows no touch, and list libraries do not reach into a frame.
 */
import { make } from "./dom.ts";

export interface Drag {
  label: string;
  /** Where the pointer is, in the editor's own pixels. */
  move: (x: number, y: number) => void;
  drop: (x: number, y: number) => void;
  end: () => void;
}

const SLACK = 5;
const HOLD_MS = 220;

/**
 * Let `handle` start a drag: at once with a mouse, after a short hold with a finger, so that a list
 * can still be scrolled by pulling at its items.
 */
export function draggable(handle: HTMLElement, begin: () => Drag | undefined, offset: () => { x: number; y: number; scale: number } = () => ({ x: 0, y: 0, scale: 1 })): void {
  handle.addEventListener("pointerdown", (start) => {
    if (start.button !== 0) return;
    if (start.pointerType === "mouse") handle.setPointerCapture(start.pointerId); // a quick pull leaves the handle before it is told
    let drag: Drag | undefined;
    let ghost: HTMLElement | undefined;
    let isReady = start.pointerType === "mouse";
    const timer = isReady ? 0 : window.setTimeout(hold, HOLD_MS);
    const place = (event: PointerEvent) => {
      const { x, y, scale } = offset();
      return { x: x + event.clientX * scale, y: y + event.clientY * scale };
    };
    const follow = (event: PointerEvent) => {
      const at = place(event);
      if (ghost) ghost.style.transform = `translate(${at.x + 12}px, ${at.y + 8}px)`;
      drag?.move(at.x, at.y);
    };
    function take(event: PointerEvent): void {
      drag = begin();
      if (!drag) return finish();
      ghost = make("div", { class: "drag-ghost", "aria-hidden": "true" }, drag.label);
      document.body.append(ghost);
      follow(event);
    }
    function hold(): void {
      isReady = true;
      handle.setPointerCapture(start.pointerId);
      navigator.vibrate?.(10);
      take(start);
    }
    const move = (event: PointerEvent) => {
      if (!drag) {
        const far = Math.hypot(event.clientX - start.clientX, event.clientY - start.clientY) > SLACK;
        if (far && !isReady) return finish();
        if (far) take(event);
        return;
      }
      event.preventDefault();
      follow(event);
    };
    const stop = (event: Event) => {
      event.stopPropagation();
      event.preventDefault();
    };
    const up = (event: PointerEvent) => {
      if (drag) {
        const at = place(event);
        drag.drop(at.x, at.y);
        handle.addEventListener("click", stop, { capture: true, once: true });
        setTimeout(() => handle.removeEventListener("click", stop, true), 50);
      }
      finish();
    };
    const key = (event: KeyboardEvent) => event.key === "Escape" && finish();
    const block = (event: Event) => drag && event.preventDefault();
    function finish(): void {
      clearTimeout(timer);
      handle.removeEventListener("pointermove", move);
      handle.removeEventListener("pointerup", up);
      handle.removeEventListener("pointercancel", finish);
      handle.removeEventListener("touchmove", block);
      handle.removeEventListener("contextmenu", stop);
      document.removeEventListener("keydown", key);
      ghost?.remove();
      drag?.end();
      drag = undefined;
    }
    handle.addEventListener("pointermove", move);
    handle.addEventListener("pointerup", up);
    handle.addEventListener("pointercancel", finish);
    handle.addEventListener("touchmove", block, { passive: false });
    if (!isReady) handle.addEventListener("contextmenu", stop); // what a long press asks for
    document.addEventListener("keydown", key);
  });
}
