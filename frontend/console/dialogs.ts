/** A dialog that the server sends open (its form was refused) becomes a modal one. */
import { openDialog } from "../shared/overlay.ts";
import { each } from "../shared/words.ts";

export function startOpenDialogs(): void {
  each<HTMLDialogElement>("dialog[data-open]", (dialog) => {
    dialog.open = false;
    openDialog(dialog);
  });
}
