/** The console's script. Pages work without it; it adds the palette, bulk acts, previews and drafts. */
import { startForms } from "../shared/forms.ts";
import { startLive } from "../shared/live.ts";
import { startOverlays } from "../shared/overlay.ts";
import { startEditing } from "./editing.ts";
import { startImports } from "./imports.ts";
import { startPalette } from "./palette.ts";
import { startTables } from "./tables.ts";

startOverlays();
startForms();
startLive();
startTables();
startEditing();
startImports();
startPalette();
