/** The editor's keys. Whoever types in a field keeps all of them but saving. */
import type { SectionAct } from "./frame.ts";

export interface KeyHooks {
  save: () => void;
  step: (way: "undo" | "redo") => void;
  act: (act: SectionAct) => void;
  chooseNext: (by: -1 | 1) => void;
  palette: () => void;
  leave: () => void;
  help: () => void;
}

const TYPED = "input:not([type=checkbox], [type=radio], [type=color]), textarea, select, [contenteditable=true], [contenteditable=plaintext-only]";

export function watchKeys(hooks: KeyHooks): void {
  document.addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]") || event.isComposing) return;
    const target = event.target instanceof HTMLElement ? event.target : undefined;
    const isCommand = event.ctrlKey || event.metaKey;
    if (isCommand && event.key.toLowerCase() === "s") {
      event.preventDefault();
      hooks.save();
    } else if (!target?.matches(TYPED)) {
      const act = isCommand ? commanded(event, hooks) : plain(event, hooks, target?.closest(".outline") !== null && target !== undefined);
      if (!act) return;
      event.preventDefault();
      act();
    }
  });
}

function commanded(event: KeyboardEvent, hooks: KeyHooks): (() => void) | undefined {
  const key = event.key.toLowerCase();
  if (key === "z") return () => hooks.step(event.shiftKey ? "redo" : "undo");
  if (key === "y") return () => hooks.step("redo");
  if (key === "d") return () => hooks.act("duplicate");
  if (key === "h" && event.shiftKey) return () => hooks.act("hide");
  return undefined;
}

function plain(event: KeyboardEvent, hooks: KeyHooks, isInOutline: boolean): (() => void) | undefined {
  if (event.altKey && (event.key === "PageUp" || event.key === "PageDown")) return () => hooks.chooseNext(event.key === "PageUp" ? -1 : 1);
  if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown") && !isInOutline) return () => hooks.act(event.key === "ArrowUp" ? "up" : "down");
  if (event.altKey) return undefined;
  if (event.key === "Delete" && !isInOutline) return () => hooks.act("remove");
  if (event.key === "?") return hooks.help;
  if (event.key === "/") return hooks.palette;
  if (event.key === "Escape") return hooks.leave;
  return undefined;
}
